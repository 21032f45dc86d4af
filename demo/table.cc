// SPDX-License-Identifier: Apache-2.0
#include "table.h"

#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <utility>

#include "picture.h"

namespace dsmsg_demo {
namespace {

constexpr std::chrono::milliseconds kDrawEvery{250};
constexpr std::chrono::milliseconds kLineEvery{1000};

/// The day's folder and the file: a row must not be longer than the terminal's.
std::string ShortName(const std::string& uri) {
  const size_t file = uri.rfind('/');
  const size_t day = file == std::string::npos || file == 0 ? file : uri.rfind('/', file - 1);
  return day == std::string::npos ? uri : uri.substr(day + 1);
}

}  // namespace

Table::Table(std::string title, unsigned frames)
    : title_(std::move(title)), frames_(frames), terminal_(isatty(STDOUT_FILENO) != 0) {}

double Table::Seconds() const {
  return std::chrono::duration<double>(Clock::now() - begin_).count();
}

void Table::Update(const DemoPipeline::Counts& counts, const Tally& tally) {
  const Clock::time_point now = Clock::now();
  if (now < next_) return;
  next_ = now + (terminal_ ? kDrawEvery : kLineEvery);
  if (rules_ != nullptr) scene_ = tally.scene();
  if (terminal_) {
    Draw(counts, tally.Get(false));
  } else {
    Line(counts, tally.Get(false));
  }
  std::fflush(stdout);
}

void Table::Draw(const DemoPipeline::Counts& counts, const Tally::Totals& totals) {
  if (drawn_lines_ > 0) std::printf("\033[%dA", drawn_lines_);  // up again
  const char* const end = terminal_ ? "\033[K\n" : "\n";  // what stood there is longer, perhaps
  std::string frames = std::to_string(counts.frames);
  if (frames_ != 0) frames += " of " + std::to_string(frames_);
  std::printf("%s%s", title_.c_str(), end);
  std::printf("%5.1f s   frames %s, messages sent %" PRIu64 ", acknowledged %" PRIu64
              ", received %" PRIu64 "%s",
              Seconds(), frames.c_str(), counts.sent, counts.acknowledged, totals.received, end);
  std::printf("  %-16s %9s %9s %9s %14s %14s%s", "sensor", "messages", "people", "in last",
              "latency p50 ms", "latency p95 ms", end);
  for (const Tally::Row& row : totals.rows) {
    std::printf("  %-16s %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %14.1f %14.1f%s",
                row.sensor.c_str(), row.messages, row.objects, row.objects_in_last, row.p50_ms,
                row.p95_ms, end);
  }
  drawn_lines_ = 3 + static_cast<int>(totals.rows.size()) + DrawScene(scene_);
}

/// How many lines it has.
int Table::DrawScene(const Tally::Scene& scene) const {
  if (rules_ == nullptr) return 0;
  const char* const end = terminal_ ? "\033[K\n" : "\n";
  std::vector<std::string> rows = DrawPicture(*rules_, scene, size_.width, size_.height);
  rows.push_back(DescribeCounts(scene));
  rows.push_back("events: " + std::to_string(scene.event_count));
  for (const std::string& event : scene.events) rows.push_back("  " + event);
  rows.push_back("pictures: " + std::to_string(scene.pictures.size()) + " stored, " +
                 std::to_string(scene.lost_pictures) + " lost");
  if (!scene.last_picture.empty()) rows.push_back("  " + ShortName(scene.last_picture));
  for (const std::string& row : rows) std::printf("%s%s", row.c_str(), end);
  return static_cast<int>(rows.size());
}

void Table::Line(const DemoPipeline::Counts& counts, const Tally::Totals& totals) const {
  std::printf("%5.1f s  frames %" PRIu64 "  sent %" PRIu64 "  acknowledged %" PRIu64
              "  received %" PRIu64,
              Seconds(), counts.frames, counts.sent, counts.acknowledged, totals.received);
  for (const Tally::Row& row : totals.rows) {
    std::printf("  | %s: people %" PRIu64 " (%" PRIu64
                " in last), latency p50 %.1f ms, p95 %.1f ms",
                row.sensor.c_str(), row.objects, row.objects_in_last, row.p50_ms, row.p95_ms);
  }
  if (rules_ != nullptr) std::printf("  | %s", DescribeCounts(scene_).c_str());
  std::printf("\n");
}

uint64_t Table::Finish(const DemoPipeline::Counts& counts, const Tally& tally) {
  const Tally::Totals totals = tally.Get(true);
  if (rules_ != nullptr) scene_ = tally.scene();
  if (!terminal_) std::printf("\n");
  Draw(counts, totals);
  const uint64_t lost = counts.sent > totals.received ? counts.sent - totals.received : 0;
  std::printf("\nTotals\n");
  const std::pair<const char*, uint64_t> lines[] = {{"frames", counts.frames},
                                                    {"messages sent", counts.sent},
                                                    {"acknowledged", counts.acknowledged},
                                                    {"received", totals.received},
                                                    {"lost", lost}};
  for (const auto& [name, value] : lines) std::printf("  %-14s %6" PRIu64 "\n", name, value);
  if (counts.failed + totals.duplicates + totals.unreadable > 0) {
    std::printf("  (failed %" PRIu64 ", received twice %" PRIu64 ", unreadable %" PRIu64 ")\n",
                counts.failed, totals.duplicates, totals.unreadable);
  }
  std::printf("  A frame without people makes no message. %.1f frames a second.\n",
              static_cast<double>(counts.frames) / Seconds());
  std::fflush(stdout);
  return lost;
}

}  // namespace dsmsg_demo
