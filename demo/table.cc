// SPDX-License-Identifier: Apache-2.0
#include "table.h"

#include <rapidjson/document.h>
#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>
#include <unistd.h>

#include <algorithm>
#include <array>
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

std::string Tenths(double value) {
  std::array<char, 32> text = {};
  std::snprintf(text.data(), text.size(), "%.1f", value);
  return text.data();
}

/// Lines whose columns are as wide as their widest cell, with two blanks between them: the first is
/// flush left, the others flush right.
std::vector<std::string> Columns(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::vector<std::string> lines;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string blanks(widths[i] - row[i].size(), ' ');
      line += i == 0 ? row[i] + blanks : "  " + blanks + row[i];
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

/// The payload with line breaks, and only the first of its objects.
std::string Shown(const std::string& payload) {
  rapidjson::Document json;
  if (json.Parse(payload.c_str()).HasParseError() || !json.IsObject()) return payload;
  std::string more;
  if (json.HasMember("objects") && json["objects"].IsArray() && json["objects"].Size() > 1) {
    rapidjson::Value& objects = json["objects"];
    more = "\n(and " + std::to_string(objects.Size() - 1) + " more in \"objects\")";
    objects.Erase(objects.Begin() + 1, objects.End());
  }
  rapidjson::StringBuffer text;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(text);
  writer.SetIndent(' ', 2);
  json.Accept(writer);
  return text.GetString() + more;
}

}  // namespace

Table::Table(std::string title, unsigned frames)
    : title_(std::move(title)), frames_(frames), terminal_(isatty(STDOUT_FILENO) != 0) {}

double Table::Seconds() const {
  return std::chrono::duration<double>(Clock::now() - begin_).count();
}

void Table::Update(const DemoPipeline::Counts& counts, const Outage::State& outage,
                   const Tally& tally) {
  const uint64_t waiting = counts.sent - counts.acknowledged - counts.failed;
  const bool over = outage.phase == Outage::Phase::kOver;
  if ((over && !caught_up_) || outage.phase == Outage::Phase::kDown) {
    most_waiting_ = std::max(most_waiting_, waiting);
    caught_up_ = over && waiting == 0;
  }
  const Clock::time_point now = Clock::now();
  if (now < next_) return;
  next_ = now + (terminal_ ? kDrawEvery : kLineEvery);
  if (!shown_message_ && tally.received() > 0) {
    shown_message_ = true;
    drawn_lines_ = 0;  // the table goes on below
    std::printf("\nA message, as the consumer received it:\n%s\n\n", Shown(tally.first()).c_str());
  }
  if (rules_ != nullptr) scene_ = tally.scene();
  if (terminal_) {
    Draw(counts, outage, tally.Get(false), "");
  } else {
    Line(counts, outage, tally.Get(false));
  }
  std::fflush(stdout);
}

std::string Table::BrokerState(const Outage::State& outage) const {
  switch (outage.phase) {
    case Outage::Phase::kDown:
      return "killed " + Tenths(Seconds() - outage.killed_s) + " s ago, messages wait";
    case Outage::Phase::kOver:
      return "back, after " + Tenths(outage.back_s - outage.killed_s) + " s";
    default:
      return "up";
  }
}

void Table::Draw(const DemoPipeline::Counts& counts, const Outage::State& outage,
                 const Tally::Totals& totals, const std::string& lost) {
  if (drawn_lines_ > 0) std::printf("\033[%dA", drawn_lines_);  // up again
  const char* const end = terminal_ ? "\033[K\n" : "\n";  // what stood there is longer, perhaps
  std::string frames = std::to_string(counts.frames);
  if (frames_ != 0) frames += " of " + std::to_string(frames_);
  std::printf("%s%s", title_.c_str(), end);
  std::printf("%s s   frames %s   broker %s%s", Tenths(Seconds()).c_str(), frames.c_str(),
              BrokerState(outage).c_str(), end);
  std::vector<std::vector<std::string>> rows = {{"sensor", "sent", "acknowledged", "waiting",
                                                 "received", "lost", "people", "p50 ms", "p95 ms"}};
  const uint64_t waiting = counts.sent - counts.acknowledged - counts.failed;
  const std::vector<std::string> all = {
      std::to_string(counts.sent), std::to_string(counts.acknowledged), std::to_string(waiting)};
  for (const Tally::Row& row : totals.rows) {
    const bool only = totals.rows.size() == 1;
    std::vector<std::string> cells = {row.sensor};
    if (only) cells.insert(cells.end(), all.begin(), all.end());
    cells.resize(4);
    cells.insert(cells.end(),
                 {std::to_string(row.messages), only ? lost : "", std::to_string(row.objects),
                  Tenths(row.p50_ms), Tenths(row.p95_ms)});
    rows.push_back(std::move(cells));
  }
  if (totals.rows.size() != 1) {
    rows.push_back({"all", all[0], all[1], all[2], std::to_string(totals.received), lost});
  }
  for (const std::string& line : Columns(rows)) std::printf("  %s%s", line.c_str(), end);
  drawn_lines_ = 2 + static_cast<int>(rows.size()) + DrawScene(scene_);
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

void Table::Line(const DemoPipeline::Counts& counts, const Outage::State& outage,
                 const Tally::Totals& totals) const {
  std::printf("%5s s  frames %" PRIu64 "  sent %" PRIu64 "  acknowledged %" PRIu64
              "  waiting %" PRIu64 "  received %" PRIu64 "  broker %s",
              Tenths(Seconds()).c_str(), counts.frames, counts.sent, counts.acknowledged,
              counts.sent - counts.acknowledged - counts.failed, totals.received,
              BrokerState(outage).c_str());
  for (const Tally::Row& row : totals.rows) {
    std::printf("  | %s: people %" PRIu64 ", latency p50 %.1f ms, p95 %.1f ms", row.sensor.c_str(),
                row.objects, row.p50_ms, row.p95_ms);
  }
  if (rules_ != nullptr) std::printf("  | %s", DescribeCounts(scene_).c_str());
  std::printf("\n");
}

uint64_t Table::Finish(const DemoPipeline::Counts& counts, const Outage::State& outage,
                       const Tally& tally) {
  next_ = {};
  Update(counts, outage, tally);  // a short run has shown no message yet
  const Tally::Totals totals = tally.Get(true);
  if (!terminal_) std::printf("\n");
  const uint64_t lost = counts.sent > totals.received ? counts.sent - totals.received : 0;
  Draw(counts, outage, totals, std::to_string(lost));
  std::printf("\n");
  if (outage.phase == Outage::Phase::kOver) {
    std::printf(
        "The broker was killed after %s s and came back after %s s. Meanwhile up to %" PRIu64
        " messages waited; %s was lost.\n",
        Tenths(outage.killed_s).c_str(), Tenths(outage.back_s).c_str(), most_waiting_,
        lost == 0 ? "none" : (std::to_string(lost) + " of all").c_str());
  }
  if (counts.failed + totals.duplicates + totals.unreadable > 0) {
    std::printf("(failed %" PRIu64 ", received twice %" PRIu64 ", unreadable %" PRIu64 ")\n",
                counts.failed, totals.duplicates, totals.unreadable);
  }
  std::printf("A frame without people makes no message. %.1f frames a second.\n",
              static_cast<double>(counts.frames) / Seconds());
  std::fflush(stdout);
  return lost;
}

}  // namespace dsmsg_demo
