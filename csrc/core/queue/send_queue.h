// SPDX-License-Identifier: Apache-2.0
// The bounded queue between host threads and the I/O thread. It holds every accepted message until
// the driver completed it, decides what happens when it is full, and takes messages back that have
// to be sent again.
//
// With a spool, a message may have to wait for older ones of its key that are on the disk: it is
// "behind" then, counts against the bounds and is ended like the others, but not handed to the
// driver before ReleaseBehind.
//
// Threads: every function from any thread; one mutex guards everything. It is not held across
// callbacks, except for ReleaseBehind's predicate. Take and Return belong to the I/O thread, so
// that order is kept; BeginMove and EndMove belong to the thread that feeds from the spool (or,
// once that has ended, to its owner).
//
// Ownership: a message's memory stays valid from Take until Complete, or until Recover, CloseAll or
// TakeAll, which may only be called when the driver is closed, and longer where HoldInFlight was
// called. Whichever function ends a message hands out what is owed to the host as Finished, once
// for each message. A message ended early (timeout) keeps its memory as "abandoned" while the
// client library may still read it.
#ifndef DSMSG_CORE_QUEUE_SEND_QUEUE_H_
#define DSMSG_CORE_QUEUE_SEND_QUEUE_H_

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/time.h"
#include "core/observe/metrics.h"
#include "core/options/queue_limits.h"
#include "core/queue/outgoing.h"

namespace dsmsg {

class SendQueue {
 public:
  using FinishedList = std::vector<Finished>;
  struct Submission {
    Token token = 0;
    Message message;
  };
  struct Outcome {
    Token token = 0;
    Status status;
  };
  /// A message that the broker refused for good; its recipient has been told.
  struct Refused {
    Outgoing outgoing;
    Status status;
  };

  SendQueue(const QueueLimits& limits, Metrics& metrics);

  /// Accepts a message at the end of the queue, waiting for room where the policy says so. Not ok:
  /// refused (kWouldBlock with overflow=reject, kCancelled when closed). Messages that were ended
  /// to make room, perhaps this one, are added to `finished`. `token`, if not null, gets the
  /// message's name (0 when it was ended at once). `patience` is a second bound of the wait, beside
  /// overflow_timeout: once it has passed, this message is ended and not an older one.
  Status Push(Outgoing&& outgoing, FinishedList* finished, Token* token = nullptr,
              Deadline patience = Deadline::max());

  /// As Push, but only where there is room: false leaves `outgoing` unchanged, true empties it.
  bool PushIfRoom(Outgoing* outgoing, Token* token);
  /// Takes a message that was accepted before, by the spool, beyond the bounds if need be. One that
  /// comes from the disk is never evicted and never expires. Returns false and leaves the message
  /// unchanged if the queue is closed (messages from the disk) or if the hard limit for returned
  /// messages is reached (others).
  bool PushAccepted(Outgoing&& outgoing);

  /// Gives the message its place in the order (Outgoing::sequence), unless it has one, and its
  /// name: it is accepted now and may be pushed later.
  void Reserve(Outgoing* outgoing);
  /// Whether messages of that order key are behind the spool. Takes no lock if nothing is behind.
  bool AnyBehind(std::string_view key) const;
  size_t behind() const { return behind_count_.load(); }
  /// Makes messages that are behind the spool available to Take. A key's messages stay behind from
  /// the first one on for which `blocked` is true; it is called with the mutex held and must not
  /// lock. nullptr releases all of them, and they keep their behind_spool.
  void ReleaseBehind(const std::function<bool(std::string_view key)>& blocked);
  /// Returns the oldest message that is behind, for the caller to put elsewhere; null if nothing is
  /// behind. Until EndMove no other function touches the message, and it still counts as behind.
  /// `taken`: the caller has moved it away.
  Outgoing* BeginMove();
  void EndMove(bool taken);

  /// Moves up to `max` waiting messages, oldest first, into flight. True when the in-flight bounds
  /// kept some back.
  bool Take(size_t max, std::vector<Submission>* submissions);

  /// The driver had no room for these: they go back to their places.
  void Return(std::span<const Submission> submissions);

  /// The driver's outcomes. Retryable ones go back to their places and are counted in the return
  /// value. Those refused for good are moved to `refused`, if that is not null; the queue is not
  /// idle until Kept was called for them.
  size_t Complete(std::span<const Outcome> outcomes, FinishedList* finished,
                  std::vector<Refused>* refused = nullptr);
  /// The caller is done with `count` of the refused messages (see Complete).
  void Kept(size_t count);

