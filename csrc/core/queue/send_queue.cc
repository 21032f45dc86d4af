// SPDX-License-Identifier: Apache-2.0
#include "core/queue/send_queue.h"
#include "core/base/time.h"

#include <algorithm>
#include <unordered_set>

namespace dsmsg {
namespace {

constexpr char kNewestDropped[] =
    "the queue is full (raise queue-size or queue-bytes, or set spool-dir)";

}  // namespace

SendQueue::SendQueue(const QueueLimits& limits, Metrics& metrics)
    : limits_(limits), metrics_(metrics) {}

// ---------------------------------------------------------------- host side

Status SendQueue::Push(Outgoing&& outgoing, FinishedList* finished, Token* token,
                       Deadline patience) {
  if (token != nullptr) *token = 0;
  std::unique_lock lock(mutex_);
  if (!closed_ && Full(outgoing.bytes())) {
    metrics_.RecordFull(held_messages_, held_messages_ < limits_.messages);
    if (limits_.overflow == Overflow::kReject) {
      Metrics::Add(metrics_.refused_full);
      return NotTaken(outgoing,
                      {Code::kWouldBlock,
                       "the queue is full (overflow=reject; raise queue-size or queue-bytes, or "
                       "set spool-dir)"});
    }
    if (!MakeRoom(lock, outgoing, finished, patience) && !closed_) {
      Status status(Code::kWouldBlock, kNewestDropped);
      Number(&outgoing);
      metrics_.RecordDropped(outgoing.place, DropReason::kNewest, status, outgoing.carrier());
      finished->push_back(GiveUp(std::move(outgoing), std::move(status)));
      return {};
    }
  }
  if (closed_) return NotTaken(outgoing, {Code::kCancelled, "the connection is being closed"});
  const uint32_t index = Allocate(std::move(outgoing));
  if (token != nullptr) *token = NameOf(index);
  return {};
}

// One that was on its way to the disk has its number already.
Status SendQueue::NotTaken(const Outgoing& outgoing, Status status) {
  if (outgoing.sequence != 0 && metrics_.ledger != nullptr) {
    metrics_.ledger->Refused(outgoing.carrier(), status);
  }
  return status;
}

bool SendQueue::PushIfRoom(Outgoing* outgoing, Token* token) {
  std::lock_guard lock(mutex_);
  if (closed_ || Full(outgoing->bytes())) return false;
  const uint32_t index = Allocate(std::move(*outgoing));
  if (token != nullptr) *token = NameOf(index);
  return true;
}

bool SendQueue::PushAccepted(Outgoing&& outgoing) {
  std::lock_guard lock(mutex_);
  if (outgoing.spool_id != 0 ? closed_ : Overfull()) return false;
  Allocate(std::move(outgoing));
  return true;
}

void SendQueue::Reserve(Outgoing* outgoing) {
  std::lock_guard lock(mutex_);
  Number(outgoing);
}

void SendQueue::Number(Outgoing* outgoing) {
  if (outgoing->sequence == 0) {
    outgoing->sequence = next_sequence_++;
    if (outgoing->ledger_source != nullptr) {
      metrics_.ledger->Number(*outgoing->ledger_source, outgoing->ledger_mark);
    }
  }
  if (outgoing->message.id.empty()) outgoing->message.id = {origin_, outgoing->sequence};
}

void SendQueue::Withdraw(Token token, FinishedList* finished) {
  std::lock_guard lock(mutex_);
  Slot* slot = Lookup(token);
  if (slot == nullptr || slot->state == State::kAbandoned || slot->state == State::kMoving) return;
  Drop(static_cast<uint32_t>(token & kNone),
       {Code::kTimeout, "not acknowledged within send-timeout"}, DropReason::kExpired, finished);
}

bool SendQueue::MakeRoom(std::unique_lock<std::mutex>& lock, const Outgoing& incoming,
                         FinishedList* finished, Deadline patience) {
  const size_t bytes = incoming.bytes();
  if (bytes > limits_.bytes || limits_.overflow == Overflow::kDropNewest) return false;
  const Deadline deadline = std::min(Clock::now() + limits_.overflow_timeout, patience);
  while (!closed_ && Full(bytes)) {
    if (Clock::now() >= patience) return false;
    if (limits_.overflow == Overflow::kBlock && link_up_ && !stalled_ && Clock::now() < deadline) {
      WaitForRoom(lock, bytes, deadline);
    } else if (!EvictOne(incoming, finished)) {
      return false;
    }
  }
  return !closed_;
}

// Waits as long as the broker acknowledges. After a whole timeout without an acknowledgement,
// waiting is pointless until the next one: a live pipeline must not stall on every message.
void SendQueue::WaitForRoom(std::unique_lock<std::mutex>& lock, size_t more_bytes,
                            Deadline deadline) {
  // NotifyRoom waits for a lot of room: with a slow broker that may take long, and less is enough
  // here.
  constexpr Millis kLook{20};
  const uint64_t before = acknowledgements_;
  bool woken = false;
  ++blocked_;
  do {
    woken = room_cv_.wait_until(lock, std::min(deadline, Clock::now() + kLook), [&] {
      return closed_ || !link_up_ || stalled_ || !Full(more_bytes);
    });
  } while (!woken && Clock::now() < deadline);
  --blocked_;
  if (!woken && acknowledgements_ == before) {
    stalled_ = true;
    room_cv_.notify_all();
  }
}

// ---------------------------------------------------------------- I/O side

bool SendQueue::Take(size_t max, std::vector<Submission>* submissions) {
  std::lock_guard lock(mutex_);
  while (submissions->size() < max && waiting_.head != kNone) {
    const uint32_t index = FirstToGo();
    if (!FlightRoom(slots_[index].outgoing.bytes()) || MustWait(slots_[index])) return true;
    MoveToFlight(index);
    submissions->push_back(SubmissionOf(index));
    Message& message = slots_[index].outgoing.message;
    ++message.attempt;
    __builtin_prefetch(message.topic.data());
    if (waiting_.head != kNone) slots_.Prefetch(waiting_.head);
  }
  return false;
}

void SendQueue::Return(std::span<const Submission> submissions) {
  std::lock_guard lock(mutex_);
  for (auto it = submissions.rbegin(); it != submissions.rend(); ++it) {
    Slot* slot = Lookup(it->token);
    const auto index = static_cast<uint32_t>(it->token & kNone);
    if (slot == nullptr) continue;
    if (slot->state == State::kAbandoned) {
      Release(index, nullptr);
    } else if (slot->state == State::kInFlight) {
      --slot->outgoing.message.attempt;
      MoveToWaiting(index);
    }
  }
}

size_t SendQueue::Complete(std::span<const Outcome> outcomes, FinishedList* finished,
                           std::vector<Refused>* refused) {
  constexpr size_t kAhead = 4;
  const Clock::time_point now = Clock::now();
  size_t retried = 0;
  bool answered = false;
  std::vector<Buffer> buffers;  // given back together, without the lock
  buffers.reserve(outcomes.size());
  std::unique_lock lock(mutex_);
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const Outcome& outcome = outcomes[i];
    if (i + kAhead < outcomes.size()) {
      const auto soon = static_cast<uint32_t>(outcomes[i + kAhead].token & kNone);
      if (soon < slots_.size()) slots_.Prefetch(soon);
    }
    Slot* slot = Lookup(outcome.token);
    const auto index = static_cast<uint32_t>(outcome.token & kNone);
    if (slot == nullptr || (slot->state != State::kInFlight && slot->state != State::kAbandoned)) {
      Metrics::Add(metrics_.late_completions);
      continue;
    }
    if (slot->state == State::kAbandoned) {
      Metrics::Add(metrics_.late_completions);
      Release(index, nullptr);
      continue;
    }
    if (outcome.status.ok()) {
      answered = answered || slot->outgoing.place != Place::kLetter;
      Acknowledge(index, now, finished, &buffers);
      if (passed_over_) Convict(finished, refused);
    } else if (outcome.status.retryable()) {
      ++retried;
      Metrics::Add(metrics_.retried);
      metrics_.RecordFailureReason(outcome.status);  // a full server says so as long as it lasts
      MoveToWaiting(index);
    } else {
      Refuse(index, outcome.status, finished, refused);
    }
  }
  if (answered) metrics_.RecordAnswer();
  NotifyRoom();
  lock.unlock();
  BufferPool::TakeBack(buffers);
  return retried;
}

