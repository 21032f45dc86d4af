// SPDX-License-Identifier: Apache-2.0
// How Azure IoT Hub speaks MQTT 3.1.1: tokens for a password, one topic for each device or module
// with the message's properties behind it, messages to the device, requests that are answered
// "not supported" (direct methods, desired properties).
//
// Threads: the connection's I/O thread only.
#ifndef DSMSG_ADAPTORS_AZURE_HUB_H_
#define DSMSG_ADAPTORS_AZURE_HUB_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adaptors/azure/identity.h"
#include "adaptors/mqtt/dialect.h"
#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/options/options.h"

namespace dsmsg::azure {

struct HubSettings {
  Identity identity;
  std::string user_name;
  std::chrono::seconds token_life{3600};
  Pairs properties;            // of every message: names of the system's own begin with "$."
  std::string topic_property;  // a message's topic goes there; empty: nowhere
  UniqueFd trust_bundle;       // a file in memory, filled before the first connection
};

class Hub final : public mqtt::Dialect {
 public:
  /// The hub's limit, topic included.
  static constexpr size_t kMostBytes = size_t{256} << 10;
  /// What the host is told as topic of messages to a device.
  static constexpr char kDeviceTopic[] = "devicebound";
  /// The property that is a module's output, and its topic.
  static constexpr char kOutput[] = "$.on";

  Hub(HubSettings settings, Logger& log);

  Result<Login> NewLogin(Deadline deadline, int cancel_fd) override;
  Clock::time_point renew_at() const override { return renew_at_; }
  std::string LoginAdvice() const override;
  std::string ShortLifeAdvice() const override;
  Result<const char*> WireTopic(const Message& message) override;
  std::string Filter(const std::string& /*topic*/) const override { return inbox_ + "#"; }
  bool Matches(const std::string& topic, const std::string& received) const override;
  std::span<const char* const> Requests() const override;
  bool Read(const mosquitto_message& message, mosquitto* client, InMessage* out) override;

  /// "$.mid" for "message-id" and so on: the names as the hub writes them.
  static bool IsSystemName(std::string_view name);

 private:
  Status FetchTrustBundle(Deadline deadline, int cancel_fd);
  /// Replaces an earlier value of that property.
  void Put(std::string_view name, std::string_view value);
  void Refuse(std::string_view request, mosquitto* client);

  HubSettings settings_;
  Logger& log_;
  const std::string inbox_;  // what topics of received messages begin with
  Clock::time_point renew_at_ = Clock::time_point::max();
  bool trusted_ = false;
  // Of the message in hand.
  std::string wire_;
  std::vector<std::pair<std::string_view, std::string_view>> properties_;  // as they are written
};

}  // namespace dsmsg::azure

#endif  // DSMSG_ADAPTORS_AZURE_HUB_H_
