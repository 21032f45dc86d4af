// SPDX-License-Identifier: Apache-2.0
// What the tests of the MQTT driver share: a real Mosquitto on a free loopback port, and a second
// client.
//
// Threads: the test's only. The server is a child process.
#ifndef DSMSG_ADAPTORS_MQTT_TEST_FIXTURE_H_
#define DSMSG_ADAPTORS_MQTT_TEST_FIXTURE_H_

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "adaptors/mqtt/driver.h"
#include "support/driver_harness.h"
#include "support/server_process.h"

namespace dsmsg::mqtt {

using testing::Environment;
using testing::FreePort;
using testing::TemporaryFolder;

/// mosquitto as a child process.
class MosquittoServer {
 public:
  /// `lines` of mosquitto.conf, after the listener and before allow_anonymous true (left out if
  /// `lines` contain it).
  explicit MosquittoServer(std::string lines = "", bool plain = true);

  uint16_t port() const { return port_; }
  std::string Address() const { return "127.0.0.1;" + std::to_string(port_); }
  void Start();
  void Kill() { process_.Kill(); }
  void Freeze() { process_.Freeze(); }
  void Thaw() { process_.Thaw(); }

 private:
  const TemporaryFolder folder_;
  std::string lines_;
  const bool plain_;  // answers without TLS
  uint16_t port_ = 0;
  testing::ServerProcess process_;
};

/// A plain client, independent of the driver.
class Client {
 public:
  struct Message {
    std::string topic, payload;
    bool retain = false;
    int qos = 0;
    std::vector<std::pair<std::string, std::string>> user_properties;
  };

  explicit Client(uint16_t port, const std::string& id = "", bool version5 = true);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void Subscribe(const std::string& filter, int qos = 2);  // and waits for the answer
  void Publish(const std::string& topic, const std::string& payload, int qos = 1,
               bool retain = false);  // and waits for the answer
  /// Waits until `count` messages are there; gives up after a long time.
  const std::vector<Message>& Wait(size_t count);
  std::vector<Message> received;

 private:
  bool LoopUntil(const std::function<bool()>& done);

  mosquitto* object_;
  bool connected_ = false;
  int answered_ = 0;
};

/// Callbacks return by themselves, and SIGPIPE is blocked, as on the core's I/O thread.
class Connection : public testing::DriverHarness<MqttDriver> {
 public:
  explicit Connection(const std::string& server, const std::string& config = "");
};

}  // namespace dsmsg::mqtt

#endif  // DSMSG_ADAPTORS_MQTT_TEST_FIXTURE_H_
