// SPDX-License-Identifier: Apache-2.0
// Messages that may be what the server ends its connections for.
#include <limits>
#include <string>

#include "core/queue/send_queue.h"

namespace dsmsg {
namespace {

constexpr int kBlamesToTell = 3;

std::string Described(const Message& message) {
  return "topic \"" + std::string(message.topic) + "\", " + std::to_string(message.payload.size()) +
         " bytes";
}

void CountUp(uint8_t* count) {
  if (*count < std::numeric_limits<uint8_t>::max()) ++*count;
}

}  // namespace

bool SendQueue::RecoverLost() {
  std::lock_guard lock(mutex_);
  if (flight_messages_ == 0 || passed_over_) {
    AcquitLocked();  // the connection ended without it
    RecoverLocked();
    return false;
  }
  const bool alone = flight_messages_ == 1 && flight_.count == 1;
  accused_ = alone ? NameOf(flight_.head) : 0;
  for (uint32_t index = flight_.head; index != kNone; index = slots_[index].next) {
    CountUp(&slots_[index].outgoing.losses);
  }
  if (isolating_since_ == Clock::time_point::max()) isolating_since_ = Clock::now();
  RecoverLocked();
  return alone;
}

bool SendQueue::Accuse(const Status& reason, FinishedList* finished,
                       std::vector<Refused>* refused) {
  std::lock_guard lock(mutex_);
  Slot* slot = Accused();
  if (slot == nullptr) return false;
  CountUp(&slot->outgoing.blames);
  accusation_ = reason.message();
  const bool enough =
      limits_.poison_attempts > 0 && slot->outgoing.blames >= limits_.poison_attempts;
  if (!enough) return slot->outgoing.blames > 1;
  passed_over_ = reason.code() == Code::kTimeout;
  if (!passed_over_) Convict(finished, refused);
  return false;
}

std::string SendQueue::Unconvicted() {
  std::lock_guard lock(mutex_);
  const Slot* slot = Accused();
  if (limits_.poison_attempts > 0 || slot == nullptr || slot->outgoing.blames < kBlamesToTell) {
    return "";
  }
  return "the server has ended " + std::to_string(slot->outgoing.blames) +
         " connections while only one message was on its way, and the others wait behind it (" +
         Described(slot->outgoing.message) +
         "): if the server does not take it, poison-attempts=3 makes it fail";
}

void SendQueue::Acquit() {
  std::lock_guard lock(mutex_);
  AcquitLocked();
}

void SendQueue::AcquitLocked() {
  if (Slot* slot = Accused()) slot->outgoing.blames = 0;
  accused_ = 0;
  passed_over_ = false;
  if (isolating_since_ != Clock::time_point::max()) EndIsolation(Clock::now());
}

void SendQueue::Convict(FinishedList* finished, std::vector<Refused>* refused) {
  if (Slot* slot = Accused()) {
    const std::string text =
        "the server ended the connection over this message (attempts: " +
        std::to_string(slot->outgoing.blames) + ", sent alone; " +
        Described(slot->outgoing.message) +
        "): is it too large for the server, or is its topic one that the server does not "
        "accept or this user may not write to? Last error: " +
        accusation_;
    Refuse(static_cast<uint32_t>(accused_ & kNone), {Code::kRejected, text}, finished, refused);
  }
  accused_ = 0;
  passed_over_ = false;
  NotifyRoom();
}

// Null if it has ended meanwhile or is in flight again.
SendQueue::Slot* SendQueue::Accused() {
  Slot* slot = Lookup(accused_);
  return slot != nullptr && slot->state == State::kWaiting ? slot : nullptr;
}

// The oldest, except that an accused message is passed over while there is another.
uint32_t SendQueue::FirstToGo() {
  const uint32_t head = waiting_.head;
  if (!passed_over_ || NameOf(head) != accused_) return head;
  const uint32_t next = slots_[head].next;
  passed_over_ = next != kNone;
  return passed_over_ ? next : head;
}

// A suspect is sent when nothing else is in flight, and nothing else is sent with it.
bool SendQueue::MustWait(const Slot& slot) const {
  if (flight_messages_ == 0) return false;
  return passed_over_ || slot.outgoing.suspect() ||
         (flight_.head != kNone && slots_[flight_.head].outgoing.suspect());
}

Clock::duration SendQueue::Isolated(Clock::time_point now) const {
  return isolating_since_ < now ? now - isolating_since_ : Clock::duration(0);
}

void SendQueue::EndIsolation(Clock::time_point now) {
  leniency_ += Isolated(now);
  isolating_since_ = Clock::time_point::max();
}

}  // namespace dsmsg
