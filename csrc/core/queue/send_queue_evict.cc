// SPDX-License-Identifier: Apache-2.0
// Which message goes when there is too little room, in the queue or in the machine.
#include "core/queue/send_queue.h"

namespace dsmsg {
namespace {

constexpr char kEvicted[] =
    "evicted: the queue is full and this was its oldest message (raise queue-size or queue-bytes, "
    "or set spool-dir)";
constexpr char kMemoryShort[] =
    "evicted: the machine's memory is short and this was the oldest message (memory-high-water; "
    "set spool-dir, or see what else uses the memory)";

}  // namespace

bool SendQueue::EvictOne(const Outgoing& incoming, FinishedList* finished) {
  if (limits_.overflow == Overflow::kLatestPerKey) {
    const auto older = by_key_.lower_bound({std::string(incoming.message.key), 0});
    if (older != by_key_.end() && older->first.first == incoming.message.key) {
      Drop(older->second, {Code::kWouldBlock, "superseded by a newer message with the same key"},
           DropReason::kSuperseded, finished);
      return true;
    }
  }
  const uint32_t oldest = Oldest();
  if (oldest == kNone) return false;
  Drop(oldest, {Code::kWouldBlock, kEvicted}, DropReason::kEvicted, finished);
  return true;
}

// Of those that can go: not in flight, and not from the disk.
uint32_t SendQueue::Oldest() const {
  uint32_t oldest = waiting_.head;
  while (oldest != kNone && slots_[oldest].outgoing.spool_id != 0) oldest = slots_[oldest].next;
  const uint32_t behind = behind_.head;
  const bool older = behind != kNone && (oldest == kNone || slots_[behind].outgoing.sequence <
                                                                slots_[oldest].outgoing.sequence);
  return older ? behind : oldest;
}

bool SendQueue::Relieve(FinishedList* finished) {
  std::lock_guard lock(mutex_);
  const size_t goal = held_bytes_ - held_bytes_ / 8;
  bool any = false;
  while (!any || held_bytes_ > goal) {
    const uint32_t oldest = Oldest();
    if (oldest == kNone) break;
    Drop(oldest, {Code::kWouldBlock, kMemoryShort}, DropReason::kMemory, finished);
    any = true;
  }
  NotifyRoom();
  return any;
}

}  // namespace dsmsg
