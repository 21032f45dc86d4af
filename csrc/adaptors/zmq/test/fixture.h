// SPDX-License-Identifier: Apache-2.0
// What the tests of the ZeroMQ driver share: plain libzmq sockets as the other side.
#ifndef DSMSG_ADAPTORS_ZMQ_TEST_FIXTURE_H_
#define DSMSG_ADAPTORS_ZMQ_TEST_FIXTURE_H_

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "adaptors/zmq/driver.h"
#include "core/net/hints.h"
#include "support/driver_harness.h"
#include "support/server_process.h"

namespace dsmsg::zmq {

using Frames = std::vector<std::string>;

/// A libzmq socket with its own context.
class Peer {
 public:
  explicit Peer(int type);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void Set(int option, int value);
  void Set(int option, const std::string& value);
  /// Binds the address and returns it; for "tcp://127.0.0.1:*" with the port that was chosen.
  std::string Bind(const std::string& address = "tcp://127.0.0.1:*");
  void Connect(const std::string& address);
  /// No value if nothing comes within `timeout`.
  std::optional<Frames> Receive(Millis timeout = Millis(5000));
  void Send(const Frames& frames);
  void Close();

 private:
  void* const context_;
  void* socket_;
};

class Connection : public testing::DriverHarness<ZmqDriver> {
 public:
  using DriverHarness::DriverHarness;

  Status Subscribe(const std::vector<std::string>& topics = {"t"}) {
    return DriverHarness::Subscribe(topics);
  }
  /// Submits until there is no room and none becomes free; returns how many were taken.
  size_t Fill(const std::string& payload);
  Status WaitLost() {
    return PumpUntil([] { return false; });
  }
};

std::string FreeTcp();                            // "tcp://127.0.0.1:<free port>"
std::string NewIpc();                             // "ipc:///tmp/..."
std::string NewInproc();                          // "inproc://..."
std::string Binding(const std::string& address);  // the same, marked to be bound

/// The error of a configuration, "" when it is accepted.
std::string ConfigureError(const std::string& address, const std::string& config);

}  // namespace dsmsg::zmq

#endif  // DSMSG_ADAPTORS_ZMQ_TEST_FIXTURE_H_
