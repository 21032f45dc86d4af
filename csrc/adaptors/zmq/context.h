// SPDX-License-Identifier: Apache-2.0
// The libzmq context that all connections of this library in a process share, so that inproc works
// between them. Created by the first and ended with the last; ending it never waits longer than the
// sockets linger. A forked child creates its own, because the parent's has no threads there.
//
// Threads: every function from any thread.
#ifndef DSMSG_ADAPTORS_ZMQ_CONTEXT_H_
#define DSMSG_ADAPTORS_ZMQ_CONTEXT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/status.h"

namespace dsmsg::zmq {

class ZmqContext {
 public:
  /// The shared context, created by the first call. Not ok: out of descriptors, threads or memory.
  static Result<std::shared_ptr<ZmqContext>> Get();
  ~ZmqContext();
  ZmqContext(const ZmqContext&) = delete;
  ZmqContext& operator=(const ZmqContext&) = delete;

  /// A new socket of the context, nullptr with errno. The first one starts libzmq's threads: no
  /// signal of the host's is delivered to them.
  void* NewSocket(int type);
  /// An inproc address that no other monitor has.
  std::string NewMonitorName();
  /// A socket was closed but still has something to send: takes over its monitor, which reports
  /// when the socket has ended and must not be closed before (libzmq would block its I/O thread for
  /// ever).
  void KeepUntilStopped(void* monitor);

  // inproc has no connection events: bound addresses are recorded here.
  void InprocBound(const std::string& name);
  void InprocUnbound(const std::string& name);
  /// A number that identifies the socket bound there now; 0: none.
  uint64_t InprocBinder(const std::string& name) const;

 private:
  explicit ZmqContext(void* context) : context_(context) {}
  void CloseStopped();

  void* const context_;
  mutable std::mutex mutex_;  // guards the following
  uint64_t monitors_ = 0, bindings_ = 0;
  std::map<std::string, uint64_t> bound_;
  std::vector<void*> lingering_;  // monitors
};

}  // namespace dsmsg::zmq

#endif  // DSMSG_ADAPTORS_ZMQ_CONTEXT_H_
