// SPDX-License-Identifier: Apache-2.0
// What the tests of the Pulsar driver share: one real server for the whole program.
#ifndef DSMSG_ADAPTORS_PULSAR_TEST_FIXTURE_H_
#define DSMSG_ADAPTORS_PULSAR_TEST_FIXTURE_H_

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "adaptors/pulsar/driver.h"
#include "pulsar_client.h"
#include "server.h"
#include "support/driver_harness.h"
#include "support/server_process.h"

/// In a function that returns void.
#define ASSERT_OK(expression)                       \
  do {                                              \
    const Status status_ = (expression);            \
    ASSERT_TRUE(status_.ok()) << status_.message(); \
  } while (false)

namespace dsmsg::pulsar {

using conformance::PulsarClient;
using conformance::Server;

/// A running server; the first call starts it.
Server& Shared();
std::string AddressOf(const Server& server);
/// A name that no other test uses.
std::string NewName();
/// Asks the admin interface: "PUT", "persistent/public/default/x", perhaps JSON.
void Admin(Server& server, const std::vector<std::string>& words);
/// Starts the server again with these lines of standalone.conf in place of its own.
void Restart(Server& server, std::vector<std::string> lines);
bool Has(const std::string& text, const std::string& part);

class Connection : public testing::DriverHarness<PulsarDriver> {
 public:
  explicit Connection(const std::string& config = "",
                      const std::string& address = AddressOf(Shared()))
      : DriverHarness(address, config) {}

  /// Waits for the broker's answers about a topic, too, as the core does. That may take a while for
  /// the first topic of a server.
  Status Send(const Message& message) {
    return WhileUnknown([&] {
      last_token = accepted_;
      return DriverHarness::Send(message);
    });
  }
  Status Send(const std::string& topic, const std::string& payload) {
    return WhileUnknown([&] {
      last_token = accepted_;
      return DriverHarness::Send(topic, payload);
    });
  }
  /// A try of a message under a token that the test chooses.
  Status SubmitAs(const Message& message, Token token) {
    ++last_token;  // WhileUnknown takes one away
    return WhileUnknown([&] {
      for (;;) {
        Status status = driver.Submit(message, token);
        if (status.code() != Code::kWouldBlock) return status;
        if (Status poll = driver.Poll(Millis(50), wake.fd()); !poll.ok()) return poll;
      }
    });
  }

 private:
  template <class Try>
  Status WhileUnknown(const Try& send) {
    const Deadline deadline = Clock::now() + kPatience;
    accepted_ = last_token;
    for (;;) {
      Status status = send();
      if (!Has(status.message(), "not told about it yet") || Clock::now() > deadline) return status;
      if (Status poll = driver.Poll(Millis(50), wake.fd()); !poll.ok()) return poll;
    }
  }

  Token accepted_ = 0;  // before the message that is tried
};

/// Polls a connection on a thread of its own, as the core would, for as long as this object lives:
/// a broker ends connections that do not answer it while another client asks for their place.
class KeptAlive {
 public:
  explicit KeptAlive(Connection& connection)
      : thread_([this, &connection] {
          while (!stop_) (void)connection.driver.Poll(Millis(20), connection.wake.fd());
        }) {}
  ~KeptAlive() {
    stop_ = true;
    thread_.join();
  }
  KeptAlive(const KeptAlive&) = delete;
  KeptAlive& operator=(const KeptAlive&) = delete;

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

/// Sends `count` messages, "0", "1", ..., through a connection of its own.
void SendNumbers(const std::string& topic, size_t count, const std::string& config = "");

}  // namespace dsmsg::pulsar

#endif  // DSMSG_ADAPTORS_PULSAR_TEST_FIXTURE_H_
