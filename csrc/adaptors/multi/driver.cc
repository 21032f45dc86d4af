// SPDX-License-Identifier: Apache-2.0
#include "adaptors/multi/driver.h"

#include <poll.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace dsmsg::multi {
namespace {

using host::SendResult;

// A destination that disconnects without flushing needs less.
constexpr Millis kCloseBound{400};
// mode=any: what the slower destinations get at the end; the core has waited for the first only.
constexpr Millis kSlowerFlush{200};
// How long connect waits for the rest, once one destination is reached.
constexpr Millis kRest{2000};
// While nothing is reachable, so often the core is told; each counts as an attempt.
constexpr Millis kTellEvery{1000};

}  // namespace

const DriverInfo& MultiDriver::Info() {
  static constexpr std::string_view kSchemes[] = {"multi"};
  static const DriverInfo info = {
      .protocol = "MULTI",
      .env_suffix = "MULTI",
      .delivery =
          "OK: what the destinations' adaptors call OK, from all of them, from any, or from the "
          "one that got the message (mode)",
      .library = "the adaptors of its destinations",
      .options = Options(),
      .conn_rules = {.protocol = "multi", .schemes = kSchemes, .path = true},
      .separate_roles = false,  // it only sends
      .retry = RetryOwner::kLibrary};
  return info;
}

Status MultiDriver::Configure(const Endpoints& endpoints, const Config& config) {
  const std::string mode = config.GetString("mode");
  mode_ = mode == "any"           ? Mode::kAny
          : mode == "failover"    ? Mode::kFailover
          : mode == "round-robin" ? Mode::kRoundRobin
                                  : Mode::kAll;
  failover_after_ = config.GetMillis("failover-after");
  failback_after_ = config.GetMillis("failback-after");
  // Sooner than ours, so that ours has the reason.
  times_ = {mode_ == Mode::kAny ? kSlowerFlush : Millis(0),
            std::max(config.GetMillis("connect-timeout") * 3 / 4, Millis(1))};
  most_ = {static_cast<size_t>(config.GetInt("queue-size")) / 4,
           config.GetBytes("queue-bytes") / 4};
  Result<Handlers> handlers = Handlers::Load(endpoints.address);
  if (!handlers.ok()) return handlers.status();
  handlers_ = std::move(handlers.value());
  return Make();
}

Status MultiDriver::Make() {
  for (size_t i = 0; i < handlers_.all().size(); ++i) {
    auto made = Destination::Make(handlers_, i, most_, times_, mailbox_);
    if (!made.ok()) {
      targets_.clear();
      return made.status();
    }
    targets_.emplace_back().destination = std::move(made.value());
  }
  return {};
}

// ---------------------------------------------------------------- open and close

Status MultiDriver::Open(Role /*role*/, Deadline deadline, int cancel_fd) {
  if (targets_.empty()) {
    if (Status status = Make(); !status.ok()) return status;
  }
  started_ = true;
  for (const Target& target : targets_) target.destination->Start();
  const Deadline patience = std::min(deadline, Clock::now() + kRest);
  while (true) {
    TakeAnswers();
    size_t up = 0;
    for (Target& target : targets_) {
      target.up = target.usable = target.destination->Up();
      up += target.up ? 1 : 0;
      const Status problem = target.up ? Status() : target.destination->Problem();
      if (problem.code() == Code::kInvalidArgument) return problem;
    }
    const Deadline now = Clock::now();
    if (up == targets_.size() || (up > 0 && now >= patience)) break;
    if (now >= deadline) return Problems();
    pollfd fds[] = {{cancel_fd, POLLIN, 0}, {mailbox_->fd(), POLLIN, 0}};
    ::poll(fds, 2, PollTimeout(up > 0 ? patience : deadline));
    if ((fds[0].revents & POLLIN) != 0) return {Code::kCancelled, "interrupted"};
  }
  link_up_ = true;
  tell_at_ = Deadline::max();
  for (const Target& target : targets_) {
    if (!target.up) host_.log().Warn(target.destination->Problem().message() + "; trying again");
  }
  return {};
}

