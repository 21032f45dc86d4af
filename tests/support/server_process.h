// SPDX-License-Identifier: Apache-2.0
// What tests with their own server share: a child process, a folder and a free port.
//
// Threads: an object belongs to one.
#ifndef DSMSG_TESTS_SUPPORT_SERVER_PROCESS_H_
#define DSMSG_TESTS_SUPPORT_SERVER_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace dsmsg::testing {

/// A free port of 127.0.0.1, outside the range that the kernel gives to clients.
/// No other process gets it from this function, or from the Python package, while this one lives.
uint16_t FreePort();

/// A folder that is removed with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }
  /// Writes a file and returns its path.
  std::string Write(const std::string& name, const std::string& text) const;

 private:
  std::string path_;
};

/// A variable of the environment while the object lives.
class Environment {
 public:
  Environment(const char* name, const std::string& value);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* const name_;
};

/// A child process; killed (by pid) when the object or the test program ends.
class ServerProcess {
 public:
  ServerProcess() = default;
  ~ServerProcess() { Kill(); }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  /// Runs a program and waits until it `answers`; false when it ends, or does not within 20
  /// seconds.
  bool Start(std::vector<std::string> words, const std::function<bool()>& answers);
  void Kill();    // SIGKILL
  void Freeze();  // SIGSTOP
  void Thaw();    // SIGCONT
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

}  // namespace dsmsg::testing

#endif  // DSMSG_TESTS_SUPPORT_SERVER_PROCESS_H_
