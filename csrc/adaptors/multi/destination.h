// SPDX-License-Identifier: Apache-2.0
// One destination: an adaptor loaded and driven as any host does, through csrc/host. It has its own
// queue, spool, dead letters, reconnects and metrics.
//
// Threads: OnState and OnSent come on any, all else belongs to the I/O thread. Connecting and
// disconnecting may take long, so they run on a thread of its own (dsmsg-multi), which holds the
// destination until it ends: what does not return in time is left behind and touches only the
// mailbox.
#ifndef DSMSG_ADAPTORS_MULTI_DESTINATION_H_
#define DSMSG_ADAPTORS_MULTI_DESTINATION_H_

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "adaptors/multi/handlers.h"
#include "core/base/fd.h"
#include "core/base/status.h"
#include "core/base/time.h"
#include "core/driver/message.h"
#include "host/connection.h"

namespace dsmsg::multi {

/// What became of a message at one destination.
struct Answer {
  size_t handler = 0;
  uint64_t message = 0;
  host::SendResult result = host::SendResult::kOk;
};

/// From the destinations' threads to the I/O thread. Any thread.
class Mailbox {
 public:
  void Post(const Answer& answer);
  /// The state of a destination may have changed.
  void Signal() noexcept { wake_.Signal(); }
  int fd() const { return wake_.fd(); }
  void Take(std::vector<Answer>* answers);

 private:
  WakeFd wake_;
  std::mutex mutex_;
  std::vector<Answer> answers_;
};

/// The bounds of a destination's own queue.
struct QueueBounds {
  size_t messages = 0;
  uint64_t bytes = 0;
};

struct Times {
  Millis flush{0};    // its part of the flush at the end
  Millis attempt{0};  // connect-timeout where its config has none
};

class Destination final : public host::User, public std::enable_shared_from_this<Destination> {
 public:
  /// Loads the adaptor and checks each of its options; no connection. `most`: the largest queue
  /// that it may have.
  static Result<std::shared_ptr<Destination>> Make(const Handlers& handlers, size_t index,
                                                   const QueueBounds& most, const Times& times,
                                                   std::shared_ptr<Mailbox> mailbox);

  void Start();
  /// Nothing is sent any more; what is left is answered.
  void Stop();
  bool WaitEnded(Deadline deadline);

  /// kOk: an answer with `number` follows.
  host::SendResult Send(const Message& message, uint64_t number);

  bool Up() const;
  /// Why it is not up, with its name. kInvalidArgument: its settings
  /// are wrong, and trying again is pointless.
  Status Problem() const;
  /// Why it did not take a message, with its name.
  Status Refusal(host::SendResult result) const;

  const std::string& name() const { return name_; }
  const QueueBounds& bounds() const { return bounds_; }
  /// overflow=block: the others wait for it.
  bool holds_up() const { return holds_up_; }

  void OnState(host::ConnectionState) override { mailbox_->Signal(); }
  void OnSent(const host::Ticket& ticket, host::SendResult result) override;

 private:
  Destination() = default;
  Status Load(const Handlers& handlers, const Handler& handler);
  Status ReadBounds(const Handlers& handlers, const Handler& handler, const QueueBounds& most);
  Status WriteConfig(const Handler& handler, const Times& times);
  void Run();
  void Connect(Status* failed);

  std::string name_, connection_;  // the latter may hold a password
  size_t index_ = 0;
  std::shared_ptr<const host::AdaptorLibrary> library_;
  UniqueFd config_;  // in memory; the adaptor may read it again
  QueueBounds bounds_;
  bool holds_up_ = false, own_topic_ = false;
  std::shared_ptr<Mailbox> mailbox_;
  std::vector<std::string> header_texts_;
  std::vector<DsmsgHeader> headers_;

  mutable std::mutex mutex_;  // guards the rest
  std::condition_variable changed_;
  host::Connection::Slots::SlotPtr slot_;  // once connected; stays until the end
  Status failed_;                          // the last attempt
  bool stopping_ = false, ended_ = false;
};

}  // namespace dsmsg::multi

#endif  // DSMSG_ADAPTORS_MULTI_DESTINATION_H_
