// SPDX-License-Identifier: Apache-2.0
#include "adaptors/kafka/brokers_watch.h"
#include "core/base/time.h"

#include <algorithm>
#include <chrono>
#include <string>

namespace dsmsg::kafka {
namespace {

// A broker that closed an idle connection is connected again well within this time.
constexpr Millis kSettle{150};
// Since librdkafka 2.10, each check is an attempt, at any one of a name's addresses.
constexpr Millis kProbeEvery{500};
constexpr Millis kTellLatest{1000};
constexpr size_t kMostAddresses = 100;

}  // namespace

void BrokersWatch::OnError(rd_kafka_resp_err_t err, std::string_view text) {
  // Events of single brokers carry the cause. The summary ("0/2 brokers are down") does not, and
  // comes alone if librdkafka only logs the end of a connection (since 2.11), or has just replaced
  // a bootstrap connection by one from the cluster's list.
  if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    const std::string failure = connection_.LastFailure();
    if (cause_.ok() && !failure.empty()) {
      cause_ = connection_.Explain(RD_KAFKA_RESP_ERR__TRANSPORT, failure);
    }
  } else {
    cause_ = connection_.Explain(err, text);
    if (const std::string address = connection_.AdvertisedIn(text); !address.empty()) {
      cause_ = connection_.ExplainAdvertised(cause_, text);
      if (unreachable_.size() < kMostAddresses) unreachable_.insert_or_assign(address, cause_);
    }
  }
  if (up_ && !due_set_) {
    due_set_ = true;
    due_ = Clock::now() + kSettle;
    tell_at_ = Clock::now() + kTellLatest;
  }
  host_.log().Limited(LogLevel::kInfo, "broker-error", text);
}

Millis BrokersWatch::Tick(Millis budget) {
  if (!due_set_) return budget;
  const Deadline now = Clock::now();
  if (now >= due_) {
    const bool usable = Usable();
    if (up_ && usable) {
      // One of several brokers is down, or was for a moment. Messages for that broker wait, which
      // is worth a log line; the link as a whole is up.
      due_set_ = false;
      if (!cause_.ok()) host_.log().Limited(LogLevel::kWarn, "broker-away", cause_.message());
      cause_ = {};
      connection_.ForgetFailure();
      return budget;
    }
    if (usable) {
      Up();
      return budget;
    }
    if (up_ && cause_.ok() && now < tell_at_) {  // the next attempt reports it
      due_ = now + kSettle;
      return std::min(budget, kSettle);
    }
    if (cause_.ok()) {
      cause_ = {Code::kUnavailable, "cannot reach broker " + settings_.brokers() +
                                        ": none of the cluster's brokers can be reached"};
    }
    if (up_) {
      up_ = false;
      (void)connection_.TakeConnects();
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

bool BrokersWatch::Usable() {
  if (!connection_.AnyBrokerUp()) return false;
  if (unreachable_.empty()) return true;
  for (const std::string& address : connection_.Advertised(kSlice)) {
    if (!unreachable_.contains(address)) return true;
  }
  // librdkafka may not try again until it has a message for one of them.
  int looked = 0;
  for (auto it = unreachable_.begin(); it != unreachable_.end() && looked < 3; ++it, ++looked) {
    if (!Reachable(it->first)) continue;
    unreachable_.erase(it);
    return true;
  }
  cause_ = unreachable_.begin()->second;
  return false;
}

void BrokersWatch::Up() {
  up_ = true;
  due_set_ = false;
  cause_ = {};
  connection_.ForgetFailure();
  host_.LinkUp();
}

void BrokersWatch::CountAttempts(Deadline now) {
  connects_ += connection_.TakeConnects();
  const auto brokers = static_cast<uint32_t>(settings_.broker_count());
  // No connect call for this long: every attempt ends at the name lookup, which is not counted.
  const bool lookup = connects_ == 0 && now - last_attempt_ >= settings_.reconnect_max();
  uint32_t attempts = lookup ? 1 : connects_ / brokers;
  if (attempts == 0) return;
  connects_ %= brokers;
  last_attempt_ = now;
  // Backoff allows a handful per second; the limit is for users who set it to almost nothing.
  for (attempts = std::min(attempts, 100U); attempts > 0; --attempts) host_.LinkDown(cause_);
}

}  // namespace dsmsg::kafka
