// SPDX-License-Identifier: Apache-2.0
// Subscribes and hands received messages over.
//
// libmosquitto acknowledges a message when it has read it, before anybody has seen it, and offers
// no way to do that later. So what was read is never dropped for a lost link, and what the core has
// no room for waits here, while nothing more is read from the socket.
//
// Threads: the connection's I/O thread only. Settings, client and host outlive it.
#ifndef DSMSG_ADAPTORS_MQTT_MQTT_CONSUMER_H_
#define DSMSG_ADAPTORS_MQTT_MQTT_CONSUMER_H_

#include <deque>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/driver.h"
#include "mqtt_client.h"

namespace dsmsg {

class MqttConsumer {
 public:
  MqttConsumer(const MqttSettings& settings, MqttClient& client, DriverHost& host)
      : settings_(settings), client_(client), host_(host) {}

  /// The link was opened: the server may know nothing of our topics. Received messages stay.
  void Reset();
  /// Replaces the topics and waits for the server's answer; does the connection's other work
  /// meanwhile.
  Status Subscribe(std::span<const std::string> topics, int cancel_fd);

  void OnMessage(const mosquitto_message& message);
  void OnSubscribed(int mid, std::span<const int> granted);
  void OnUnsubscribed(int mid);

  /// Hands over what waits; true: there is room for more.
  bool DeliverPending();
  bool has_room() const { return pending_.empty(); }
  size_t pending() const { return pending_.size(); }
  /// Subscribe lost the link.
  const Status& broken() const { return broken_; }

 private:
  Status Request(const std::vector<std::string>& gone, const std::vector<std::string>& added);
  Status WaitAnswers(int cancel_fd);
  Status CheckGranted(const std::vector<std::string>& added);
  bool Wanted(const char* topic) const;
  void KeepEarly(InMessage&& message);
  void Deliver(InMessage&& message);

  const MqttSettings& settings_;
  MqttClient& client_;
  DriverHost& host_;

  std::set<std::string> wanted_;      // what the host asked for
  std::set<std::string> subscribed_;  // what this connection has asked the server for
  bool called_ = false;               // Subscribe, ever
  /// Topics that are not wanted may come: of an older session, or just given up.
  bool strangers_ = false;
  int subscribe_mid_ = 0, unsubscribe_mid_ = 0;  // answers waited for
  std::vector<int> granted_;
  std::deque<InMessage> pending_;
  std::deque<InMessage> early_;  // of a resumed session, before Subscribe was called
  Status broken_;
};

}  // namespace dsmsg

#endif  // DSMSG_ADAPTORS_MQTT_MQTT_CONSUMER_H_
