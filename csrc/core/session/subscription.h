// SPDX-License-Identifier: Apache-2.0
// The subscription of a connection, replaced as a transaction: a new set of topics with its
// callback is tried at the broker while the one in force goes on. It takes over in one moment, or
// never: if it is refused, times out or is withdrawn, the previous one stays in force, and the new
// callback is not called.
//
// Threads: hosts' threads call Replace and Close, the I/O thread of the link the rest (LinkUp and
// LinkDown: any thread). No lock is held while a driver or a callback runs, so that Replace may be
// called from inside every callback. The inbox outlives this object.
#ifndef DSMSG_CORE_SESSION_SUBSCRIPTION_H_
#define DSMSG_CORE_SESSION_SUBSCRIPTION_H_

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/base/time.h"
#include "dsmsg_ext.h"
#include "nvds_msgapi.h"

namespace dsmsg {

class Inbox;

/// Topics and the receiver of their messages. Immutable once it is tried.
struct Subscription {
  std::vector<std::string> topics;
  /// One of the two.
  nvds_msgapi_subscribe_request_cb_t callback = nullptr;
  DsmsgMessageCallback message_callback = nullptr;
  /// A message is acknowledged by a call of Inbox::Acknowledge, not when its callback returns.
  bool manual_ack = false;
  void* user_ctx = nullptr;
  uint64_t generation = 0;  // counts the attempts of a connection, from 1
};
using SubscriptionPtr = std::shared_ptr<const Subscription>;

class SubscriptionControl {
 public:
  /// Whether messages of `topic` belong to a subscription to `filter`.
  using Matches = std::function<bool(const std::string& filter, const std::string& topic)>;

  /// `lazy`: connect=lazy, where a subscription counts as made while the broker is away.
  SubscriptionControl(Inbox& inbox, bool lazy, Matches matches)
      : inbox_(inbox), lazy_(lazy), matches_(std::move(matches)) {}

  /// Tries `wanted` (its generation is set here) and waits for the answer until `deadline`, for its
  /// turn included: calls are handled one after the other. `wake` makes the I/O thread look. Ok: it
  /// is in force, and no call of the previous callback begins any more. Else: what was in force is.
  Status Replace(Subscription wanted, Deadline deadline, const std::function<void()>& wake);
  /// The connection ends: waiting and later calls of Replace return kCancelled.
  void Close();

  // For the link.

  /// The driver was opened: it has no topics yet.
  void Opened();
  void LinkUp();
  /// `failed_attempt`: to open it. `gave_up`: there will be no other.
  void LinkDown(const Status& reason, bool failed_attempt, bool gave_up);

  /// What the driver is to subscribe to now: the one being tried, or again the one in force.
  struct Step {
    SubscriptionPtr subscription;  // null: to nothing
    Deadline deadline;
    std::span<const std::string> topics() const {
      return subscription ? std::span<const std::string>(subscription->topics)
                          : std::span<const std::string>();
    }
  };
  /// nullopt: the driver has the right topics. `usual`: the deadline where no host waits.
  std::optional<Step> Next(Deadline usual);
  /// The driver's answer to a step. Not ok: the driver does not have the topics in force and would
  /// not accept them now, so the link must be reopened.
  Status Answer(const Step& step, const Status& status);

  /// What is in force; null: nothing.
  SubscriptionPtr current() const;

 private:
  using Lock = std::unique_lock<std::mutex>;
  bool trying() const { return tried_ != nullptr && !result_.has_value(); }
  void Commit();
  void Conclude(const Status& status);
  Status WhyNot() const;

  Inbox& inbox_;
  const bool lazy_;
  const Matches matches_;

  mutable std::mutex mutex_;  // guards the following; taken before the inbox's
  std::condition_variable changed_;
  SubscriptionPtr current_;
  SubscriptionPtr tried_;         // its caller waits; the next call waits for its turn
  std::optional<Status> result_;  // of tried_
  Status setback_;                // of tried_: the last failure that may pass
  Deadline deadline_{};           // of tried_
  SubscriptionPtr applied_;       // what the driver has; null: nothing
  bool asking_ = false;           // the driver is inside Subscribe for tried_
  bool held_ = false;             // not to be tried before the link comes up or is opened
  bool up_ = false, closed_ = false;
  Status down_reason_;
  uint64_t generations_ = 0;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_SESSION_SUBSCRIPTION_H_
