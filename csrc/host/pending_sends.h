// SPDX-License-Identifier: Apache-2.0
// The messages of a connection that were accepted and not yet called back, in the order of their
// acceptance. Not thread-safe: guarded by the connection's mutex.
#ifndef DSMSG_HOST_PENDING_SENDS_H_
#define DSMSG_HOST_PENDING_SENDS_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/user.h"

namespace dsmsg::host {

/// A copy of a message, for adaptors that may need to be given it again.
struct KeptMessage {
  std::optional<std::string> topic;
  std::string payload;
};

struct PendingSend {
  std::shared_ptr<User> user;
  Ticket ticket;
  std::shared_ptr<KeptMessage> message;  // null if the adaptor keeps it
  bool failed_before = false;            // over an earlier connect
};

class PendingSends {
 public:
  /// Numbers count up from 0 for ever.
  uint64_t Add(PendingSend send) {
    bytes_ += BytesOf(send);
    slots_.push_back(std::move(send));
    ++count_;
    return begin_ + slots_.size() - 1;
  }
  /// Null if it is not pending (any more).
  PendingSend* Find(uint64_t number) {
    if (number < begin_ || number - begin_ >= slots_.size()) return nullptr;
    auto& slot = slots_[number - begin_];
    return slot ? &*slot : nullptr;
  }
  /// False if it is not pending (any more).
  bool Take(uint64_t number, PendingSend* taken) {
    PendingSend* found = Find(number);
    if (found == nullptr) return false;
    --count_;
    bytes_ -= BytesOf(*found);
    *taken = std::move(*found);
    slots_[number - begin_].reset();
    while (!slots_.empty() && !slots_.front()) {
      slots_.pop_front();
      ++begin_;
    }
    return true;
  }
  /// All, or those of one user, in order.
  std::vector<PendingSend> TakeAll(const User* user) {
    std::vector<PendingSend> taken;
    for (uint64_t number = begin_, last = end(); number < last; ++number) {
      const PendingSend* send = Find(number);
      if (send == nullptr || (user != nullptr && send->user.get() != user)) continue;
      Take(number, &taken.emplace_back());
    }
    return taken;
  }
  size_t count() const { return count_; }
  uint64_t bytes() const { return bytes_; }  // of the kept payloads
  uint64_t begin() const { return begin_; }  // the oldest pending one, or end()
  uint64_t end() const { return begin_ + slots_.size(); }

 private:
  static uint64_t BytesOf(const PendingSend& send) {
    return send.message == nullptr ? 0 : send.message->payload.size();
  }

  std::deque<std::optional<PendingSend>> slots_;  // the front is never empty
  uint64_t begin_ = 0, bytes_ = 0;
  size_t count_ = 0;
};

}  // namespace dsmsg::host

#endif  // DSMSG_HOST_PENDING_SENDS_H_
