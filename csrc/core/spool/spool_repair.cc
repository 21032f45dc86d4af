// SPDX-License-Identifier: Apache-2.0
// What the spool's thread does about a damaged file, and the counts afterwards.
#include <utility>

#include "core/spool/spool_core.h"

namespace dsmsg {

// If counting fails, the old count stays: what was done stays done.
void SpoolCore::Recount(size_t index) {
  const Result<SpoolStore::Totals> totals = sources_[index].store->Count();
  if (!totals.ok()) return;
  sources_[index].rows = totals->rows;
  sources_[index].bytes = totals->bytes;
}

// Unread rows of a file that cannot be counted: what it held, minus those in memory.
uint64_t SpoolCore::UnreadGuess(size_t index) const {
  uint64_t known = 0;
  const auto count = [&](uint64_t id) { known += IndexOf(id) == index ? 1 : 0; };
  for (const auto& [id, message] : ready_) count(id);
  for (const auto& [id, facts] : handed_) count(id);
  for (const auto& [id, facts] : released_) count(id);
  for (const Removal& removal : removals_) count(removal.id);
  const uint64_t rows = sources_[index].rows;
  return rows > known ? rows - known : 0;
}

// Replaces a damaged file. Ids stay the same, so messages handed out or ready are unaffected; the
// counts are computed from memory and from the rows still unread.
Status SpoolCore::Repair(size_t index, const Status& reason) {
  std::string report;
  Status status = sources_[index].store->Replace(reason, &report);
  if (!status.ok()) return status;
  Recount(index);
  KeyCounts counts;
  uint64_t undelivered = 0;
  std::vector<size_t> uncounted;  // damaged, too
  for (size_t i = 0; i < sources_.size(); ++i) {
    const Source& source = sources_[i];
    if (!source.unread()) continue;
    const Result<uint64_t> rows = source.store->CountKeys(source.cursor, &counts);
    if (rows.ok()) {
      undelivered += rows.value();
    } else {
      uncounted.push_back(i);
    }
  }
  Lock lock(mutex_);
  for (const size_t i : uncounted) undelivered += UnreadGuess(i);
  const auto count = [&](KeyCounts::Slot slot) {
    counts.Add(slot);
    ++undelivered;
  };
  for (const Group* group : {&pending_, &group_}) {
    for (const SpoolMessage& message : group->messages) {
      count(KeyCounts::SlotOf(message.order_key()));
    }
  }
  for (const auto& [id, message] : ready_) count(KeyCounts::SlotOf(message.order_key()));
  for (const auto& [id, facts] : handed_) count(facts.slot);
  for (const auto& [id, facts] : released_) count(facts.slot);
  // The keys of a file that cannot be counted are unknown; the previous, too large counts stay,
  // which costs time until that file is repaired too.
  if (uncounted.empty()) keys_.Assign(counts);
  const uint64_t before = backlog_.exchange(undelivered);
  const uint64_t lost = before > undelivered ? before - undelivered : 0;
  lost_ += lost;
  PublishTotals();
  Log(lock, LogLevel::kError, "spool damaged", report + ", " + std::to_string(lost) + " are lost");
  return {};
}

}  // namespace dsmsg
