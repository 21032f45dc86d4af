// SPDX-License-Identifier: Apache-2.0
#include "core/observe/books.h"

namespace dsmsg {

const char* DropReasonName(DropReason reason) noexcept {
  switch (reason) {
    case DropReason::kEvicted:
      return "evicted";
    case DropReason::kMemory:
      return "memory-short";
    case DropReason::kNewest:
      return "newest";
    case DropReason::kSuperseded:
      return "superseded";
    case DropReason::kExpired:
      return "expired";
    case DropReason::kTooLarge:
      return "too-large";
    case DropReason::kGaveUp:
      return "gave-up";
    case DropReason::kShutdown:
      return "shutdown";
    case DropReason::kSpoolFailed:
      return "spool-failed";
    case DropReason::kSpoolEvicted:
      return "spool-evicted";
    case DropReason::kSpoolLost:
      return "spool-lost";
    case DropReason::kCount:
      break;
  }
  return "unknown";
}

// Later stages first: out of the spool, out of the dead letters, out of the queue, into the queue.
Books::Totals Books::Read(uint64_t restored, uint64_t spool_losses) const noexcept {
  Totals totals;
  const auto ended = [&](Place place) {
    const Steps& row = Row(place);
    uint64_t sum = 0;
    for (size_t i = 0; i < kCodeCount; ++i) {
      const uint64_t count = Get(row.failed[i]);
      totals.failed[i] += count;
      sum += count;
    }
    for (size_t i = 0; i < kDropReasonCount; ++i) {
      const uint64_t count = Get(row.dropped[i]);
      totals.dropped[i] += count;
      sum += count;
    }
    return sum;
  };
  totals.replayed = Get(Row(Place::kSpool).delivered);
  const uint64_t out_of_spool = totals.replayed + ended(Place::kSpool) + spool_losses;

  totals.dead_letters_spooled = Get(Row(Place::kLetter).moved[Index(Place::kSpool)]);
  totals.dead_letters_lost = Get(letters_lost_);
  totals.dead_lettered = Get(Row(Place::kLetter).delivered) + totals.dead_letters_spooled;
  totals.dead_letters_due = Get(letters_due_);
  totals.dead_letters_waiting =
      totals.dead_letters_due - totals.dead_lettered - totals.dead_letters_lost;

  const uint64_t queue_to_spool = Get(Row(Place::kQueue).moved[Index(Place::kSpool)]);
  totals.acknowledged = Get(Row(Place::kQueue).delivered);
  const uint64_t out_of_queue = totals.acknowledged + ended(Place::kQueue) + queue_to_spool;

  const uint64_t host_to_spool = Get(Row(Place::kHost).moved[Index(Place::kSpool)]);
  const uint64_t ended_at_once = ended(Place::kHost);
  const uint64_t host_to_queue = Get(Row(Place::kHost).moved[Index(Place::kQueue)]);
  totals.accepted = host_to_queue + host_to_spool + ended_at_once;
  totals.spooled = host_to_spool + queue_to_spool;
  totals.queue_messages = host_to_queue - out_of_queue;
  totals.spool_backlog = restored + totals.spooled + totals.dead_letters_spooled - out_of_spool;
  return totals;
}

}  // namespace dsmsg
