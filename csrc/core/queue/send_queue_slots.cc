// SPDX-License-Identifier: Apache-2.0
// Where the queue keeps its messages: slots with names (tokens), in three lists that are ordered by
// acceptance, what they hold in sum, and their end. The policy is in send_queue.cc.
#include "core/queue/send_queue.h"

#include <algorithm>

namespace dsmsg {

bool SendQueue::Full(size_t more_bytes) const {
  return held_messages_ >= limits_.messages || held_bytes_ + more_bytes > limits_.bytes;
}

// The limits plus about as much as may be on its way to disk at a time.
bool SendQueue::Overfull() const {
  constexpr size_t kMoreMessages = 100000, kMoreBytes = size_t{32} << 20;
  return held_messages_ >= limits_.messages + kMoreMessages ||
         held_bytes_ >= limits_.bytes + kMoreBytes;
}

bool SendQueue::ByKey(const Slot& slot, const List& list) const {
  return limits_.overflow == Overflow::kLatestPerKey && &list != &flight_ &&
         slot.outgoing.spool_id == 0;
}

// At most half of the queue, so that there is always something to evict; always at least one
// message.
bool SendQueue::FlightRoom(size_t more_bytes) const {
  if (flight_messages_ == 0) return true;
  return flight_messages_ < limits_.messages / 2 && flight_bytes_ + more_bytes <= limits_.bytes / 2;
}

uint32_t SendQueue::Allocate(Outgoing&& outgoing) {
  uint32_t index;
  if (free_.empty()) {
    index = slots_.Add();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  Slot& slot = slots_[index];
  const size_t bytes = outgoing.bytes();
  slot.outgoing = std::move(outgoing);
  slot.outgoing.message.headers = slot.outgoing.headers;
  slot.outgoing.leniency = leniency_ + Isolated(slot.outgoing.accepted_at);
  Number(&slot.outgoing);
  if (slot.outgoing.place == Place::kHost) {
    metrics_.books.Moved(Place::kHost, Place::kQueue);
    slot.outgoing.place = Place::kQueue;
  }
  slot.state = slot.outgoing.behind_spool ? State::kBehind : State::kWaiting;
  Insert(index, ListOf(slot.state));
  ++(slot.outgoing.spool_id == 0 ? open_ : spooled_);
  ++held_messages_;
  held_bytes_ += bytes;
  if (!free_.empty()) slots_.Prefetch(free_.back());  // for the next message
  return index;
}

// Frees a slot whose outcome was reported (or that was abandoned) and moves its message out; `list`
// is the list it is linked in, or null.
Outgoing SendQueue::Release(uint32_t index, List* list) {
  if (list != nullptr) Remove(index, list);
  Slot& slot = slots_[index];
  const size_t bytes = slot.outgoing.bytes();
  if (slot.state == State::kInFlight || slot.state == State::kAbandoned) {
    --flight_messages_;
    flight_bytes_ -= bytes;
  }
  Outgoing outgoing = std::move(slot.outgoing);
  Free(index, bytes);
  return outgoing;
}

void SendQueue::Free(uint32_t index, size_t bytes) {
  --held_messages_;
  held_bytes_ -= bytes;
  Slot& slot = slots_[index];
  slot.state = State::kFree;
  if (++slot.generation == 0) slot.generation = 1;  // a token is never 0
  free_.push_back(index);
}

// Keeps the list ordered by sequence.
void SendQueue::Insert(uint32_t index, List* list) {
  Slot& slot = slots_[index];
  if (ByKey(slot, *list)) {
    by_key_.emplace(std::pair(std::string(slot.outgoing.message.key), slot.outgoing.sequence),
                    index);
  }
  if (list == &behind_) AddBehind(HashOf(slot.outgoing.order_key()));
  const uint32_t after = PlaceOf(slot.outgoing.sequence, *list);
  if (after != list->tail) list->given_back = index;
  slot.previous = after;
  slot.next = after == kNone ? list->head : slots_[after].next;
  (slot.previous == kNone ? list->head : slots_[slot.previous].next) = index;
  (slot.next == kNone ? list->tail : slots_[slot.next].previous) = index;
  ++list->count;
}

// The one to insert after: the last with a smaller sequence, kNone for the front. The place is
// nearly always at one of the ends. Returned messages come by the thousand and next to each other,
// so the search starts where the last one was put.
uint32_t SendQueue::PlaceOf(uint64_t sequence, const List& list) const {
  if (list.tail == kNone || slots_[list.tail].outgoing.sequence < sequence) return list.tail;
  if (slots_[list.head].outgoing.sequence > sequence) return kNone;
  uint32_t after = list.given_back == kNone ? list.head : list.given_back;
  while (slots_[after].outgoing.sequence > sequence) after = slots_[after].previous;
  while (slots_[slots_[after].next].outgoing.sequence < sequence) after = slots_[after].next;
  return after;
}

void SendQueue::Remove(uint32_t index, List* list) {
  Slot& slot = slots_[index];
  if (list->given_back == index) list->given_back = slot.previous;
  if (list == &behind_) RemoveBehind(HashOf(slot.outgoing.order_key()));
  if (ByKey(slot, *list)) {
    by_key_.erase({std::string(slot.outgoing.message.key), slot.outgoing.sequence});
  }
  (slot.previous == kNone ? list->head : slots_[slot.previous].next) = slot.next;
  (slot.next == kNone ? list->tail : slots_[slot.next].previous) = slot.previous;
  slot.previous = slot.next = kNone;
  --list->count;
}

SendQueue::List* SendQueue::ListOf(State state) {
  return state == State::kBehind     ? &behind_
         : state == State::kInFlight ? &flight_
         : state == State::kWaiting  ? &waiting_
                                     : nullptr;
}

void SendQueue::MoveToFlight(uint32_t index) {
  Remove(index, &waiting_);
  slots_[index].state = State::kInFlight;
  Insert(index, &flight_);
  ++flight_messages_;
  flight_bytes_ += slots_[index].outgoing.bytes();
}

// From flight or from behind the spool.
void SendQueue::MoveToWaiting(uint32_t index) {
  Slot& slot = slots_[index];
  Remove(index, ListOf(slot.state));
  if (slot.state == State::kInFlight) {
    --flight_messages_;
    flight_bytes_ -= slot.outgoing.bytes();
  }
  slot.state = State::kWaiting;
  Insert(index, &waiting_);
}

// For messages in flight, only after the driver has been closed.
void SendQueue::AllToWaiting() {
  while (flight_.tail != kNone) MoveToWaiting(flight_.tail);
  while (behind_.tail != kNone) MoveToWaiting(behind_.tail);
}

void SendQueue::AddBehind(size_t key) {
  ++behind_keys_[key];
  ++behind_count_;
}

void SendQueue::RemoveBehind(size_t key) {
  const auto found = behind_keys_.find(key);
  if (--found->second == 0) behind_keys_.erase(found);
  --behind_count_;
}

bool SendQueue::Idle() const {
  if (keeping_ > 0 || move_.has_value()) return false;
  return closed_ ? open_ <= behind_.count && spooled_ == 0 : open_ == 0;
}

// One message fewer whose outcome is still to be reported.
void SendQueue::Ended(uint64_t spool_id) {
  --(spool_id == 0 ? open_ : spooled_);
  if (Idle()) idle_cv_.notify_all();
}

void SendQueue::Acknowledge(uint32_t index, Clock::time_point now, FinishedList* finished,
                            std::vector<Buffer>* buffers) {
  Outgoing& outgoing = slots_[index].outgoing;
  ++acknowledgements_;
  stalled_ = false;
  metrics_.RecordSuccess(outgoing.place, std::chrono::duration_cast<std::chrono::microseconds>(
                                             now - outgoing.accepted_at));
  if (isolating_since_ != Clock::time_point::max()) EndIsolation(now);
  Remove(index, &flight_);
  const size_t bytes = outgoing.bytes();
  --flight_messages_;
  flight_bytes_ -= bytes;
  const uint64_t spool_id = outgoing.spool_id;
  finished->push_back({std::move(outgoing.recipient), Status(), spool_id});
  buffers->push_back(std::move(outgoing.buffer));
  Free(index, bytes);
  Ended(spool_id);
}

// The broker will never take it.
void SendQueue::Refuse(uint32_t index, const Status& status, FinishedList* finished,
                       std::vector<Refused>* refused) {
  const Slot& slot = slots_[index];
  metrics_.RecordFailed(slot.outgoing.place, status, slot.outgoing.carrier());
  if (isolating_since_ != Clock::time_point::max()) EndIsolation(Clock::now());
  Outgoing ended = Release(index, ListOf(slot.state));
  finished->push_back({std::move(ended.recipient), status, ended.spool_id});
  Ended(ended.spool_id);
  if (refused != nullptr) {
    refused->push_back({std::move(ended), status});
    ++keeping_;
  }
}

// Ends a message that the core gives up on. If it is in flight, its memory stays until the driver
// releases it.
void SendQueue::Drop(uint32_t index, Status status, DropReason reason, FinishedList* finished) {
  Slot& slot = slots_[index];
  const uint64_t spool_id = slot.outgoing.spool_id;
  if (spool_id == 0) {  // else it stays
    metrics_.RecordDropped(slot.outgoing.place, reason, status, slot.outgoing.carrier());
  }
  if (slot.state == State::kInFlight) {
    Remove(index, &flight_);
    slot.state = State::kAbandoned;
    finished->push_back({std::move(slot.outgoing.recipient), std::move(status), spool_id, true});
  } else {
    finished->push_back(GiveUp(Release(index, ListOf(slot.state)), std::move(status)));
  }
  Ended(spool_id);
}

// A waiting sender is woken when there is room for several messages: waking it for each would cost
// a context switch per message.
void SendQueue::NotifyRoom() {
  if (blocked_ == 0) return;
  const size_t messages_mark = limits_.messages - std::max<size_t>(1, limits_.messages / 16);
  const size_t bytes_mark = limits_.bytes - limits_.bytes / 16;
  if (held_messages_ <= messages_mark && (held_bytes_ <= bytes_mark || waiting_.count == 0)) {
    room_cv_.notify_all();
  }
}

SendQueue::Slot* SendQueue::Lookup(Token token) {
  const auto index = static_cast<uint32_t>(token & kNone);
  const auto generation = static_cast<uint32_t>(token >> 32);
  if (index >= slots_.size() || slots_[index].generation != generation) return nullptr;
  return &slots_[index];
}

Token SendQueue::NameOf(uint32_t index) const {
  return (static_cast<Token>(slots_[index].generation) << 32) | index;
}

SendQueue::Submission SendQueue::SubmissionOf(uint32_t index) const {
  return {NameOf(index), slots_[index].outgoing.message};
}

}  // namespace dsmsg
