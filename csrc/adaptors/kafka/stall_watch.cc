// SPDX-License-Identifier: Apache-2.0
#include "adaptors/kafka/stall_watch.h"
#include "core/base/time.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace dsmsg::kafka {
namespace {

constexpr Millis kPatience{3000};  // nothing acknowledged
constexpr Millis kListen{5000};    // librdkafka retries at least every second
constexpr Millis kLook{200};       // while listening

}  // namespace

std::string RefusalIn(std::string_view line) {
  constexpr std::string_view kWhat = "]: MessageSet with ", kError = " encountered error: ";
  const size_t what = line.find(kWhat), error = line.find(kError);
  if (what == line.npos || error == line.npos) return "";
  std::string_view topic = line.substr(0, what);
  topic = topic.substr(0, topic.rfind(" ["));
  topic.remove_prefix(std::min(topic.size(), topic.rfind(": ") + 2));
  std::string_view text = line.substr(error + kError.size());
  text = text.substr(0, text.find(" (actions "));
  std::string refusal = "topic '" + std::string(topic) + "': " + std::string(text);
  if (text.find("in-sync") != text.npos) {
    refusal +=
        " (fewer replicas are in sync than the topic's min.insync.replicas requires: bring the "
        "missing brokers back, or lower it)";
  }
  return refusal;
}

void StallWatch::Suspect() {
  if (!listening_ && !told_) Listen(Clock::now());
}

Millis StallWatch::Tick(size_t waiting, Millis budget) {
  const Deadline now = Clock::now();
  if (waiting == 0 || !waited_) since_ = now;
  if (waiting == 0 && std::exchange(told_, false)) {
    host_.log().Limited(LogLevel::kWarn, "taken", "the brokers accept messages again");
  }
  waited_ = waiting > 0;
  if (listening_) {
    const std::string refusal = connection_.TakeRefusal();
    if (waiting > 0 && !refusal.empty()) Tell(refusal, waiting);
    if (waiting > 0 && refusal.empty() && now < until_) return std::min(budget, kLook);
    listening_ = false;
    since_ = now;
    connection_.ListenToRefusals(false);
  }
  if (!waited_ || told_) return budget;
  const Deadline due = since_ + kPatience;
  if (now < due) return std::min(budget, std::chrono::ceil<Millis>(due - now));
  Listen(now);
  return std::min(budget, kLook);
}

void StallWatch::Listen(Deadline now) {
  listening_ = true;
  until_ = now + kListen;
  connection_.ListenToRefusals(true);
}

void StallWatch::Tell(const std::string& refusal, size_t waiting) {
  told_ = true;
  host_.log().Limited(LogLevel::kWarn, "refused",
                      "the brokers accept no messages at present: " + refusal + "; " +
                          std::to_string(waiting) +
                          " messages wait here and are retried until they are accepted");
}

}  // namespace dsmsg::kafka
