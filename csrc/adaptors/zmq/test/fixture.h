// SPDX-License-Identifier: Apache-2.0
// What the tests of the ZeroMQ driver stand on: plain libzmq sockets as the other side, a host that
// only records, and a driver configured from text.
#ifndef DSMSG_ADAPTORS_ZMQ_TEST_FIXTURE_H_
#define DSMSG_ADAPTORS_ZMQ_TEST_FIXTURE_H_

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adaptors/zmq/driver.h"
#include "core/base/fd.h"
#include "core/net/hints.h"

namespace dsmsg::zmq {

using Frames = std::vector<std::string>;

/// A libzmq socket of a context of its own.
class Peer {
 public:
  explicit Peer(int type);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void Set(int option, int value);
  void Set(int option, const std::string& value);
  /// Binds "tcp://127.0.0.1:*" and returns what was chosen, or the address itself.
  std::string Bind(const std::string& address = "tcp://127.0.0.1:*");
  void Connect(const std::string& address);
  /// Nothing within `timeout`: no value.
  std::optional<Frames> Receive(Millis timeout = Millis(5000));
  void Send(const Frames& frames);
  void Close();

 private:
  void* const context_;
  void* socket_;
};

class FakeHost final : public DriverHost {
 public:
  void Complete(Token token, const Status& status) noexcept override;
  Status Deliver(InMessage&& message, AckToken token) noexcept override;
  void LinkUp() noexcept override { ADD_FAILURE() << "only library-retried drivers report it"; }
  void LinkDown(const Status&) noexcept override { ADD_FAILURE() << "LinkDown"; }
  void CountUnheard() noexcept override { ++unheard; }
  Logger& log() noexcept override { return logger_; }

  std::map<Token, Status> completed;
  size_t twice = 0, unheard = 0;
  std::vector<InMessage> delivered;
  std::vector<AckToken> tokens;
  size_t room = SIZE_MAX;

 private:
  Logger logger_{"ZMQ"};
};

/// A driver with its host and wake-ups.
class Connection {
 public:
  explicit Connection(const std::string& address, const std::string& config = "");
  ~Connection() { driver.Close(Millis(0), -1); }

  Status Open(Millis timeout = Millis(5000));
  Status Subscribe(const std::vector<std::string>& topics = {"t"}) {
    return driver.Subscribe(topics, Clock::now() + Millis(5000));
  }
  /// One submission, without waiting. The token is the number of the message, from 1.
  Status Submit(const std::string& topic, std::string payload);
  /// Submits, polling while there is no room.
  Status Send(const std::string& topic, std::string payload);
  /// Polls until `done` or an error or the time is over; kTimeout in the last case.
  Status PumpUntil(const std::function<bool()>& done, Millis timeout = Millis(10000));
  Status WaitCompleted(size_t count);
  Status WaitDelivered(size_t count);
  /// Submits until there is no room and none comes; returns how many were taken.
  size_t Fill(const std::string& payload);
  Status WaitLost() {
    return PumpUntil([] { return false; });
  }

  FakeHost host;
  ZmqDriver driver{host};
  Status configured;
  WakeFd wake, cancel;
  std::vector<std::unique_ptr<std::string>> kept;  // messages stay valid until completed
  Token last_token = 0;
};

/// A port of 127.0.0.1 that was free a moment ago.
uint16_t FreePort();
std::string FreeTcp();                            // "tcp://127.0.0.1:<free port>"
std::string NewIpc();                             // "ipc:///tmp/..."
std::string NewInproc();                          // "inproc://..."
std::string Binding(const std::string& address);  // the same, marked to be bound

/// The error of a configuration, "" when it is accepted.
std::string ConfigureError(const std::string& address, const std::string& config);

}  // namespace dsmsg::zmq

#endif  // DSMSG_ADAPTORS_ZMQ_TEST_FIXTURE_H_
