// SPDX-License-Identifier: Apache-2.0
// Received messages between the I/O thread and the subscribe callback: a bounded queue, the
// dispatch thread that calls the callback one message at a time, and the acknowledgements on their
// way back to the I/O thread. Each message belongs to the subscription that was in force when it
// was received. With manual acknowledgement, messages of the subscription in force that the host
// has not acknowledged count against the bound, so that one that never does receives no more.
//
// Threads: every function from any thread. The callback runs on the dispatch thread with no lock
// held; one that throws is logged, and its message counts as handled. The dispatch thread owns this
// object together with the session, so that a callback which never returns cannot keep disconnect
// from returning.
#ifndef DSMSG_CORE_SESSION_INBOX_H_
#define DSMSG_CORE_SESSION_INBOX_H_

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "core/base/fork.h"
#include "core/base/gathering.h"
#include "core/base/status.h"
#include "core/base/time.h"
#include "core/driver/message.h"
#include "core/session/subscription.h"
#include "nvds_msgapi.h"

namespace dsmsg {

class Inbox : public std::enable_shared_from_this<Inbox> {
 public:
  static constexpr size_t kMaxMessages = 1000;
  static constexpr size_t kMaxBytes = size_t{64} << 20;

  struct Ack {
    uint64_t epoch;
    AckToken token;
    /// Goes back: no callback saw it, because its topic was given up.
    std::optional<InMessage> unseen;
  };
  /// What a callback gets as Base64 text (key-encoding, value-encoding).
  struct Encoding {
    bool key, value;
  };
  /// Runs around every callback on the dispatch thread (marks the thread as being inside one).
  using AroundCallback = std::function<void(const std::function<void()>&)>;

  /// `wake` tells the I/O thread that there is room or an acknowledgement. It is called with the
  /// inbox's lock held, so that it is never called after Close; it must not block.
  Inbox(std::function<void()> wake, AroundCallback around, Encoding encoding = {false, false});

  /// Starts the dispatch thread if it does not run. Throws NoThreadError.
  void Start();
  /// From now on `subscription` receives: no call of the previous callback begins after this.
  /// Waiting messages for whose topic `keep` is true now belong to it; the others go back to the
  /// driver with the acknowledgements.
  void Adopt(SubscriptionPtr subscription, const std::function<bool(const std::string&)>& keep);
  /// Waits until no callback of a subscription older than `generation` runs; false at `deadline`.
  /// True at once on the dispatch thread.
  bool WaitForOlderCall(uint64_t generation, Deadline deadline);

  /// kWouldBlock and `message` unchanged when full. `epoch`: which opening of the link it came
  /// from.
  Status Deliver(InMessage&& message, uint64_t epoch, AckToken token);
  /// Acknowledges a message of a subscription with manual_ack, by its number (DsmsgReceived::ack).
  /// false: it has no unacknowledged message of that number.
  bool Acknowledge(uint64_t number);
  /// Acknowledgements due, oldest first.
  void TakeAcks(std::vector<Ack>* acks);

  /// Waits until everything delivered was handed to the callback, at most until `deadline`; returns
  /// how much was not. Without a callback nothing is waited for.
  size_t Drain(Deadline deadline);
  /// Stops dispatching: no callback starts after this. Waits for a running one until `deadline`;
  /// false: it still runs.
  bool Close(Deadline deadline);
  size_t messages() const;
  /// Nothing waits for its callback or its acknowledgement.
  bool idle() const;

 private:
  struct Item {
    InMessage message;
    Ack ack;
    SubscriptionPtr subscription;
  };
  void Run();
  bool WaitForMessage(std::unique_lock<std::mutex>* lock);  // false: closed
  void Call(const Subscription& receiver, const InMessage& message, uint64_t number) const;
  /// The rest: with mutex_ held.
  bool full(size_t more_bytes) const;
  /// One acknowledgement is due: one wake-up for many, because the I/O thread takes all of them.
  void AddAck(Ack&& ack);

  const ProcessStamp process_;
  const std::function<void()> wake_;
  const AroundCallback around_;
  const Encoding encoding_;
  mutable std::mutex mutex_;
  std::condition_variable changed_cv_, idle_cv_;
  std::deque<Item> items_;
  size_t bytes_ = 0;
  std::vector<Ack> acks_;
  struct Unacked {
    Ack ack;
    SubscriptionPtr subscription;
  };
  std::unordered_map<uint64_t, Unacked> unacked_;  // with manual acknowledgement, by number
  size_t counted_ = 0;                             // those of current_
  uint64_t numbers_ = 0;                           // given out
  SubscriptionPtr current_;                        // null: none yet
  SubscriptionPtr calling_;                        // whose callback runs
  Gathering gathering_;
  bool started_ = false, closed_ = false, refused_ = false;
  std::thread::id thread_;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_SESSION_INBOX_H_
