// SPDX-License-Identifier: Apache-2.0
// What the tests of the NATS driver share: one real server with JetStream for the whole program.
#ifndef DSMSG_ADAPTORS_NATS_TEST_FIXTURE_H_
#define DSMSG_ADAPTORS_NATS_TEST_FIXTURE_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "adaptors/nats/driver.h"
#include "nats_client.h"
#include "server.h"
#include "support/driver_harness.h"
#include "support/server_process.h"

/// In a function that returns void.
#define ASSERT_OK(expression)                       \
  do {                                              \
    const Status status_ = (expression);            \
    ASSERT_TRUE(status_.ok()) << status_.message(); \
  } while (false)

namespace dsmsg::nats {

using conformance::NatsClient;
using conformance::NumberAfter;
using conformance::Server;

/// A server of its own, with these lines of configuration and no streams.
class OwnServer {
 public:
  explicit OwnServer(const std::vector<std::string>& lines = {});
  Server* operator->() { return &server_; }
  Server& operator*() { return server_; }

 private:
  Server server_;
};

/// A running server; the first call starts it.
Server& Shared();
std::string AddressOf(const Server& server);
/// A name that no other test uses.
std::string NewName();
/// A stream and its only subject, of the same name. `more`: of its configuration, with a comma in
/// front.
std::string NewStream(Server& server, const std::string& more = "");
inline std::string NewStream(const std::string& more = "") { return NewStream(Shared(), more); }
size_t MessagesIn(const std::string& stream, Server& server = Shared());
bool Has(const std::string& text, const std::string& part);

class Connection : public testing::DriverHarness<NatsDriver> {
 public:
  explicit Connection(const std::string& config = "",
                      const std::string& address = AddressOf(Shared()))
      : DriverHarness(address, config) {}

  /// A try of a message under a token that the test chooses.
  Status SubmitAs(const Message& message, Token token) {
    for (;;) {
      Status status = driver.Submit(Named(message, token), token);
      if (status.code() != Code::kWouldBlock) return status;
      if (Status poll = driver.Poll(Millis(50), wake.fd()); !poll.ok()) return poll;
    }
  }
};

/// Sends `count` messages, "0", "1", ..., through a connection of its own.
void SendNumbers(const std::string& topic, size_t count, Server& server = Shared(),
                 const std::string& config = "");

}  // namespace dsmsg::nats

#endif  // DSMSG_ADAPTORS_NATS_TEST_FIXTURE_H_