void MultiDriver::Close(Millis /*drain*/, int /*cancel_fd*/) noexcept {
  if (std::exchange(started_, false)) {
    const Deadline deadline = Clock::now() + kCloseBound;
    for (const Target& target : targets_) target.destination->Stop();
    for (const Target& target : targets_) target.destination->WaitEnded(deadline);
    // Only what was acknowledged counts: the rest was ended by us, and the core still has it.
    mailbox_->Take(&answers_);
    for (const Answer& answer : answers_) {
      const auto found = pending_.find(answer.message);
      if (found == pending_.end() || found->second.completed) continue;
      Pending& pending = found->second;
      if (answer.result != SendResult::kOk) pending.error = {Code::kCancelled, ""};
      pending.open &= ~Bit(answer.handler);
      const bool all = mode_ != Mode::kAll || (pending.open == 0 && pending.error.ok());
      if (answer.result != SendResult::kOk || !all) continue;
      pending.completed = true;
      host_.Complete(pending.token, {});
    }
  }
  targets_.clear();
  pending_.clear();
}

// ---------------------------------------------------------------- choose

Set MultiDriver::Usable() const {
  Set usable = 0;
  for (size_t i = 0; i < targets_.size(); ++i) usable |= targets_[i].usable ? Bit(i) : 0;
  return usable;
}

bool MultiDriver::AtPace(size_t target) const {
  const QueueBounds& bounds = targets_[target].destination->bounds();
  return targets_[target].messages >= std::max<size_t>(bounds.messages / 2, 1) ||
         targets_[target].bytes > bounds.bytes / 2;
}

// Waiting holds up what comes behind, for whatever destination. So it is right only where it
// delays no other one, or where the handler asks for it.
bool MultiDriver::MustWait(Set to, uint64_t bytes) const {
  const auto at_pace = [this](Set set) {
    for (; set != 0; set &= set - 1) {
      if (!AtPace(static_cast<size_t>(std::countr_zero(set)))) return false;
    }
    return true;
  };
  Set up = 0;
  for (size_t i = 0; i < targets_.size(); ++i) {
    const Target& target = targets_[i];
    if (!target.up) continue;
    up |= Bit(i);
    const QueueBounds& bounds = target.destination->bounds();
    const bool full = target.messages >= bounds.messages ||
                      (target.messages > 0 && target.bytes + bytes > bounds.bytes);
    if ((to & Bit(i)) != 0 && target.destination->holds_up() && full) return true;
  }
  if (up != 0 && at_pace(up)) return true;
  const Set usable = to & Usable();
  if (!one() || usable == 0 || std::popcount(to) < static_cast<int>(targets_.size())) return false;
  return at_pace(mode_ == Mode::kFailover ? usable & (~usable + 1) : usable);
}

/// failover, round-robin: where it goes next. None: it stays where it is, or nothing is left.
std::optional<size_t> MultiDriver::Next(const Pending& pending) const {
  const size_t count = targets_.size(), begin = mode_ == Mode::kRoundRobin ? turn_ : 0;
  std::optional<size_t> slow, away;
  for (size_t step = 0; step < count; ++step) {
    const size_t i = (begin + step) % count;
    if ((pending.left & Bit(i)) == 0) continue;
    if (targets_[i].usable && (mode_ == Mode::kFailover || !AtPace(i))) return i;
    auto& found = targets_[i].usable ? slow : away;
    if (!found) found = i;
  }
  if (slow) return slow;
  return pending.open == 0 ? away : std::nullopt;
}

// ---------------------------------------------------------------- send

Status MultiDriver::Submit(const Message& message, Token token) {
  const Set of_topic = handlers_.OfTopic(message);
  if (of_topic == 0) {
    return {Code::kUnknownTopic, "no handler takes the topic \"" + std::string(message.topic) +
                                     "\" (a handler takes the topics that its sink or its topics "
                                     "name; the default is \"events\")"};
  }
  const Set to = handlers_.Fulfilled(of_topic, message.payload);
  if (to == 0) {
    host_.CountUnheard();
    host_.Complete(token, {});
    return {};
  }
  // What a queue counts beside the payload is small; headers are not.
  uint64_t bytes = message.payload.size() + message.topic.size() + 1 + message.key.size();
  for (const auto& [name, value] : message.headers) bytes += name.size() + value.size();
  if (MustWait(to, bytes)) return {Code::kWouldBlock, ""};
  const uint64_t number = ++last_number_;
  Pending& pending = pending_[number];
  pending.token = token;
  pending.message = message;
  pending.bytes = bytes;
  if (one()) {
    pending.left = to;
    Forward(number, &pending);
    turn_ = (turn_ + 1) % targets_.size();
  } else {
    for (Set set = to; set != 0; set &= set - 1)
      Give(static_cast<size_t>(std::countr_zero(set)), number, &pending);
    Decide(&pending);
  }
  if (pending.open == 0) pending_.erase(number);
  return {};
}

