// SPDX-License-Identifier: Apache-2.0
#include "zmq_context.h"

#include <zmq.h>

#include <system_error>

#include "core/thread.h"
#include "zmq_socket.h"

namespace dsmsg {
namespace {

/// libzmq's threads inherit the mask of the thread that makes the first socket.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

/// Reads events until the monitored socket has ended. `wait`: as long as it takes.
bool HasStopped(void* monitor, bool wait) {
  ZmqEvent event;
  while (ReadZmqEvent(monitor, wait, &event)) {
    if (event.id == ZMQ_EVENT_MONITOR_STOPPED) return true;
  }
  return false;
}

}  // namespace

std::shared_ptr<ZmqContext> ZmqContext::Get() {
  static std::mutex mutex;
  static std::weak_ptr<ZmqContext> shared;
  std::lock_guard lock(mutex);
  std::shared_ptr<ZmqContext> context = shared.lock();
  if (context == nullptr) {
    void* made = zmq_ctx_new();
    if (made == nullptr) return nullptr;
    context.reset(new ZmqContext(made));
    shared = context;
  }
  return context;
}

ZmqContext::~ZmqContext() {
  CloseStopped();
  if (lingering_.empty()) {
    zmq_ctx_term(context_);  // all sockets have ended: at once
    return;
  }
  // What was sent last goes out while the process lives; nobody waits for it. (A process that
  // cannot make a thread keeps the context.)
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
  const AllSignalsBlocked blocked;
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

}  // namespace dsmsg
