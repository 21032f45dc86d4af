// SPDX-License-Identifier: Apache-2.0
// What the demo shows: a table that is drawn again in place on a terminal, a line every second
// elsewhere; then totals.
#ifndef DSMSG_DEMO_TABLE_H_
#define DSMSG_DEMO_TABLE_H_

#include <chrono>
#include <string>

#include "pipeline.h"
#include "tally.h"

namespace dsmsg_demo {

/// One thread.
class Table {
 public:
  /// `frames`: how many there will be; 0: unknown.
  Table(std::string title, unsigned frames);

  /// Draws, at most four times a second on a terminal and once a second elsewhere.
  void Update(const DemoPipeline::Counts& counts, const Tally& tally);
  /// The last table and the totals. Returns how many messages were lost.
  uint64_t Finish(const DemoPipeline::Counts& counts, const Tally& tally);

 private:
  using Clock = std::chrono::steady_clock;
  void Draw(const DemoPipeline::Counts& counts, const Tally::Totals& totals);
  void Line(const DemoPipeline::Counts& counts, const Tally::Totals& totals) const;
  double Seconds() const;

  const std::string title_;
  const unsigned frames_;
  const bool terminal_;
  const Clock::time_point begin_ = Clock::now();
  Clock::time_point next_ = begin_;
  int drawn_lines_ = 0;
};

}  // namespace dsmsg_demo

#endif  // DSMSG_DEMO_TABLE_H_
