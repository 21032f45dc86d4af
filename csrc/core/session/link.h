// SPDX-License-Identifier: Apache-2.0
// One driver and the I/O thread that runs it: opening, reconnecting with backoff, submitting from
// the queue, completing, subscribing, giving up. A connection has one link, or two where producer
// and consumer are separate.
//
// Threads: the public functions from any thread, except Start, RequestStop and Join (once each, by
// the owner). The private ones run on the I/O thread unless they say otherwise.
#ifndef DSMSG_CORE_SESSION_LINK_H_
#define DSMSG_CORE_SESSION_LINK_H_

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/base/backoff.h"
#include "core/base/fd.h"
#include "core/driver/driver.h"
#include "core/driver/driver_factory.h"
#include "core/observe/metrics.h"
#include "core/options/settings.h"
#include "core/queue/completion.h"
#include "core/queue/dead_letters.h"
#include "core/queue/send_queue.h"
#include "core/session/inbox.h"
#include "core/session/link_state.h"
#include "core/session/subscription.h"

namespace dsmsg {

/// Told about the state of a link, on any thread, with no lock held. Must not block.
class LinkObserver {
 public:
  virtual void OnLinkUp(Role role) noexcept = 0;
  /// At the beginning of an outage, and for each failed attempt.
  virtual void OnLinkDown(Role role, const Status& reason) noexcept = 0;
  virtual void OnGaveUp(Role role, const Status& reason) noexcept = 0;
  /// A dead letter is about to be queued. True: taken, and empty now.
  virtual bool OnLetter(Outgoing* letter) noexcept = 0;
  /// The link comes up, before OnLinkUp: a summary of the outage for the log, or "".
  virtual std::string OnBack(Role) noexcept { return {}; }
  /// Now and then, on the I/O thread.
  virtual void OnTick() noexcept {}

 protected:
  ~LinkObserver() = default;
};

/// What a link works with; all of it outlives the link. `queue` is null for a consumer, `inbox` and
/// `subscription` for a producer.
struct LinkParts {
  const DriverFactory& factory;
  std::shared_ptr<const Settings> settings;
  CompletionQueue& completions;
  Metrics& metrics;
  Logger& logger;
  LinkObserver& observer;
  SendQueue* queue;
  Inbox* inbox;
  SubscriptionControl* subscription;
  DeadLetters& dead_letters;
};

class Link final : public DriverHost {
 public:
  Link(Role role, const LinkParts& parts);
  ~Link();

  /// Creates the driver and gives it the settings.
  Status Configure();
  /// Creates another driver with other settings, for Replace.
  Result<std::unique_ptr<Driver>> Prepare(const Settings& settings);
  /// The I/O thread closes the current driver and opens this one, even if the link had given up.
  /// What was in flight is sent again. From then on `settings` are the link's.
  void Replace(std::unique_ptr<Driver> driver, std::shared_ptr<const Settings> settings);
  void Start();
  LinkState& state() { return state_; }
  bool up() const { return state_.up(); }

  /// The queue has messages: wakes the I/O thread if it is idle. `urgent`: a synchronous sender
  /// waits for the answer, so the message is not to linger.
  void Wake(bool urgent);
  /// Wakes the I/O thread, whatever it waits for (inbox room, acknowledgements).
  void Signal();

  /// There is another subscription to try: wakes the I/O thread, which also ends a pause between
  /// two attempts to open the link.
  void Resubscribe();

  /// A flush begins: a link that is down tries again at once.
  void BeginFlush();

  /// Ends the thread after closing the driver. RequestStop and Join are separate so that two links
  /// can stop at the same time.
  void RequestStop(Millis drain);
  void Join();

  // DriverHost
  void Complete(Token token, const Status& status) noexcept override;
  Status Deliver(InMessage&& message, AckToken token) noexcept override;
  void LinkUp() noexcept override;
  void LinkDown(const Status& reason) noexcept override;
  void LostOverMessages() noexcept override { over_messages_ = true; }
  std::shared_ptr<const void> HoldInFlight() noexcept override;
  void CountUnheard() noexcept override { Metrics::Add(parts_.metrics.no_receiver); }
  Logger& log() noexcept override { return parts_.logger; }

 private:
  void Run();
  void Step();
  bool TryOpen();
  void SwapDriver();
  void Adopt(std::shared_ptr<const Settings> settings);
  bool CloseDriver(Millis drain, bool lost = false);
  void LinkLost(const Status& reason, bool subscribing);
  void JudgeAccused(const Status& reason);
  void Pause(bool slowly);
  void AnswerGivenUp();

  void Drive();
  bool Lingering(const SendQueue::Waiting& waiting, Clock::time_point now) const;
  bool SubmitWaiting();  // true: something waits that cannot be submitted now
  Millis PollBudget(bool blocked);
  bool ReplacementWaits();
  bool CanReopen();
  Status HandleSubscription();
  void HandleAcks();
  void HandleOutcomes(std::vector<SendQueue::Outcome>* outcomes);  // any thread
  void TellRefused(std::vector<Finished>* finished,
                   std::vector<SendQueue::Refused>* refused);  // any thread
  void KeepRefused(std::vector<SendQueue::Refused>* refused);  // any thread
  void Tell(std::vector<Finished>* finished);                  // any thread
  void ReportUp();                                             // any thread
  void ReportDown(const Status& reason, bool failed_attempt);  // any thread
  bool stopping() const { return stop_.load(std::memory_order_acquire); }

  static constexpr size_t kSubmitBatch = 64;  // so many do not linger

  const Role role_;
  const LinkParts parts_;
  LinkState state_;
  std::unique_ptr<Driver> driver_;
  std::thread thread_;
  WakeFd wake_, cancel_;
  // What the I/O thread has to be woken for.
  enum class Sleep { kAwake, kLingering, kIdle };
  std::atomic<Sleep> sleep_{Sleep::kAwake};
  std::atomic<bool> stop_{false}, urgent_{false}, signalled_{false}, retry_now_{false};
  std::atomic<bool> hold_requested_{false};
  std::atomic<bool> over_messages_{false};  // of LostOverMessages
  std::mutex replacement_mutex_;            // guards the following
  std::unique_ptr<Driver> replacement_;
  std::shared_ptr<const Settings> replacement_settings_;
  std::atomic<uint64_t> epoch_{0};
  std::atomic<std::thread::id> io_thread_{};

  std::atomic<Millis> drain_{Millis(0)};
  std::atomic<bool> open_{false};  // written by the I/O thread
  // I/O thread only.
  std::shared_ptr<const Settings> settings_;
  Millis linger_{0};
  Backoff reconnect_backoff_, slow_backoff_, retry_backoff_;
  Clock::time_point up_since_{}, hold_until_{}, next_expiry_ = Clock::time_point::max();
  Clock::time_point down_since_ = Clock::now(), attempted_at_{};
  Deadline reopen_by_ = Deadline::max();
  Status accusation_;  // not ok: why the last connection ended, with one message in flight
  std::vector<SendQueue::Outcome> outcomes_;
  std::vector<SendQueue::Submission> submissions_;
  std::vector<Inbox::Ack> acks_;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_SESSION_LINK_H_
