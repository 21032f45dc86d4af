// SPDX-License-Identifier: Apache-2.0
// The connections that a host knows by handle. Included by export.cc alone.
//
// Threads: any. Ownership: a handle's session is shared by the calls that use it.
#ifndef DSMSG_CORE_EXPORT_REGISTRY_H_
#define DSMSG_CORE_EXPORT_REGISTRY_H_

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "core/base/fork.h"
#include "core/base/log.h"
#include "core/export/export.h"
#include "core/session/session.h"
#include "nvds_msgapi.h"

namespace dsmsg {

/// Handle values and their sessions. A value is never used twice: this library counts upwards, and
/// the upper half comes from the library's own address, so it differs from other adaptors in the
/// process.
///
/// A child of fork() starts with an empty one: its parent's sessions have no threads there.
class Registry {
 public:
  static Registry& Get() {
    static PerProcess<Registry> registry;
    return registry.Get();
  }
  NvDsMsgApiHandle NextHandle() {
    return reinterpret_cast<NvDsMsgApiHandle>(UpperHalf() | next_.fetch_add(1));
  }
  /// Why a handle may not be found.
  const char* WhyNot(NvDsMsgApiHandle handle) const {
    const auto value = reinterpret_cast<uintptr_t>(handle);
    const uintptr_t number = value & 0xffffffff;
    const bool of_parent = (value ^ number) == UpperHalf() && number != 0 && number < first_;
    return of_parent ? "this handle belongs to the parent process: after fork(), the child must "
                       "open its own connection"
                     : "this handle is not connected";
  }
  Logger& log() { return log_; }
  void Add(NvDsMsgApiHandle handle, std::shared_ptr<Session> session) {
    std::unique_lock lock(mutex_);
    sessions_[handle] = std::move(session);
  }
  std::shared_ptr<Session> Find(NvDsMsgApiHandle handle) {
    std::shared_lock lock(mutex_);
    const auto found = sessions_.find(handle);
    return found == sessions_.end() ? nullptr : found->second;
  }
  std::shared_ptr<Session> Remove(NvDsMsgApiHandle handle) {
    std::unique_lock lock(mutex_);
    const auto found = sessions_.find(handle);
    if (found == sessions_.end()) return nullptr;
    std::shared_ptr<Session> session = std::move(found->second);
    sessions_.erase(found);
    return session;
  }

 private:
  static uintptr_t UpperHalf() {
    static const char address = 0;
    return ((reinterpret_cast<uintptr_t>(&address) >> 12) & 0x7fffffff) << 32;
  }

  std::shared_mutex mutex_;
  std::map<NvDsMsgApiHandle, std::shared_ptr<Session>> sessions_;
  static inline std::atomic<uintptr_t> next_{1};
  const uintptr_t first_ = next_;  // of this process
  Logger log_{AdaptorFactory().info->protocol};
};

/// The connection that this thread is disconnecting: its last callbacks may still ask for its last
/// error and statistics.
class Ending {
 public:
  Ending(NvDsMsgApiHandle handle, std::shared_ptr<Session> session)
      : handle_(handle), session_(std::move(session)), outer_(current_) {
    current_ = this;
  }
  ~Ending() { current_ = outer_; }
  Ending(const Ending&) = delete;
  Ending& operator=(const Ending&) = delete;

  static std::shared_ptr<Session> Find(NvDsMsgApiHandle handle) {
    if (std::shared_ptr<Session> session = Registry::Get().Find(handle)) return session;
    for (const Ending* each = current_; each != nullptr; each = each->outer_) {
      if (each->handle_ == handle) return each->session_;
    }
    return nullptr;
  }

 private:
  static inline thread_local const Ending* current_ = nullptr;
  const NvDsMsgApiHandle handle_;
  const std::shared_ptr<Session> session_;
  const Ending* const outer_;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_EXPORT_REGISTRY_H_
