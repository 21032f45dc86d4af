// SPDX-License-Identifier: Apache-2.0
// Between a session and its spool: decides which messages go to disk, tells their recipients OK
// once they are durable, and feeds them back into the send queue while the link is up.
//
// A message on its way to the disk is kept in memory too, until the commit: when the disk fails, it
// goes the way it would have gone without a spool. A message from the spool is in the queue
// without a recipient; it is never evicted and never expires there, and its row goes away with the
// broker's answer.
//
// Threads: every function from any thread, except Close (once, by the owner). The listener's
// functions run on the spool's thread; feeding has a thread of its own.
#ifndef DSMSG_CORE_SPOOL_FEED_H_
#define DSMSG_CORE_SPOOL_FEED_H_

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "core/completion.h"
#include "core/metrics.h"
#include "core/send_queue.h"
#include "core/settings.h"
#include "core/spool.h"

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

  /// Whether the message has to take the way over the disk, whatever room the queue has.
  bool Wants(const Outgoing& outgoing, bool link_up) const;
  /// Ok: taken and emptied, its recipient will be told. Else (see Spool::Append) it is unchanged.
  Status Take(Outgoing* outgoing);
  /// A synchronous sender stops waiting: it is told kTimeout if its message waits for the disk.
  void Withdraw(const std::shared_ptr<SyncWaiter>& waiter);

  void SetLinkUp(bool up);
  /// What became of messages that came from the spool; leaves the others.
  void OnFinished(std::span<const Finished> finished);

  /// What was taken is on disk or failed. False at the deadline.
  bool WaitDurable(Deadline deadline) { return spool_->Flush(deadline); }
  /// From here on nothing is fed. Disconnect begins.
  void StopFeeding();
  /// Takes what is left of the queue, tells everybody, closes the file. Recipients whose messages
  /// are not on disk at the deadline are told kCancelled.
  void Close(std::vector<Outgoing>* rest, Deadline deadline);

  SpoolStats Stats() const { return spool_->Stats(); }

  // SpoolListener
  void OnSpooled(std::span<const SpoolTicket> tickets) noexcept override;
  void OnSpoolFailed(std::span<const SpoolTicket> tickets, const Status& status) noexcept override;
  void OnSpoolReady() noexcept override;

 private:
  static constexpr size_t kMostFed = 512;  // in the queue at a time
  static constexpr size_t kMostFedBytes = size_t{8} << 20;

  void Run();
  /// How many messages may be fed now; 0: wait until *until.
  size_t Allowance(Clock::time_point now, Clock::time_point* until);
  void Feed(std::vector<SpoolMessage>* batch);
  std::vector<Outgoing> TakePending(std::span<const SpoolTicket> tickets);

  const bool always_, by_key_;
  const double rate_;  // messages a second; 0: unlimited
  const size_t most_fed_;
  SendQueue& queue_;
  CompletionQueue& completions_;
  Metrics& metrics_;
  const std::function<void()> wake_;
  std::unique_ptr<Spool> spool_;

  mutable std::mutex mutex_;  // guards the following
  std::condition_variable changed_cv_;
  std::map<SpoolTicket, Outgoing> pending_;  // on the way to the disk
  SpoolTicket next_ticket_ = 1;
  size_t fed_ = 0;  // in the queue
  bool link_up_ = false, ready_ = true, stop_ = false, closing_ = false;
  double credit_ = 0;  // of the replay rate
  Clock::time_point credited_at_{};
  std::thread thread_;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_SPOOL_FEED_H_