  /// Owns the memory of all messages in flight, abandoned ones included, beside the queue. Throws
  /// std::bad_alloc.
  std::shared_ptr<const void> HoldInFlight();

  /// After the driver was closed: everything in flight waits again, in its old order.
  void Recover();

  // A message that the server answers by ending the connection, or by silence, would be sent again
  // for ever, with everything behind it. What was in flight at the end of two connections is a
  // suspect: Take hands it out alone. Ends that leave the server in place are counted against the
  // message that was alone in flight (poison_attempts).

  /// As Recover, after a connection that had logged in was lost. True: exactly one message was in
  /// flight; from now on it is the accused.
  bool RecoverLost();
  /// That connection ended for `reason`, and the server accepted the next one at once. Counts this
  /// against the accused; at poison_attempts the accused ends as if the broker had refused it (see
  /// Complete). Silence (kTimeout) is often the server's own fault: the accused is then passed over
  /// and ends only when another message is acknowledged. True: the new connection should first last
  /// a while without the accused.
  bool Accuse(const Status& reason, FinishedList* finished, std::vector<Refused>* refused);
  /// After Accuse, without a limit of attempts: what to tell about the accused; "": nothing yet.
  std::string Unconvicted();
  /// It was the server, not the accused.
  void Acquit();

  /// Ends messages older than message_timeout. Returns when the next one is due (time_point::max():
  /// none).
  Clock::time_point Expire(Clock::time_point now, FinishedList* finished);

  /// The machine's memory is short: ends the oldest messages that are not in flight, until they
  /// held an eighth of the queue's bytes. False: there was none.
  bool Relieve(FinishedList* finished);

  /// A synchronous sender stops waiting. Its message is taken back, or abandoned when in flight.
  void Withdraw(Token token, FinishedList* finished);

  /// Whether a full queue may hope for room.
  void SetLinkUp(bool up);

  /// Refuses new messages and wakes blocked senders; those already accepted stay.
  void Close();

  /// After the driver was closed: ends everything that is left.
  void CloseAll(const Status& status, DropReason reason, FinishedList* finished);

  /// After the driver was closed: moves everything that is left and has a recipient to `rest`, and
  /// ends what came from the spool as dropped.
  void TakeAll(std::vector<Outgoing>* rest, FinishedList* finished);

  /// Waits until every message accepted so far is ended and its dead letter kept. Once closed, it
  /// also waits for messages from the spool, but not for those behind the spool. False at
  /// `deadline`.
  bool WaitIdle(Deadline deadline);

  size_t messages() const;  // accepted and not ended
  size_t bytes() const;     // held, abandoned ones included
  size_t in_flight() const;
  /// What waits for Take, whatever the in-flight bounds say.
  struct Waiting {
    size_t count = 0;
    Clock::time_point oldest;  // accepted_at of the first, if any
  };
  Waiting waiting() const;

 private:
  enum class State : uint8_t { kFree, kWaiting, kBehind, kMoving, kInFlight, kAbandoned };
  static constexpr uint32_t kNone = ~uint32_t{0};

  struct Slot {
    uint32_t generation = 1;
    uint32_t previous = kNone, next = kNone;
    State state = State::kFree;
    Outgoing outgoing;
  };
  /// References stay valid while it grows, and neighbours lie next to each other.
  class Slots {
   public:
    Slot& operator[](uint32_t index) { return chunks_[index / kChunk][index % kChunk]; }
    const Slot& operator[](uint32_t index) const { return chunks_[index / kChunk][index % kChunk]; }
    uint32_t size() const { return size_; }
    uint32_t Add() {
      if (size_ % kChunk == 0) chunks_.push_back(std::make_unique<Slot[]>(kChunk));
      return size_++;
    }
    /// It is needed soon and may be in another core's cache.
    void Prefetch(uint32_t index) const {
      constexpr size_t kLine = 64;
      const char* const slot = reinterpret_cast<const char*>(&(*this)[index]);
      for (size_t at = 0; at < sizeof(Slot); at += kLine) __builtin_prefetch(slot + at, 1);
    }

