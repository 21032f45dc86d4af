// SPDX-License-Identifier: Apache-2.0
// The books of one connection: where every accepted message is, or how it ended.
//
// Each step of a message is one increment of one counter, "from here to there". Everything reported
// is a sum of these counters, and each of them is on both sides, so every reading balances:
//
//   accepted + restored + dead_letters_spooled =
//       acknowledged + replayed + failed + dropped + queue_messages + spool_backlog
//   dead_letters_due = dead_lettered + dead_letters_lost + dead_letters_waiting
//
// A step is counted before the next step of the same message can be, and Read() reads later steps
// first, so no place ever shows a negative count.
//
// Threads: every function from any thread; none blocks. Steps out of the host's hands are counted
// in other cache lines than those of the I/O thread.
#ifndef DSMSG_CORE_OBSERVE_BOOKS_H_
#define DSMSG_CORE_OBSERVE_BOOKS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/base/status.h"

namespace dsmsg {

/// Why the core itself ended a message.
enum class DropReason {
  kEvicted,       // the queue was full and this was the oldest unsubmitted message
  kMemory,        // the machine's memory was short (memory-high-water), and this was the oldest
  kNewest,        // overflow=drop-newest, or nothing older could go
  kSuperseded,    // overflow=latest-per-key
  kExpired,       // message-timeout or send-timeout
  kTooLarge,      // over max-message-bytes
  kGaveUp,        // reconnect=0 or reconnect-attempts used up
  kShutdown,      // left at disconnect after flush-timeout
  kSpoolFailed,   // the spool's disk gave it back and memory had no place for it
  kSpoolEvicted,  // deleted from a full spool (spool-evict=1)
  kSpoolLost,     // went with a damaged spool file
  kCount,
};
/// The name in metrics, stats and messages ("evicted", "too-large", ...).
const char* DropReasonName(DropReason reason) noexcept;

inline constexpr size_t kCodeCount = static_cast<size_t>(Code::kInternal) + 1;
inline constexpr size_t kDropReasonCount = static_cast<size_t>(DropReason::kCount);

/// In whose hands a message is.
enum class Place : uint8_t {
  kHost,    // not accepted yet
  kQueue,   // in memory: in the queue, in flight, or on its way to the disk
  kSpool,   // durable in the spool
  kLetter,  // no message of the host's: a dead letter in memory, on its way to its topic
};

class Books {
 public:
  struct Totals {
    uint64_t accepted = 0, acknowledged = 0, replayed = 0, spooled = 0;
    uint64_t dead_letters_due = 0, dead_lettered = 0, dead_letters_lost = 0;
    uint64_t dead_letters_spooled = 0;
    std::array<uint64_t, kCodeCount> failed{};
    std::array<uint64_t, kDropReasonCount> dropped{};  // without those of the spool's own file
    uint64_t queue_messages = 0, spool_backlog = 0, dead_letters_waiting = 0;
  };

  void Moved(Place from, Place to) noexcept { Add(Row(from).moved[Index(to)]); }
  /// Ok from the broker, told under the queue's lock; of a dead letter also: written to its
  /// directory, told by any thread.
  void Delivered(Place from) noexcept {
    if (from == Place::kLetter) {
      Add(Row(from).delivered);
    } else {
      AddAlone(Row(from).delivered);
    }
  }
  /// The broker (or a check) refused it for good. Of a dead letter: see LetterLost.
  void Failed(Place from, Code code) noexcept {
    if (from == Place::kLetter) return;
    Add(Row(from).failed[static_cast<size_t>(code)]);
    Add(losses_);
  }
  void Dropped(Place from, DropReason reason) noexcept {
    if (from == Place::kLetter) return;
    Add(Row(from).dropped[static_cast<size_t>(reason)]);
    Add(losses_);
  }
  /// A message was refused for good, and a dead letter is to be kept of it.
  void LetterDue() noexcept { Add(letters_due_); }
  void LetterLost() noexcept {
    Add(letters_lost_);
    Add(losses_);
  }

  /// Failed, dropped and lost dead letters in sum: whether there is something new to tell.
  uint64_t losses() const noexcept { return losses_.load(std::memory_order_relaxed); }
  /// `restored`: rows that the spool held at connect. `spool_losses`: rows it deleted undelivered,
  /// read before.
  Totals Read(uint64_t restored, uint64_t spool_losses) const noexcept;

 private:
  // Release and acquire: a thread that sees a step also sees the earlier steps of the same message.
  using Counter = std::atomic<uint64_t>;
  static void Add(Counter& counter) noexcept { counter.fetch_add(1, std::memory_order_release); }
  /// For a counter with one writer at a time: half the price.
  static void AddAlone(Counter& counter) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  static uint64_t Get(const Counter& counter) noexcept {
    return counter.load(std::memory_order_acquire);
  }
  static constexpr size_t Index(Place place) { return static_cast<size_t>(place); }
  static constexpr size_t kPlaces = 4;

  struct alignas(64) Steps {
    std::array<Counter, kPlaces> moved{};
    Counter delivered{0};
    std::array<Counter, kCodeCount> failed{};
    std::array<Counter, kDropReasonCount> dropped{};
  };
  Steps& Row(Place from) { return steps_[Index(from)]; }
  const Steps& Row(Place from) const { return steps_[Index(from)]; }

  std::array<Steps, kPlaces> steps_{};
  alignas(64) Counter letters_due_{0};
  Counter letters_lost_{0}, losses_{0};
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_OBSERVE_BOOKS_H_
