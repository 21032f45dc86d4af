// SPDX-License-Identifier: Apache-2.0
#include "adaptors/zmq/context.h"

#include <sys/eventfd.h>
#include <zmq.h>

#include <cerrno>
#include <latch>
#include <system_error>
#include <thread>

#include "adaptors/zmq/socket.h"
#include "core/base/fd.h"
#include "core/base/fork.h"
#include "core/base/limits.h"
#include "core/base/thread.h"

namespace dsmsg::zmq {
namespace {

// What a context itself uses: a mailbox, and for each of its two threads a mailbox and an epoll
// set; plus the first socket. With two to spare.
constexpr size_t kOwnDescriptors = 10, kOwnThreads = 2;

/// Reads events until the monitored socket has ended. `wait`: as long as it takes.
bool HasStopped(void* monitor, bool wait) {
  ZmqEvent event;
  while (ReadZmqEvent(monitor, wait, &event)) {
    if (event.id == ZMQ_EVENT_MONITOR_STOPPED) return true;
  }
  return false;
}

/// libzmq aborts the process if it cannot get a descriptor or thread for its own use.
class Reserve {
 public:
  /// Not ok: there is not enough left.
  Status Take(size_t descriptors, size_t threads) {
    for (size_t i = 0; i < descriptors; ++i) {
      fds_.emplace_back(::eventfd(0, EFD_CLOEXEC));
      if (fds_.back().valid()) continue;
      const int error = errno;
      return {Code::kUnavailable, std::string("ZeroMQ needs more descriptors: ") +
                                      std::generic_category().message(error) +
                                      std::string(LimitAdvice(error))};
    }
    std::latch all(static_cast<std::ptrdiff_t>(threads));
    std::vector<std::thread> trial;
    Status status;
    try {
      while (trial.size() < threads) {
        trial.push_back(StartThread("dsmsg-zmq-try", [&all] { all.arrive_and_wait(); }));
      }
    } catch (const std::system_error& error) {
      status = {Code::kUnavailable, std::string("ZeroMQ needs more threads: ") + error.what()};
      all.count_down(static_cast<std::ptrdiff_t>(threads - trial.size()));
    }
    for (std::thread& thread : trial) thread.join();
    return status;
  }

 private:
  std::vector<UniqueFd> fds_;
};

struct Shared {
  std::mutex mutex;
  std::weak_ptr<ZmqContext> context;
};

}  // namespace

Result<std::shared_ptr<ZmqContext>> ZmqContext::Get() {
  static PerProcess<Shared> shared;
  Shared& kept = shared.Get();
  const std::lock_guard lock(kept.mutex);
  std::shared_ptr<ZmqContext> context = kept.context.lock();
  if (context != nullptr) return context;
  {
    Reserve reserve;
    if (Status status = reserve.Take(kOwnDescriptors, kOwnThreads); !status.ok()) return status;
  }
  void* const made = zmq_ctx_new();
  if (made == nullptr) {
    return Status(Code::kUnavailable, std::string("cannot create a ZeroMQ context: ") +
                                          zmq_strerror(errno) + std::string(LimitAdvice(errno)));
  }
  context.reset(new ZmqContext(made));
  // The first socket starts libzmq's threads: do it now, while their resources are available.
  void* const first = context->NewSocket(ZMQ_PAIR);
  if (first == nullptr) {
    return Status(Code::kUnavailable, std::string("cannot create a ZeroMQ socket: ") +
                                          zmq_strerror(errno) + std::string(LimitAdvice(errno)));
  }
  zmq_close(first);
  kept.context = context;
  return context;
}

ZmqContext::~ZmqContext() {
  CloseStopped();
  if (lingering_.empty()) {
    zmq_ctx_term(context_);  // all sockets have ended: at once
    return;
  }
  // The last messages are sent while the process lives, without anything waiting for it. (A process
  // that cannot start a thread keeps the context.)
  try {
    StartThread("dsmsg-zmq-end", [context = context_, lingering = std::move(lingering_)] {
      for (void* monitor : lingering) {
        HasStopped(monitor, /*wait=*/true);
        zmq_close(monitor);
      }
      zmq_ctx_term(context);
    }).detach();
  } catch (const std::system_error&) {
  }
}

void* ZmqContext::NewSocket(int type) {
  const SignalsBlocked blocked;  // libzmq's threads inherit the signal mask of the thread that
                                 // creates the first socket
  return zmq_socket(context_, type);
}

std::string ZmqContext::NewMonitorName() {
  std::lock_guard lock(mutex_);
  return "inproc://dsmsg-monitor-" + std::to_string(++monitors_);
}

void ZmqContext::KeepUntilStopped(void* monitor) {
  CloseStopped();
  std::lock_guard lock(mutex_);
  lingering_.push_back(monitor);
}

void ZmqContext::CloseStopped() {
  std::lock_guard lock(mutex_);
  std::erase_if(lingering_, [](void* monitor) {
    if (!HasStopped(monitor, /*wait=*/false)) return false;
    zmq_close(monitor);
    return true;
  });
}

void ZmqContext::InprocBound(const std::string& name) {
  std::lock_guard lock(mutex_);
  bound_[name] = ++bindings_;
}

void ZmqContext::InprocUnbound(const std::string& name) {
  std::lock_guard lock(mutex_);
  bound_.erase(name);
}

uint64_t ZmqContext::InprocBinder(const std::string& name) const {
  std::lock_guard lock(mutex_);
  const auto found = bound_.find(name);
  return found == bound_.end() ? 0 : found->second;
}

}  // namespace dsmsg::zmq
