// SPDX-License-Identifier: Apache-2.0
// A child of fork() for a test: it has the loaded adaptors, and one thread. Failures in it,
// including hangs, are reported to the parent.
//
// Threads: the parent's side by one thread. Ownership: the destructor kills a child that still
// runs.
#ifndef DSMSG_CONFORMANCE_CHILD_H_
#define DSMSG_CONFORMANCE_CHILD_H_

#include <sys/types.h>

#include <functional>
#include <string>

namespace dsmsg::conformance {

class Child {
 public:
  /// Runs `body` in the child, which ends without exit handlers when it returns. An exception is
  /// its failure.
  explicit Child(const std::function<void(Child&)>& body);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// On both sides, one step after the other: Tell lets the other side's Await return. Throws when
  /// the other side ends instead.
  void Tell();
  void Await();
  /// In the child: closes inherited descriptors, such as the listening socket of a server that the
  /// parent will restart. Connections of the parent cannot be tested afterwards.
  void CloseInherited() const;
  /// In the parent: waits for the child's end. Empty: success; else what went wrong.
  std::string Join();
  pid_t pid() const { return pid_; }

 private:
  bool ReadByte(char* byte) const;

  int socket_ = -1;
  pid_t pid_ = -1;
};

/// In a child: throws with `what`, which fails the test.
void Require(bool condition, const std::string& what);

}  // namespace dsmsg::conformance

#endif  // DSMSG_CONFORMANCE_CHILD_H_
