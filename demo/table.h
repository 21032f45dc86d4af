// SPDX-License-Identifier: Apache-2.0
// What the demo shows: one message; a table that is drawn again in place on a terminal, a line
// every second elsewhere; at the end the table and what came of the outage.
#ifndef DSMSG_DEMO_TABLE_H_
#define DSMSG_DEMO_TABLE_H_

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "outage.h"
#include "pipeline.h"
#include "space/rules.h"
#include "tally.h"

namespace dsmsg_demo {

/// One thread.
class Table {
 public:
  /// `frames`: how many there will be; 0: unknown.
  Table(std::string title, unsigned frames);
  /// Below the table: the picture with its lines and zones, the counts and the last events.
  void ShowScene(std::shared_ptr<const dsmsg::space::Rules> rules) { rules_ = std::move(rules); }
  /// Of the video, pixels.
  void SetSize(DemoPipeline::Size size) { size_ = size; }

  /// Draws, at most four times a second on a terminal and once a second elsewhere.
  /// Shows the first message before, as it was received.
  void Update(const DemoPipeline::Counts& counts, const Outage::State& outage, const Tally& tally);
  /// The last table, and what came of the outage. Returns how many messages were lost.
  uint64_t Finish(const DemoPipeline::Counts& counts, const Outage::State& outage,
                  const Tally& tally);

 private:
  using Clock = std::chrono::steady_clock;
  /// `lost`: what is in its column.
  void Draw(const DemoPipeline::Counts& counts, const Outage::State& outage,
            const Tally::Totals& totals, const std::string& lost);
  int DrawScene(const Tally::Scene& scene) const;
  void Line(const DemoPipeline::Counts& counts, const Outage::State& outage,
            const Tally::Totals& totals) const;
  std::string BrokerState(const Outage::State& outage) const;
  double Seconds() const;

  const std::string title_;
  const unsigned frames_;
  const bool terminal_;
  const Clock::time_point begin_ = Clock::now();
  Clock::time_point next_ = begin_;
  int drawn_lines_ = 0;
  bool shown_message_ = false;
  uint64_t most_waiting_ = 0;  // messages, from the outage until all of them were acknowledged
  bool caught_up_ = false;
  std::shared_ptr<const dsmsg::space::Rules> rules_;  // nullptr: without a picture
  DemoPipeline::Size size_;
  Tally::Scene scene_;
};

}  // namespace dsmsg_demo

#endif  // DSMSG_DEMO_TABLE_H_
