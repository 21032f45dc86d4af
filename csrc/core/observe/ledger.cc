// SPDX-License-Identifier: Apache-2.0
#include "core/observe/ledger.h"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <iterator>

#include "core/base/encoding.h"
#include "core/base/guard.h"

namespace dsmsg {
namespace {

constexpr std::string_view kOthers = "(others)";  // no encoded name has parentheses
constexpr std::string_view kPlain = " /:@+,=";    // beside what every URL may have
constexpr size_t kEpoch = 28;                     // "20261130T184501123Z-9f3c1d2e"
constexpr size_t kMostRanges = 100'000;

bool SameName(std::string_view a, std::string_view b) {  // some protocols change the case
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string Zeros() { return std::string(Ledger::kDigits, '0'); }

}  // namespace

std::optional<LedgerMark> LedgerMark::Parse(std::string_view text) {
  constexpr size_t kSource = kEpoch + 1 + Ledger::kDigits + 1;
  text = text.substr(0, text.find('"'));
  if (text.size() <= kSource || text[kEpoch] != ' ' || text[kSource - 1] != ' ') return {};
  LedgerMark mark{text.substr(0, kEpoch), text.substr(kSource)};
  const char* const end = text.data() + kSource - 1;
  const auto [last, error] = std::from_chars(text.data() + kEpoch + 1, end, mark.number);
  if (error != std::errc() || last != end || mark.number == 0) return {};
  return mark;
}

// `place`: where it is in the table, or belongs.
Ledger::Source* Ledger::Known(std::string_view name, size_t* place) const {
  for (size_t at = std::hash<std::string_view>()(name);; ++at) {
    *place = at % kTable;
    Source* const source = table_[*place].load(std::memory_order_acquire);
    if (source == nullptr || source->name == name) return source;
  }
}

Ledger::Source& Ledger::SourceOf(std::string_view name) {
  size_t place;
  if (Source* const known = Known(name, &place)) return *known;
  if (name.size() > kLongestSource) return others_;
  std::lock_guard lock(sources_mutex_);
  if (Source* const known = Known(name, &place)) return *known;
  if (sources_.size() >= kMostSources) return others_;
  auto made = std::make_unique<Source>();
  made->name = name;
  made->mark = epoch_ + ' ' + Zeros() + ' ';
  AppendPercentEncoded(name, kPlain, &made->mark);
  sources_.push_back(std::move(made));
  table_[place].store(sources_.back().get(), std::memory_order_release);
  return *sources_.back();
}

void Ledger::Number(Source& source, char* mark) const {
  char digits[kDigits + 5];
  const uint64_t number = source.numbered.fetch_add(1, std::memory_order_relaxed) + 1;
  const char* const end = std::to_chars(std::begin(digits), std::end(digits), number).ptr;
  const auto size = std::min(static_cast<size_t>(end - digits), kDigits);
  std::memcpy(mark + kEpoch + 1 + kDigits - size, end - size, size);
}

// ---------------------------------------------------------------- losses

// Empty: it has none. A member of the same name may be the host's own.
std::string_view Ledger::MarkOf(const Carrier& message) const {
  for (const auto& [name, value] : message.headers) {
    if (SameName(name, kHeader) && LedgerMark::Parse(value)) return value;
  }
  if (field_.empty() || !message.payload.starts_with(field_)) return {};
  const std::string_view inside = message.payload.substr(field_.size());
  return LedgerMark::Parse(inside) ? inside : std::string_view();
}

void Ledger::Dropped(const Carrier& message, DropReason reason) noexcept {
  const std::optional<LedgerMark> mark = LedgerMark::Parse(MarkOf(message));
  if (!mark) return;
  Add(*mark, DropReasonName(reason), policies_[static_cast<size_t>(reason)], {});
}

void Ledger::Refused(const Carrier& message, const Status& status) noexcept {
  const std::optional<LedgerMark> mark = LedgerMark::Parse(MarkOf(message));
  if (mark) Add(*mark, "refused", CodeName(status.code()), status.message());
}

void Ledger::EndedUnbuilt(Source& source, const Status& status) noexcept {
  const auto add = [&] {
    std::string text = source.mark;
    Number(source, text.data());
    const std::pair<std::string_view, std::string_view> header{kHeader, text};
    if (status.code() == Code::kTooLarge) {
      Dropped({{&header, 1}, {}}, DropReason::kTooLarge);
    } else {
      Refused({{&header, 1}, {}}, status);
    }
  };
  Contained(add, [](const char*) {});
}

void Ledger::Add(const LedgerMark& mark, std::string_view reason, std::string_view policy,
                 std::string_view text) noexcept {
  const int64_t now =
      std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  const auto count = [&] {
    if (mark.epoch != epoch_) return;  // an earlier connection's, from the spool
    const std::optional<std::string> name = PercentDecoded(mark.source);
    size_t place;
    Source* const known = name ? Known(*name, &place) : nullptr;
    (known == nullptr ? others_ : *known).lost.fetch_add(1, std::memory_order_relaxed);
  };
  const auto add = [&] {
    count();
    if (file_ == nullptr) return;
    std::lock_guard lock(mutex_);
    if (ranges_ >= kMostRanges) {
      ++unrecorded_;
      return;
    }
    const bool first = losses_.empty();
    Losses& losses = losses_[Why(mark.epoch, mark.source, reason, policy)];
    if (losses.ranges.empty()) {
      losses.from_ms = now;
      losses.text = text;
    }
    losses.to_ms = now;
    if (!losses.ranges.empty() && losses.ranges.back().last + 1 == mark.number) {
      ++losses.ranges.back().last;
    } else {
      losses.ranges.push_back({mark.number, mark.number});
      ++ranges_;
    }
    if (first) due_cv_.notify_all();
  };
  // Without memory the loss stays unexplained.
  Contained(add, [](const char*) {});
}

}  // namespace dsmsg
