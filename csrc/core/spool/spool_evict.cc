// SPDX-License-Identifier: Apache-2.0
// spool-evict=1: how the spool's thread makes room in a full spool.
#include <algorithm>
#include <utility>

#include "core/spool/spool_core.h"

namespace dsmsg {

void SpoolCore::MakeRoom(Lock& lock, uint64_t soon_free) {
  const auto excess = [&]() -> uint64_t {
    const uint64_t wanted = stored_bytes_ + group_.bytes;
    const uint64_t bound = options_.max_bytes + soon_free;
    return wanted > bound ? wanted - bound : 0;
  };
  if (const uint64_t need = excess(); need > 0) Evict(lock, need);
  Group rejected;
  while (!abandoned_ && excess() > 0 && !group_.empty()) {
    const uint64_t cost = SpoolCost(group_.messages.back().message);
    rejected.messages.push_back(std::move(group_.messages.back()));
    rejected.tickets.push_back(group_.tickets.back());
    group_.messages.pop_back();
    group_.tickets.pop_back();
    group_.bytes -= cost;
  }
  if (rejected.empty()) return;
  std::reverse(rejected.tickets.begin(), rejected.tickets.end());
  // Later messages too, or they would be written before these.
  rejected.Append(std::exchange(pending_, Group()));
  FailGroup(lock, std::move(rejected),
            {Code::kWouldBlock,
             "spool: full, and every message that could be deleted is being delivered"});
}

// Deletes the oldest rows that were not handed out, those in memory before unread ones.
void SpoolCore::Evict(Lock& lock, uint64_t need) {
  const uint64_t before = evicted_;
  for (size_t i = 0; i < sources_.size() && need > 0; ++i) {
    std::vector<SpoolMessage> taken;
    uint64_t found = 0;
    while (found < need && !ready_.empty() && IndexOf(ready_.begin()->first) == i) {
      const auto first = ready_.begin();
      const uint64_t cost = SpoolCost(first->second.message);
      found += cost;
      ready_bytes_ -= cost;
      taken.push_back(std::move(first->second));
      ready_.erase(first);
    }
    need -= std::min(need, EvictFrom(lock, i, std::move(taken), need));
  }
  if (before == 0 && evicted_ > 0) {
    Log(lock, LogLevel::kWarn, "spool evict",
        "spool: full (spool-max-bytes is " + std::to_string(options_.max_bytes) +
            "): the oldest messages are deleted undelivered from now on (spool-evict=1)");
  }
}

// Deletes `taken` and then as many unread rows of that file as needed; returns the bytes freed.
uint64_t SpoolCore::EvictFrom(Lock& lock, size_t index, std::vector<SpoolMessage> taken,
                              uint64_t need) {
  Source& source = sources_[index];
  std::vector<Removal> removals;
  std::vector<KeyCounts::Slot> slots;
  uint64_t freed = 0;
  for (const SpoolMessage& message : taken) {
    removals.push_back({message.id, SpoolCost(message.message)});
    slots.push_back(KeyCounts::SlotOf(message.order_key()));
    freed += removals.back().cost;
  }
  lock.unlock();
  uint64_t cursor = source.cursor;
  Status status;
  std::vector<SpoolMessage> unread;
  if (freed < need && source.unread()) {
    std::vector<SpoolStore::RowFacts> rows;
    status = ListUnread(source, need - freed, &rows, &unread);
    for (const SpoolStore::RowFacts& row : rows) {
      removals.push_back({IdOf(index, row.id), row.bytes});
      slots.push_back(row.slot);
      freed += row.bytes;
      cursor = row.id;
    }
  }
  if (status.ok() && !removals.empty()) status = WriteOnce(index, {}, removals);
  lock.lock();
  if (!status.ok()) {
    for (SpoolMessage& message : taken) AddReady(std::move(message));
    if (!source.store->damaged()) return 0;
    // Only now, when everything is in its place again: Repair counts what is there.
    lock.unlock();
    [[maybe_unused]] const Status repaired = Repair(index, status);
    lock.lock();
    return 0;
  }
  source.cursor = cursor;
  for (const KeyCounts::Slot slot : slots) keys_.Remove(slot);
  backlog_.fetch_sub(slots.size());
  evicted_ += slots.size();
  PublishTotals();
  TellEvicted(lock, taken);
  TellEvicted(lock, unread);
  return freed;
}

// `messages`: the rows themselves, if they are to be told of.
Status SpoolCore::ListUnread(const Source& source, uint64_t need,
                             std::vector<SpoolStore::RowFacts>* rows,
                             std::vector<SpoolMessage>* messages) {
  constexpr size_t kAtOnce = size_t{1} << 20;  // `need` bounds it
  if (!options_.tell_evicted) return source.store->List(source.cursor, need, rows);
  const Status status = source.store->Read(source.cursor, kAtOnce, need, messages);
  for (const SpoolMessage& message : *messages) {
    rows->push_back(
        {message.id, SpoolCost(message.message), KeyCounts::SlotOf(message.order_key())});
  }
  return status;
}

}  // namespace dsmsg
