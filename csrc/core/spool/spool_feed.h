// SPDX-License-Identifier: Apache-2.0
// Between a session and its spool: decides which messages go to disk, reports OK to their
// recipients once they are durable, and feeds them back into the send queue while the link is up.
//
// A message on its way to the disk is kept in memory too, until the commit: when the disk fails, it
// goes the way it would have gone without a spool. A message from the spool is in the queue
// without a recipient; it is never evicted and never expires there, and its row goes away with the
// broker's answer.
//
// Order within a key (spool-order=key): a message that the disk does not take while older ones of
// its key are there stays in the queue, "behind" the spool, until those are delivered or the disk
// takes it after all. When the link is up and the disk gives nothing back for 3 s, delivery goes
// before order.
//
// Threads: every function from any thread, except Close (once, by the owner). The listener's
// functions run on the spool's thread; feeding has its own thread.
#ifndef DSMSG_CORE_SPOOL_SPOOL_FEED_H_
#define DSMSG_CORE_SPOOL_SPOOL_FEED_H_

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "core/base/time.h"
#include "core/observe/metrics.h"
#include "core/options/config.h"
#include "core/options/settings.h"
#include "core/queue/completion.h"
#include "core/queue/send_queue.h"
#include "core/spool/spool.h"

namespace dsmsg {

class SpoolFeed final : public SpoolListener {
 public:
  /// `wake`: there is something in the queue; called from the feeding thread and the spool's,
  /// without a lock. All references outlive Close.
  SpoolFeed(const Config& config, SendQueue& queue, CompletionQueue& completions, Metrics& metrics,
            std::function<void()> wake);
  ~SpoolFeed();

  /// Opens the file; waits for the disk. An error names spool-dir.
  Status Open(const Settings& settings, const char* protocol, Logger& logger);

  /// Routes the message to disk if mode, link state or key order require it; otherwise, or if the
  /// spool refuses it, to the queue (then as SendQueue::Push).
  Status Push(Outgoing&& outgoing, bool link_up, SendQueue::FinishedList* finished, Token* token,
              Deadline patience);
  /// spool-mode=always: takes a dead letter, so that it survives the process as the refused message
  /// did. False: it is unchanged.
  bool PushLetter(Outgoing* letter) { return always_ && Take(letter, spool_->failures()).ok(); }
  /// A synchronous sender stops waiting: it gets kTimeout if its message waits for the disk.
  void Withdraw(const std::shared_ptr<SyncWaiter>& waiter);

  void SetLinkUp(bool up);
  /// Deletes from the spool what the broker has answered, and hands what the core dropped back to
  /// it; ignores messages that did not come from the spool.
  void OnFinished(std::span<const Finished> finished);

  /// Waits until everything taken is on disk or failed. False at the deadline.
  bool WaitDurable(Deadline deadline) { return spool_->Flush(deadline); }
  /// Disconnect begins: nothing is fed any more, and what was behind the spool goes to the disk or,
  /// where the disk does not take it, to the broker.
  void StopFeeding();
  /// After the driver was closed: takes what is left of the queue, completes every message, closes
  /// the file. Recipients whose messages are not on disk at the deadline get kCancelled. Returns
  /// how many were left.
  size_t Close(Deadline deadline);

  SpoolStats Stats() const { return spool_->Stats(); }
  /// Messages that the spool held at connect.
  uint64_t restored() const { return restored_; }
  /// Deleted undelivered, or gone with a damaged file. No lock.
  uint64_t losses() const { return spool_->losses(); }

  // SpoolListener
  void OnSpooled(std::span<const SpoolTicket> tickets) noexcept override;
  void OnSpoolFailed(std::span<const SpoolTicket> tickets, const Status& status) noexcept override;
  void OnEvicted(std::span<const SpoolMessage> messages) noexcept override;
  void OnSpoolReady() noexcept override;

 private:
  static constexpr size_t kMostFed = 512;  // in the queue at a time
  static constexpr size_t kMostFedBytes = size_t{8} << 20;

  /// Where older messages of a key wait (kNone also if spool-order=none).
  enum class Older { kNone, kOnDisk, kBehind };
  Older OlderOf(std::string_view key) const;
  /// Ok: taken and emptied, its recipient will be told. Else (see Spool::Append, also for
  /// `failures`) it is unchanged.
  Status Take(Outgoing* outgoing, uint64_t failures);
  bool MoveBehind();
  /// Checks, now and then, whether messages behind the spool can go on; *until: the next check.
  void Tend(std::unique_lock<std::mutex>& lock, Clock::time_point* until);
  void Run();
  void Replay();  // until StopFeeding
  /// How many messages may be fed now; 0: wait until *until.
  size_t Allowance(Clock::time_point now, Clock::time_point* until);
  void Feed(std::vector<SpoolMessage>* batch);
  const bool always_, by_key_;
  const double rate_;  // messages a second; 0: unlimited
  const size_t most_fed_;
  SendQueue& queue_;
  CompletionQueue& completions_;
  Metrics& metrics_;
  const std::function<void()> wake_;
  uint64_t restored_ = 0;
  Logger* logger_ = nullptr;
  std::atomic<bool> order_given_up_{false};

  mutable std::mutex mutex_;  // guards the following
  std::condition_variable changed_cv_;
  std::map<SpoolTicket, Outgoing> pending_;  // on the way to the disk
  SpoolTicket next_ticket_ = 1;
  size_t fed_ = 0;  // in the queue
  bool link_up_ = false, ready_ = true, stop_ = false, ending_ = false, closing_ = false;
  bool was_behind_ = false;  // at the last look, something was behind the spool
  bool release_ = false;     // a message was put behind a backlog that the spool no longer has
  uint64_t removals_seen_ = 0;
  Clock::time_point tend_at_{}, moved_at_{};  // the next check; the last move
  double credit_ = 0;                         // of the replay rate
  Clock::time_point credited_at_{};
  std::thread thread_;
  std::unique_ptr<Spool>
      spool_;  // last member: its thread uses all of the above until it is destroyed
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_SPOOL_SPOOL_FEED_H_
