// SPDX-License-Identifier: Apache-2.0
// Publishes messages and matches acknowledgements to them by message id. The number in flight is
// limited here, to the smaller of max-inflight and the server's Receive Maximum.
//
// Threads: the connection's I/O thread only. Settings, client and host outlive it.
#ifndef DSMSG_ADAPTORS_MQTT_PRODUCER_H_
#define DSMSG_ADAPTORS_MQTT_PRODUCER_H_

#include <string>
#include <string_view>
#include <unordered_map>

#include "adaptors/mqtt/connection.h"
#include "adaptors/mqtt/sensor_envelope.h"
#include "core/driver/driver.h"
#include "core/net/send_window.h"

namespace dsmsg::mqtt {

class MqttProducer {
 public:
  MqttProducer(const MqttSettings& settings, MqttConnection& client, DriverHost& host);

  /// The link was opened: nothing is in flight. Tokens not completed stay with the core.
  void Reset();
  Status Submit(const Message& message, Token token);
  void OnPublished(int mid, int reason, const std::string& words);

  size_t in_flight() const { return in_flight_.size(); }
  bool window_full() const { return window_.full(); }
  /// A quarter of the window is free again: the next burst is worth its system calls.
  bool TakeRoom();
  /// kTimeout: a message got no answer for the silence limit, although later ones did.
  Status CheckPassedOver();
  /// A write in Submit failed: the link is lost.
  const Status& broken() const { return broken_; }

 private:
  struct Sent {
    Token token = 0;
    size_t bytes = 0;
    std::string_view topic;  // the message's: valid until it is completed
    Clock::time_point at;
  };

  bool HasRoom() const;
  Status AddProperties(const Message& message, MqttProperties* properties);
  Status PublishFailed(int error, const Message& message, size_t size);
  bool Take(int mid, Sent* sent);

  const MqttSettings& settings_;
  MqttConnection& connection_;
  DriverHost& host_;
  SensorEnvelope envelope_;
  MqttProperties constant_;  // for messages without properties of their own

  std::unordered_map<int, Sent> in_flight_;  // by message id
  size_t bytes_ = 0;
  SendWindow window_;
  int qos_ = 1, last_mid_ = 0;
  Clock::time_point newest_answered_{}, next_look_{};  // the former: when that one was sent
  // The library may call back before publish has returned (QoS 0).
  bool publishing_ = false;
  int published_inside_ = 0;
  Status broken_;
};

}  // namespace dsmsg::mqtt

#endif  // DSMSG_ADAPTORS_MQTT_PRODUCER_H_
