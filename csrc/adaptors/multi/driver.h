// SPDX-License-Identifier: Apache-2.0
// One sink for several destinations: passes each message to the connections of other adaptors, and
// completes it when the mode says so. It sends nothing again to a destination that has answered;
// retries, reconnects and queues are the destinations' own.
//
// Memory: a message stays in the core's queue until it is completed, and each destination has a
// copy in its own queue, which holds at most a quarter as much. So a destination that takes nothing
// fills and evicts its own queue before the core stops passing messages on (half of its queue).
//
// Threads: as core/driver/driver.h says. The host outlives it.
#ifndef DSMSG_ADAPTORS_MULTI_DRIVER_H_
#define DSMSG_ADAPTORS_MULTI_DRIVER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adaptors/multi/destination.h"
#include "adaptors/multi/handlers.h"
#include "core/driver/driver.h"

namespace dsmsg::multi {

std::span<const OptionSpec> Options();

class MultiDriver final : public Driver {
 public:
  static const DriverInfo& Info();

  explicit MultiDriver(DriverHost& host) : host_(host) {}
  ~MultiDriver() override { Close(Millis(0), -1); }

  Status Configure(const Endpoints& endpoints, const Config& config) override;
  Status Open(Role role, Deadline deadline, int cancel_fd) override;
  Status Submit(const Message& message, Token token) override;
  Status Poll(Millis budget, int wake_fd) override;
  void Close(Millis drain, int cancel_fd) noexcept override;

 private:
  enum class Mode { kAll, kAny, kFailover, kRoundRobin };

  struct Target {
    std::shared_ptr<Destination> destination;
    bool up = false;
    bool usable = false;                   // as up, but only after failover-after, failback-after
    Deadline change_at = Deadline::max();  // of `usable`
    size_t messages = 0;                   // not answered
    uint64_t bytes = 0;                    // of these
  };
  /// A message until all that were given it have answered.
  struct Pending {
    Token token = 0;
    Message message;  // valid until it is completed
    uint64_t bytes = 0;
    Set open = 0;  // given to these, not answered
    Set left = 0;  // failover, round-robin: not tried yet
    bool acknowledged = false, completed = false;
    Status error;  // of the first that refused it
  };

  Status Make();
  bool one() const { return mode_ == Mode::kFailover || mode_ == Mode::kRoundRobin; }
  bool AtPace(size_t target) const;
  bool MustWait(Set to, uint64_t bytes) const;
  std::optional<size_t> Next(const Pending& pending) const;
  bool Give(size_t target, uint64_t number, Pending* pending);
  void Forward(uint64_t number, Pending* pending);
  void Decide(Pending* pending);
  void Fail(size_t target, host::SendResult result, Pending* pending);
  void TakeAnswers();
  void Rebalance();
  void LookAtLinks(Deadline now);
  void TellLink(Deadline now);
  Set Usable() const;
  Status Problems() const;
  Deadline NextWork() const;

  DriverHost& host_;
  Handlers handlers_;
  Mode mode_ = Mode::kAll;
  Millis failover_after_{0}, failback_after_{0};
  QueueBounds most_;
  Times times_;
  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
  std::vector<Target> targets_;  // one for each handler; none: closed
  std::map<uint64_t, Pending> pending_;
  std::vector<Answer> answers_;
  uint64_t last_number_ = 0;
  size_t turn_ = 0;  // round-robin: where to begin
  bool link_up_ = false, started_ = false;
  Deadline tell_at_ = Deadline::max();  // that no destination can be reached
};

}  // namespace dsmsg::multi

#endif  // DSMSG_ADAPTORS_MULTI_DRIVER_H_
