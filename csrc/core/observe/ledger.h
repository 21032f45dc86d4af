// SPDX-License-Identifier: Apache-2.0
// The delivery ledger of one connection (ledger=1): numbers the messages of each source, so that
// a reader of the topic finds what is missing, and writes down which numbers it gave up, and why
// (ledger-file).
//
// A message carries a mark, "<epoch> <number> <source>", as the header dsmsg-ledger or as a member
// of its JSON payload (ledger-field). The epoch is one connection's, so that a restart is no loss;
// numbers count from 1 for each source. A message is numbered once, when it is accepted, so that it
// has the same mark on every try and when it comes from the spool of an earlier process.
//
// Threads: every function from any thread. None waits for the disk but Start and End; one short
// mutex for losses, another for sources that are new; numbering takes none. The file is written by
// a thread of its own, which End leaves behind when the disk hangs.
//
// Memory: at most kMostSources sources; the others share one name. Losses that the disk does not
// take are kept up to a bound, then only counted.
#ifndef DSMSG_CORE_OBSERVE_LEDGER_H_
#define DSMSG_CORE_OBSERVE_LEDGER_H_

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "core/base/log.h"
#include "core/base/status.h"
#include "core/base/time.h"
#include "core/observe/books.h"
#include "core/observe/ledger_file.h"
#include "core/options/settings.h"

namespace dsmsg {

/// What a mark says; views into its text.
struct LedgerMark {
  std::string_view epoch, source;  // the source is percent-encoded
  uint64_t number = 0;

  /// Nothing for any other text. Text behind a quotation mark is ignored.
  static std::optional<LedgerMark> Parse(std::string_view text);
};

class Ledger {
 public:
  static constexpr std::string_view kHeader = "dsmsg-ledger";
  static constexpr size_t kMostSources = 1024;
  static constexpr size_t kLongestSource = 128;  // a longer name counts as "others"
  static constexpr size_t kDigits = 15;          // of a number in a mark

  /// What a message consists of, as far as it matters here.
  struct Carrier {
    std::span<const std::pair<std::string_view, std::string_view>> headers;
    std::string_view payload;
  };
  /// Belongs to the ledger.
  struct Source {
    std::string name;  // as the payload has it
    std::string mark;  // with the number 0
    std::atomic<uint64_t> numbered{0}, lost{0};
  };

  /// Null: ledger=0. Not ok: ledger-file cannot be written, or there is no place for the mark.
  static Result<std::shared_ptr<Ledger>> Start(const Settings& settings, const DriverInfo& info);

  /// The beginning of a payload that carries a mark: `{"ledger":"`. Empty: headers carry it.
  const std::string& field() const { return field_; }
  /// Whether it has a mark already, from a ledger before this one.
  bool IsMarked(const Carrier& message) const { return !MarkOf(message).empty(); }
  /// `name`: of a source, as the payload has it.
  Source& SourceOf(std::string_view name);
  /// Gives the next number of `source` to a copy of its mark. Called in the order in which the
  /// messages are accepted.
  void Number(Source& source, char* mark) const;
  /// A message without a place for its mark: it is not numbered.
  void CountUnnumbered() { unnumbered_.fetch_add(1, std::memory_order_relaxed); }

  /// A message ended without the broker, or the broker refused it. Ignored if it has no mark.
  void Dropped(const Carrier& message, DropReason reason) noexcept;
  void Refused(const Carrier& message, const Status& status) noexcept;
  /// The same of one that was accepted and never built (too large, no memory): it gets a number
  /// here.
  void EndedUnbuilt(Source& source, const Status& status) noexcept;

  /// {"epoch": ..., "unnumbered": 0, "sources": {"camera-1": {"numbered": 3, "lost": 0}}}.
  std::string Json() const;
  const std::string& epoch() const { return epoch_; }

  /// Writes what is left and that the connection has ended; waits until `deadline`.
  void End(Deadline deadline);

 private:
  struct Range {
    uint64_t first = 0, last = 0;
  };
  struct Losses {
    std::vector<Range> ranges;
    int64_t from_ms = 0, to_ms = 0;
    std::string text;  // of the first one
  };
  using Why = std::tuple<std::string, std::string, std::string, std::string>;  // see Add

  Ledger(const Settings& settings, const DriverInfo& info);
  std::string_view MarkOf(const Carrier& message) const;
  void Add(const LedgerMark& mark, std::string_view reason, std::string_view policy,
           std::string_view text) noexcept;
  Source* Known(std::string_view name, size_t* place) const;
  std::string Begun() const;
  std::string Numbers(bool all);  // of the sources whose number changed
  static std::string Lines(const std::map<Why, Losses>& losses);
  void Run();
  std::string Due(std::unique_lock<std::mutex>* lock, Clock::time_point* numbers_at);

  const std::string epoch_, protocol_, endpoint_, field_;
  std::array<std::string, kDropReasonCount> policies_;
  std::unique_ptr<LedgerFile> file_;         // null: none. The thread's, after Start
  std::map<std::string, uint64_t> written_;  // the thread's: numbers that the file has
  Logger logger_;
  std::atomic<uint64_t> unnumbered_{0};

  // Open addressing, at most half full: a source that is there is found without a lock.
  static constexpr size_t kTable = 2 * kMostSources;
  std::vector<std::atomic<Source*>> table_{kTable};
  mutable std::mutex sources_mutex_;  // guards the following, and additions to the table
  std::vector<std::unique_ptr<Source>> sources_;
  Source others_;

  std::mutex mutex_;  // guards the following
  std::condition_variable due_cv_, ended_cv_;
  std::map<Why, Losses> losses_;
  size_t ranges_ = 0;        // of losses_
  uint64_t unrecorded_ = 0;  // losses for which there was no memory
  bool ending_ = false, ended_ = true;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_OBSERVE_LEDGER_H_
