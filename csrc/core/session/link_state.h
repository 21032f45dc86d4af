// SPDX-License-Identifier: Apache-2.0
// What is known about a link: whether it is up, the last error, the attempts made. Link's I/O
// thread writes it, hosts' threads wait for it.
//
// Threads: every function from any thread. The lock is held while the state of the link is passed
// to the queue, so that both always agree; nothing else is called with it.
#ifndef DSMSG_CORE_SESSION_LINK_STATE_H_
#define DSMSG_CORE_SESSION_LINK_STATE_H_

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>

#include "core/base/time.h"
#include "core/options/settings.h"
#include "core/queue/send_queue.h"

namespace dsmsg {

class LinkState {
 public:
  /// `queue` may be null; both outlive this object.
  LinkState(const Settings& settings, SendQueue* queue)
      : queue_(queue), connect_(settings.connect) {
    Adopt(settings);
  }

  bool up() const { return up_.load(std::memory_order_acquire); }
  bool given_up() const { return given_up_.load(); }
  Status last_error() const;
  /// "host:port[,...]" for messages; changes with a reload.
  std::string peer() const;

  enum class Up { kAlready, kFirst, kAgain };
  Up SetUp();
  struct Down {
    bool known = false;     // connect=strict has not succeeded yet: connect() itself reports it
    bool first = false;     // the first report of this outage
    bool gives_up = false;  // now, and for good
  };
  /// nullopt: had given up before.
  std::optional<Down> SetDown(const Status& reason, bool failed_attempt);
  /// A reload: these settings count from now on, and are what messages name.
  void Adopt(const Settings& settings);
  /// The new settings will be tried: attempts are counted from 0 again, even if the link had given
  /// up.
  void Revive();

  /// Waits until the first attempt ended (ok or its error), or the deadline.
  Status WaitFirstAttempt(Deadline deadline);
  /// Waits until the link is up, a permanent refusal came, or the deadline passed (then: the last
  /// error).
  Status WaitUp(Deadline deadline);

  void BeginFlush();
  /// The link has been down for a second of the flush and an attempt failed: waiting longer is
  /// pointless.
  bool FlushIsHopeless() const;

 private:
  SendQueue* const queue_;
  const ConnectMode connect_;
  std::atomic<bool> up_{false}, given_up_{false};

  mutable std::mutex mutex_;  // guards the following
  std::condition_variable changed_cv_;
  bool attempted_ = false, established_ = false, told_down_ = false;
  Status last_error_;
  std::string peer_;
  bool reconnect_ = true;
  int64_t reconnect_attempts_ = 0;
  int64_t failures_ = 0;  // failed attempts in this outage
  uint64_t attempts_ended_ = 0, flush_attempts_ = 0;
  Clock::time_point flush_began_{};
  bool flushing_ = false;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_SESSION_LINK_STATE_H_
