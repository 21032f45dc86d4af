// SPDX-License-Identifier: Apache-2.0
#include "adaptors/kafka/kafka_link.h"

#include <algorithm>
#include <chrono>
#include <string>

namespace dsmsg::kafka {
namespace {

// A broker that closes an idle connection is back well within this.
constexpr Millis kSettle{150};
constexpr Millis kProbeEvery{1000};

}  // namespace

void LinkWatch::OnError(rd_kafka_resp_err_t err, std::string_view text) {
  // The events of single brokers carry the cause; the summary does not.
  if (err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || cause_.ok()) {
    cause_ = client_.Explain(err, text);
  }
  if (up_ && !due_set_) {
    due_set_ = true;
    due_ = Clock::now() + kSettle;
  }
  host_.log().Limited(LogLevel::kInfo, "broker-error", text);
}

Millis LinkWatch::Tick(Millis budget) {
  if (!due_set_) return budget;
  const Deadline now = Clock::now();
  if (now >= due_) {
    const bool usable = client_.AnyBrokerUp();
    if (up_ && usable) {
      // One of several brokers is away, or it was over at once. Messages for that broker wait,
      // which is worth a line; the link as a whole is up.
      due_set_ = false;
      host_.log().Limited(LogLevel::kWarn, "broker-away", cause_.message());
      cause_ = {};
      return budget;
    }
    if (usable) {
      Up();
      return budget;
    }
    if (up_) {
      up_ = false;
      (void)client_.TakeConnects();
      connects_ = 0;
      last_attempt_ = now;
      host_.LinkDown(cause_);
    } else {
      CountAttempts(now);
    }
    due_ = now + kProbeEvery;
  }
  const auto left = std::chrono::ceil<Millis>(due_ - now);
  return std::min(budget, left);
}

void LinkWatch::Up() {
  up_ = true;
  due_set_ = false;
  cause_ = {};
  host_.LinkUp();
}

void LinkWatch::CountAttempts(Deadline now) {
  connects_ += client_.TakeConnects();
  const auto brokers = static_cast<uint32_t>(settings_.broker_count());
  // No connect at all for so long: each attempt ends at the name lookup, which nobody counts.
  const bool lookup = connects_ == 0 && now - last_attempt_ >= settings_.reconnect_max();
  uint32_t attempts = lookup ? 1 : connects_ / brokers;
  if (attempts == 0) return;
  connects_ %= brokers;
  last_attempt_ = now;
  // Backoff leaves room for a handful in a second; the bound is for a user who sets it to nothing.
  for (attempts = std::min(attempts, 100U); attempts > 0; --attempts) host_.LinkDown(cause_);
}

}  // namespace dsmsg::kafka
