// SPDX-License-Identifier: Apache-2.0
// Sharing of connections inside one process: a request with a key in use gets the existing object.
#ifndef DSMSG_HOST_SHARED_SLOTS_H_
#define DSMSG_HOST_SHARED_SLOTS_H_

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "core/base/guard.h"
#include "core/base/status.h"
#include "host/adaptor_library.h"

namespace dsmsg::host {

/// Library and signature, or "" if the connection must not be shared (`share-connection=1` in the
/// adaptor's file shares it). What is absent is given to the adaptor as NULL.
std::string SharingKey(const AdaptorLibrary& library, const std::optional<std::string>& conn_str,
                       const std::optional<std::string>& config);

/// Threads: every function from any thread. No lock is held while a T is made; a caller that wants
/// one that another thread is making waits for that one only.
template <class T>
class SharedSlots {
 public:
  /// One T and the number of its users; there before the T is.
  struct Slot {
    std::shared_ptr<T> value;  // set before Join() returns

   private:
    friend class SharedSlots;
    std::string key;  // empty: not shared
    std::optional<Status> outcome;
    std::condition_variable made;
    size_t users = 1;  // including those that wait for it
  };
  using SlotPtr = std::shared_ptr<Slot>;
  using Maker = std::function<Result<std::shared_ptr<T>>()>;

  /// The slot with this key, or a new one with the result of `make`; an exception from `make`
  /// becomes an error, which every waiting caller gets. A slot that is no longer `usable` is left
  /// to its users.
  Result<SlotPtr> Join(const std::string& key, const Maker& make,
                       const std::function<bool(const T&)>& usable) {
    auto slot = std::make_shared<Slot>();
    slot->key = key;
    if (!key.empty()) {
      std::unique_lock lock(mutex_);
      if (const SlotPtr other = Find(key, usable)) {
        ++other->users;  // from now on nothing ends it
        other->made.wait(lock, [&] { return other->outcome.has_value(); });
        if (!other->outcome->ok()) return *other->outcome;
        return other;
      }
      slots_[key] = slot;
    }
    Result<std::shared_ptr<T>> value = Status(Code::kInternal, "out of memory");
    Contained([&] { value = make(); },
              [&](const char* what) { value = Status(Code::kInternal, what); });
    const std::lock_guard lock(mutex_);
    slot->outcome = value.status();
    if (value.ok()) {
      slot->value = std::move(value.value());
    } else {
      Forget(slot);
    }
    slot->made.notify_all();
    if (!slot->outcome->ok()) return *slot->outcome;
    return slot;
  }

  /// True: that was the last user, who must end the T. It can no longer be joined.
  bool Leave(const SlotPtr& slot) {
    const std::lock_guard lock(mutex_);
    if (--slot->users > 0) return false;
    Forget(slot);
    return true;
  }

 private:
  SlotPtr Find(const std::string& key, const std::function<bool(const T&)>& usable) {
    const auto found = slots_.find(key);
    if (found == slots_.end()) return nullptr;
    const SlotPtr slot = found->second;
    if (slot->value == nullptr || usable(*slot->value)) return slot;
    slots_.erase(found);
    return nullptr;
  }
  void Forget(const SlotPtr& slot) {
    const auto found = slots_.find(slot->key);
    if (found != slots_.end() && found->second == slot) slots_.erase(found);
  }

  std::mutex mutex_;  // guards all slots
  std::map<std::string, SlotPtr> slots_;
};

}  // namespace dsmsg::host

#endif  // DSMSG_HOST_SHARED_SLOTS_H_
