// SPDX-License-Identifier: Apache-2.0
// The MQTT adaptor's driver: one connection that sends (MqttProducer) and receives (MqttConsumer),
// because a second one with the same client-id would disconnect the first.
//
// Messages unacknowledged when a connection ended are sent again by the core, not by libmosquitto:
// every connection has its own client object (handle.h). QoS 2 therefore means exactly once within
// one connection, and at least once across a lost one.
//
// Threads: as core/driver/driver.h says. The host outlives it.
#ifndef DSMSG_ADAPTORS_MQTT_DRIVER_H_
#define DSMSG_ADAPTORS_MQTT_DRIVER_H_

#include <memory>
#include <span>
#include <string>

#include "adaptors/mqtt/connection.h"
#include "adaptors/mqtt/consumer.h"
#include "adaptors/mqtt/producer.h"
#include "adaptors/mqtt/settings.h"
#include "core/base/time.h"
#include "core/driver/driver.h"
#include "core/options/config.h"

namespace dsmsg::mqtt {

class MqttDriver : public Driver, private MqttEvents {
 public:
  static const DriverInfo& Info();

  explicit MqttDriver(DriverHost& host) : host_(host) {}

  Status Configure(const Endpoints& endpoints, const Config& config) override;
  Status Open(Role role, Deadline deadline, int cancel_fd) override;
  bool WantsReopen() const noexcept override {
    return settings_.dialect != nullptr && Clock::now() >= settings_.dialect->renew_at();
  }
  Status Submit(const Message& message, Token token) override;
  Status Poll(Millis budget, int wake_fd) override;
  Status Subscribe(std::span<const std::string> topics, Deadline deadline) override;
  void Ack(AckToken token) noexcept override;
  void Release(AckToken token, InMessage&& message) noexcept override;
  void Close(Millis drain, int cancel_fd) noexcept override;

 protected:
  /// What remains of Configure when the settings are known.
  void Start(MqttSettings settings);
  DriverHost& host() { return host_; }

 private:
  Status Work(Millis budget, int wake_fd);

  void OnPublished(int mid, int reason, const std::string& words) override {
    producer_->OnPublished(mid, reason, words);
  }
  void OnMessage(const mosquitto_message& message, const mosquitto_property* properties) override {
    consumer_->OnMessage(message, properties);
  }
  void OnSubscribed(int mid, std::span<const int> granted) override {
    consumer_->OnSubscribed(mid, granted);
  }
  void OnUnsubscribed(int mid) override { consumer_->OnUnsubscribed(mid); }

  DriverHost& host_;
  MqttSettings settings_;
  // Made by Configure.
  std::unique_ptr<MqttConnection> connection_;
  std::unique_ptr<MqttProducer> producer_;
  std::unique_ptr<MqttConsumer> consumer_;
  int cancel_fd_ = -1;  // of the last Open: valid as long as the connection
};

}  // namespace dsmsg::mqtt

#endif  // DSMSG_ADAPTORS_MQTT_DRIVER_H_
