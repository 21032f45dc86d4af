// SPDX-License-Identifier: Apache-2.0
// Subscribes and hands received messages over.
//
// A message of QoS 1 is acknowledged once the core has accepted it or, in a session that outlives
// its connection (clean-session=0), once the host's callback has returned: until then the server
// would send it again. Messages that the core has no room for wait here unacknowledged, and the
// server sends no more than its window. A message of QoS 0 that does not fit here either is
// dropped.
//
// Threads: the connection's I/O thread only. Settings, client and host outlive it.
#ifndef DSMSG_ADAPTORS_MQTT_CONSUMER_H_
#define DSMSG_ADAPTORS_MQTT_CONSUMER_H_

#include <deque>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "adaptors/mqtt/connection.h"
#include "core/base/time.h"
#include "core/driver/driver.h"

namespace dsmsg::mqtt {

class MqttConsumer {
 public:
  MqttConsumer(const MqttSettings& settings, MqttConnection& client, DriverHost& host)
      : settings_(settings), connection_(client), host_(host) {}

  /// Open begins. Messages that come before Reset are kept and not delivered yet.
  void BeginOpen();
  /// The link was opened: the server may not know our topics. Received messages stay, unless the
  /// server sends them again.
  void Reset();
  /// Replaces the topics and waits for the server's answer, doing the connection's other work
  /// meanwhile. On an error the previous topics are in force again (driver.h).
  Status Subscribe(std::span<const std::string> topics, Deadline deadline, int cancel_fd);
  static bool Matches(const std::string& filter, const std::string& topic);

  void OnMessage(const mosquitto_message& message, const mosquitto_property* properties);
  void OnSubscribed(int mid, std::span<const int> granted);
  void OnUnsubscribed(int mid);

  /// Handled: acknowledged as soon as those received before it are, because MQTT wants them in
  /// order (MQTT-4.6.0-2).
  void Ack(AckToken token);

  /// Hands waiting messages over; true: there is room for more.
  bool DeliverPending();
  /// Without room: whether the connection may be read to get other answers.
  bool MayRead();
  /// How many of the waiting messages would not come again after an orderly end.
  size_t UnsavedPending() const;
  /// Subscribe lost the link.
  const Status& broken() const { return broken_; }

 private:
  Status Change(const std::vector<std::string>& gone, const std::vector<std::string>& added,
                Deadline deadline, int cancel_fd);
  Status Add(const std::vector<std::string>& topics);
  Status AddRequests();
  Status Remove(const std::vector<std::string>& topics);
  Status WaitAnswers(Deadline deadline, int cancel_fd);
  bool IsIdInUse() const;
  Status CheckGranted(const std::vector<std::string>& added) const;
  void Adopt(std::set<std::string> wanted);
  bool Wanted(const std::string& topic) const;
  struct Received {
    InMessage message;
    int qos = 0;
    int mid = 0;  // to acknowledge; 0: not needed, or done
  };
  void Forget(std::deque<Received>* waiting, size_t of_before) const;
  void KeepEarly(Received&& received);
  void Deliver(Received&& received);
  Status Offer(Received* received);
  void Keep(Received&& received);

  const MqttSettings& settings_;
  MqttConnection& connection_;
  DriverHost& host_;

  std::set<std::string> wanted_;      // what the host asked for; during a change: old and new
  std::set<std::string> subscribed_;  // what this connection has asked the server for
  bool called_ = false;               // Subscribe, ever
  bool subscribing_ = false;          // nothing is delivered
  /// Unwanted topics may come: from an older session, or just unsubscribed.
  bool strangers_ = false;
  int subscribe_mid_ = 0, unsubscribe_mid_ = 0;  // answers waited for
  std::vector<int> granted_;
  struct Owed {
    int mid = 0;
    bool handled = false;
  };
  std::deque<Owed> owed_;  // received with QoS 1 over this connection and not acknowledged
  std::deque<Received> pending_;
  size_t pending_bytes_ = 0;
  bool opening_ = false;
  size_t pending_before_ = 0, early_before_ = 0;  // of an earlier connection
  uint64_t dropped_ = 0;                          // messages of QoS 0
  std::deque<Received> early_;  // of a resumed session, before Subscribe was called
  size_t early_bytes_ = 0;
  Status broken_;
};

}  // namespace dsmsg::mqtt

#endif  // DSMSG_ADAPTORS_MQTT_CONSUMER_H_
