// SPDX-License-Identifier: Apache-2.0
// What the tests of the MQTT driver stand on: a real Mosquitto on a free loopback port, a client
// beside the driver, a host that only records, and a driver configured from text.
//
// Threads: the test's only. The server is a child process.
#ifndef DSMSG_ADAPTORS_MQTT_TEST_FIXTURE_H_
#define DSMSG_ADAPTORS_MQTT_TEST_FIXTURE_H_

#include <gtest/gtest.h>
#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "adaptors/mqtt/driver.h"
#include "core/base/fd.h"

namespace dsmsg::mqtt {

/// A folder that ends with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  std::string File(const std::string& name) const { return path_ + "/" + name; }
  /// Writes a file and returns its path.
  std::string Write(const std::string& name, const std::string& text) const;

 private:
  std::string path_;
};

/// A port that nobody listens on.
uint16_t FreePort();

/// mosquitto as a child process; killed (by pid) when the object or the test program ends.
class MosquittoServer {
 public:
  /// `lines` of mosquitto.conf, behind the listener and before allow_anonymous true (left out where
  /// `lines` name it).
  explicit MosquittoServer(std::string lines = "", bool plain = true);
  ~MosquittoServer();
  MosquittoServer(const MosquittoServer&) = delete;
  MosquittoServer& operator=(const MosquittoServer&) = delete;

  uint16_t port() const { return port_; }
  std::string Address() const { return "127.0.0.1;" + std::to_string(port_); }
  void Start();
  void Kill();    // SIGKILL
  void Freeze();  // SIGSTOP
  void Thaw();    // SIGCONT

 private:
  TemporaryFolder folder_;
  std::string lines_;
  const bool plain_;  // answers without TLS
  uint16_t port_ = 0;
  pid_t pid_ = -1;
};

/// A plain client beside the driver.
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
  /// Waits until `count` messages are there, or too long.
  const std::vector<Message>& Wait(size_t count);
  std::vector<Message> received;

 private:
  bool LoopUntil(const std::function<bool()>& done);

  mosquitto* object_;
  bool connected_ = false;
  int answered_ = 0;
};

class FakeHost final : public DriverHost {
 public:
  void Complete(Token token, const Status& status) noexcept override;
  Status Deliver(InMessage&& message, AckToken token) noexcept override;
  void LinkUp() noexcept override { ADD_FAILURE() << "LinkUp"; }
  void LinkDown(const Status&) noexcept override { ADD_FAILURE() << "LinkDown"; }
  Logger& log() noexcept override { return logger_; }

  std::map<Token, Status> completed;
  std::vector<Token> order;  // of completion
  size_t ok = 0, twice = 0;
  std::vector<InMessage> delivered;
  std::vector<AckToken> callbacks;  // of delivered messages whose callback has not returned
  size_t room = SIZE_MAX;

 private:
  Logger logger_{"MQTT"};
};

/// A driver with its host and wake-ups.
class Connection {
 public:
  explicit Connection(const std::string& server, const std::string& config = "");
  ~Connection() { driver.Close(Millis(0), -1); }

  Status Open(Millis timeout = Millis(5000));
  Status Subscribe(const std::vector<std::string>& topics, Millis limit = Millis(5000)) {
    return driver.Subscribe(topics, Clock::now() + limit);
  }
  /// Polls until `done` or an error or the time is over; kTimeout in the last case.
  Status PumpUntil(const std::function<bool()>& done, Millis timeout = Millis(10000));
  /// Submits (polling while there is no room); the token is the number of the message, from 1.
  Status Send(const std::string& topic, std::string payload);
  Status Send(const Message& message);
  Status WaitCompleted(size_t count);
  Status WaitDelivered(size_t count);
  /// The callbacks of what was delivered return.
  void ReturnCallbacks();

  FakeHost host;
  bool slow_callbacks = false;  // they do not return by themselves
  MqttDriver driver{host};
  Status configured;
  WakeFd wake, cancel;
  std::vector<std::unique_ptr<std::string>> kept;  // messages stay valid until completed
  Token last_token = 0;
};

class Environment {
 public:
  Environment(const char* name, const std::string& value);
  ~Environment();

 private:
  const char* name_;
};

}  // namespace dsmsg::mqtt

#endif  // DSMSG_ADAPTORS_MQTT_TEST_FIXTURE_H_