bool MultiDriver::Give(size_t index, uint64_t number, Pending* pending) {
  Target& target = targets_[index];
  pending->left &= ~Bit(index);
  const SendResult result = target.destination->Send(pending->message, number);
  if (result != SendResult::kOk) {
    Fail(index, result, pending);
    return false;
  }
  pending->open |= Bit(index);
  ++target.messages;
  target.bytes += pending->bytes;
  return true;
}

void MultiDriver::Forward(uint64_t number, Pending* pending) {
  while (const auto next = Next(*pending)) {
    if (Give(*next, number, pending)) return;
  }
  Decide(pending);
}

void MultiDriver::Fail(size_t index, SendResult result, Pending* pending) {
  if (pending->error.ok()) pending->error = targets_[index].destination->Refusal(result);
}

void MultiDriver::Decide(Pending* pending) {
  if (pending->completed) return;
  const bool good =
      mode_ == Mode::kAll ? pending->open == 0 && pending->error.ok() : pending->acknowledged;
  if (!good && pending->open != 0) return;
  pending->completed = true;
  host_.Complete(pending->token, good ? Status() : pending->error);
}

void MultiDriver::TakeAnswers() {
  mailbox_->Take(&answers_);
  for (const Answer& answer : answers_) {
    const auto found = pending_.find(answer.message);
    if (found == pending_.end()) continue;
    Pending& pending = found->second;
    Target& target = targets_[answer.handler];
    --target.messages;
    target.bytes -= pending.bytes;
    pending.open &= ~Bit(answer.handler);
    if (answer.result == SendResult::kOk) {
      pending.acknowledged = true;
    } else if (!pending.completed) {
      Fail(answer.handler, answer.result, &pending);
    }
    if (one() && !pending.acknowledged && !pending.completed) {
      Forward(answer.message, &pending);
    } else {
      Decide(&pending);
    }
    if (pending.open == 0) pending_.erase(found);
  }
}

/// failover, round-robin: what only unusable destinations have, a usable one gets too.
void MultiDriver::Rebalance() {
  const Set usable = Usable();
  for (auto it = pending_.begin(); it != pending_.end();) {
    auto& [number, pending] = *it++;
    if (pending.completed || (pending.open & usable) != 0 || (pending.left & usable) == 0) continue;
    Forward(number, &pending);
    if (pending.open == 0) pending_.erase(number);
  }
}

// ---------------------------------------------------------------- work

Status MultiDriver::Poll(Millis budget, int wake_fd) {
  pollfd fds[] = {{wake_fd, POLLIN, 0}, {mailbox_->fd(), POLLIN, 0}};
  ::poll(fds, 2, PollTimeout(std::min(Clock::now() + budget, NextWork())));
  TakeAnswers();
  LookAtLinks(Clock::now());
  return {};
}

Deadline MultiDriver::NextWork() const {
  Deadline next = tell_at_;
  for (const Target& target : targets_) next = std::min(next, target.change_at);
  return next;
}

void MultiDriver::LookAtLinks(Deadline now) {
  bool changed = false;
  for (Target& target : targets_) {
    const bool up = target.destination->Up();
    if (up != target.up) target.change_at = now + (up ? failback_after_ : failover_after_);
    target.up = up;
    if (up == target.usable) target.change_at = Deadline::max();
    if (now < target.change_at) continue;
    target.usable = up;
    target.change_at = Deadline::max();
    changed = true;
  }
  if (changed && one()) Rebalance();
  TellLink(now);
}

void MultiDriver::TellLink(Deadline now) {
  const bool up =
      std::any_of(targets_.begin(), targets_.end(), [](const Target& target) { return target.up; });
  if (up) {
    tell_at_ = Deadline::max();
    if (!std::exchange(link_up_, true)) host_.LinkUp();
  } else if (std::exchange(link_up_, false) || now >= tell_at_) {
    tell_at_ = now + kTellEvery;
    host_.LinkDown(Problems());
  }
}

Status MultiDriver::Problems() const {
  std::string text = "no destination can be reached";
  for (size_t i = 0; i < targets_.size(); ++i)
    text += (i == 0 ? ": " : "; ") + targets_[i].destination->Problem().message();
  return {Code::kUnavailable, text};
}

}  // namespace dsmsg::multi