   private:
    static constexpr uint32_t kChunk = 128;
    std::vector<std::unique_ptr<Slot[]>> chunks_;
    uint32_t size_ = 0;
  };
  /// A doubly linked list through the slots' previous/next, ordered by sequence.
  struct List {
    uint32_t head = kNone, tail = kNone;
    size_t count = 0;
    uint32_t given_back = kNone;  // the last one not appended: the next search starts here
  };

  // All private functions expect mutex_ to be held.
  Status NotTaken(const Outgoing& outgoing, Status status);
  bool Full(size_t more_bytes) const;
  bool Overfull() const;
  bool FlightRoom(size_t more_bytes) const;
  bool ByKey(const Slot& slot, const List& list) const;
  uint32_t Allocate(Outgoing&& outgoing);
  Outgoing Release(uint32_t index, List* list);
  void Free(uint32_t index, size_t bytes);
  void Insert(uint32_t index, List* list);
  uint32_t PlaceOf(uint64_t sequence, const List& list) const;
  void Remove(uint32_t index, List* list);
  static size_t HashOf(std::string_view key) { return std::hash<std::string_view>()(key); }
  List* ListOf(State state);
  void MoveToFlight(uint32_t index);
  void MoveToWaiting(uint32_t index);
  void AllToWaiting();
  void AddBehind(size_t key);
  void RemoveBehind(size_t key);
  bool Idle() const;
  void Acknowledge(uint32_t index, Clock::time_point now, FinishedList* finished,
                   std::vector<Buffer>* buffers);
  void Refuse(uint32_t index, const Status& status, FinishedList* finished,
              std::vector<Refused>* refused);
  void RecoverLocked();
  void AcquitLocked();
  Slot* Accused();
  void Convict(FinishedList* finished, std::vector<Refused>* refused);
  uint32_t FirstToGo();
  void Number(Outgoing* outgoing);
  bool MustWait(const Slot& slot) const;
  Clock::duration Isolated(Clock::time_point now) const;
  void EndIsolation(Clock::time_point now);
  bool MakeRoom(std::unique_lock<std::mutex>& lock, const Outgoing& incoming,
                FinishedList* finished, Deadline patience);
  bool EvictOne(const Outgoing& incoming, FinishedList* finished);
  uint32_t Oldest() const;
  void WaitForRoom(std::unique_lock<std::mutex>& lock, size_t more_bytes, Deadline deadline);
  void Ended(uint64_t spool_id);
  void Drop(uint32_t index, Status status, DropReason reason, FinishedList* finished);
  void NotifyRoom();
  Slot* Lookup(Token token);
  Token NameOf(uint32_t index) const;
  Submission SubmissionOf(uint32_t index) const;

  const QueueLimits limits_;
  Metrics& metrics_;
  mutable std::mutex mutex_;
  std::condition_variable room_cv_, idle_cv_;
  Slots slots_;
  std::vector<uint32_t> free_;
  List waiting_, behind_, flight_;
  std::unordered_map<size_t, size_t> behind_keys_;  // how many of each key's hash
  std::atomic<size_t> behind_count_{0};             // their sum
  struct Move {
    uint32_t index = 0;
    size_t key = 0, bytes = 0;
  };
  std::optional<Move> move_;  // of BeginMove
  std::map<std::pair<std::string, uint64_t>, uint32_t>
      by_key_;  // waiting and behind, only for kLatestPerKey
  const uint64_t origin_ = MessageId::NewOrigin();
  uint64_t next_sequence_ = 1;
  size_t open_ = 0;     // waiting, behind or in flight: a recipient is still to be told
  size_t spooled_ = 0;  // waiting or in flight, from the spool
  size_t keeping_ = 0;  // refused, and Kept not called yet
  size_t held_messages_ = 0, held_bytes_ = 0, flight_messages_ = 0,
         flight_bytes_ = 0;  // abandoned included
  size_t blocked_ = 0;       // senders in WaitForRoom
  uint64_t acknowledgements_ = 0;
  Token accused_ = 0;         // of RecoverLost
  std::string accusation_;    // why it was blamed last
  bool passed_over_ = false;  // the accused, until another message is acknowledged
  // isolating_since_: since when nothing got through, because a connection ended with messages in
  // flight; time_point::max(): something did. leniency_: the sum of such times. message_timeout
  // does not count them, except for the accused.
  Clock::time_point isolating_since_ = Clock::time_point::max();
  Clock::duration leniency_{0};
  bool link_up_ = false, stalled_ = false, closed_ = false;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_QUEUE_SEND_QUEUE_H_