void SendQueue::Kept(size_t count) {
  std::lock_guard lock(mutex_);
  keeping_ -= count;
  if (count > 0 && keeping_ == 0) idle_cv_.notify_all();
}

std::shared_ptr<const void> SendQueue::HoldInFlight() {
  auto held = std::make_shared<std::vector<std::shared_ptr<const void>>>();
  std::lock_guard lock(mutex_);
  for (uint32_t index = 0; index < slots_.size(); ++index) {
    Slot& slot = slots_[index];
    if (slot.state != State::kInFlight && slot.state != State::kAbandoned) continue;
    held->push_back(slot.outgoing.buffer.Share());
  }
  return held;
}

void SendQueue::Recover() {
  std::lock_guard lock(mutex_);
  RecoverLocked();
}

void SendQueue::RecoverLocked() {
  while (flight_.tail != kNone) {  // newest first, so that each finds its place at the head
    Metrics::Add(metrics_.retried);
    MoveToWaiting(flight_.tail);
  }
  for (uint32_t index = 0; index < slots_.size(); ++index) {
    if (slots_[index].state == State::kAbandoned) Release(index, nullptr);
  }
  NotifyRoom();
}

Clock::time_point SendQueue::Expire(Clock::time_point now, FinishedList* finished) {
  auto due = Clock::time_point::max();
  if (limits_.message_timeout.count() == 0) return due;
  std::lock_guard lock(mutex_);
  constexpr Clock::duration none{0}, kLook = Millis(20);
  const Clock::duration isolated = Isolated(now);
  for (List* list : {&waiting_, &behind_, &flight_}) {
    for (uint32_t index = list->head; index != kNone;) {
      const uint32_t next = slots_[index].next;
      const Outgoing& outgoing = slots_[index].outgoing;
      // The bytes of a dead letter in flight are still needed.
      if (outgoing.spool_id != 0 || (outgoing.dead_letter && list == &flight_)) {
        index = next;
        continue;
      }
      const auto leniency = leniency_ - outgoing.leniency + (outgoing.blames > 0 ? none : isolated);
      const auto ends = outgoing.accepted_at + limits_.message_timeout + std::max(leniency, none);
      if (ends > now) {
        due = std::min(due, isolated > none ? std::max(ends, now + kLook) : ends);
        break;  // sequence order is the order of acceptance
      }
      Drop(index, {Code::kTimeout, "not acknowledged within message-timeout"}, DropReason::kExpired,
           finished);
      index = next;
    }
  }
  NotifyRoom();
  return due;
}

// ---------------------------------------------------------------- life

void SendQueue::SetLinkUp(bool up) {
  std::lock_guard lock(mutex_);
  link_up_ = up;
  if (up) stalled_ = false;
  room_cv_.notify_all();
}

void SendQueue::Close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  room_cv_.notify_all();
}

void SendQueue::CloseAll(const Status& status, DropReason reason, FinishedList* finished) {
  std::lock_guard lock(mutex_);
  AllToWaiting();
  while (waiting_.head != kNone) Drop(waiting_.head, status, reason, finished);
  for (uint32_t index = 0; index < slots_.size(); ++index) {
    if (slots_[index].state == State::kAbandoned) Release(index, nullptr);
  }
  room_cv_.notify_all();
}

void SendQueue::TakeAll(std::vector<Outgoing>* rest, FinishedList* finished) {
  std::lock_guard lock(mutex_);
  AllToWaiting();
  while (waiting_.head != kNone) {
    const uint32_t index = waiting_.head;
    if (slots_[index].outgoing.spool_id != 0) {
      Drop(index, {Code::kCancelled, "stays in the spool"}, DropReason::kShutdown, finished);
      continue;
    }
    rest->push_back(Release(index, &waiting_));
    Ended(0);
  }
  room_cv_.notify_all();
}

bool SendQueue::WaitIdle(Deadline deadline) {
  std::unique_lock lock(mutex_);
  return idle_cv_.wait_until(lock, deadline, [this] { return Idle(); });
}

// ---------------------------------------------------------------- behind the spool

bool SendQueue::AnyBehind(std::string_view key) const {
  if (behind_count_.load() == 0) return false;
  std::lock_guard lock(mutex_);
  return behind_keys_.contains(HashOf(key));
}

void SendQueue::ReleaseBehind(const std::function<bool(std::string_view key)>& blocked) {
  std::lock_guard lock(mutex_);
  // A key that becomes free during the walk stays blocked; otherwise its later messages would
  // overtake.
  std::unordered_set<size_t> blocked_keys;
  for (uint32_t index = behind_.head; index != kNone;) {
    const uint32_t next = slots_[index].next;
    const std::string_view key = slots_[index].outgoing.order_key();
    if (blocked && (blocked_keys.contains(HashOf(key)) || blocked(key))) {
      blocked_keys.insert(HashOf(key));
    } else {
      slots_[index].outgoing.behind_spool = blocked == nullptr;
      MoveToWaiting(index);
    }
    index = next;
  }
}

Outgoing* SendQueue::BeginMove() {
  std::lock_guard lock(mutex_);
  const uint32_t index = behind_.head;
  if (index == kNone) return nullptr;
  Slot& slot = slots_[index];
  move_ = {index, HashOf(slot.outgoing.order_key()), slot.outgoing.bytes()};
  AddBehind(move_->key);
  Remove(index, &behind_);
  slot.state = State::kMoving;
  return &slot.outgoing;
}

void SendQueue::EndMove(bool taken) {
  std::lock_guard lock(mutex_);
  const Move move = *std::exchange(move_, std::nullopt);
  if (taken) {
    slots_[move.index].outgoing = Outgoing();
    Free(move.index, move.bytes);
    Ended(0);
    NotifyRoom();
  } else {
    slots_[move.index].state = State::kBehind;
    Insert(move.index, &behind_);
  }
  RemoveBehind(move.key);
}

// ---------------------------------------------------------------- counts

size_t SendQueue::messages() const {
  std::lock_guard lock(mutex_);
  return open_;
}

size_t SendQueue::bytes() const {
  std::lock_guard lock(mutex_);
  return held_bytes_;
}

size_t SendQueue::in_flight() const {
  std::lock_guard lock(mutex_);
  return flight_messages_;
}

SendQueue::Waiting SendQueue::waiting() const {
  std::lock_guard lock(mutex_);
  if (waiting_.head == kNone) return {};
  return {waiting_.count, slots_[waiting_.head].outgoing.accepted_at};
}

}  // namespace dsmsg
