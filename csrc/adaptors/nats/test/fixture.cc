// SPDX-License-Identifier: Apache-2.0
#include "adaptors/nats/test/fixture.h"

#include <unistd.h>

#include <memory>

namespace dsmsg::nats {
namespace {

std::string Json(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += text.empty() ? "\"" : ",\"";
    for (const char c : line) text += c == '"' ? "\\\"" : std::string(1, c);
    text += '"';
  }
  return R"({"streams":{},"config":[)" + text + "]}";
}

std::unique_ptr<OwnServer>& Holder() {
  static std::unique_ptr<OwnServer> server;
  return server;
}

/// Ends the server before the program's static objects are destroyed.
class EndOfProgram : public ::testing::Environment {
 public:
  void TearDown() override { Holder().reset(); }
};
[[maybe_unused]] const auto* const registered =
    ::testing::AddGlobalTestEnvironment(new EndOfProgram);

}  // namespace

OwnServer::OwnServer(const std::vector<std::string>& lines) : server_("nats", Json(lines)) {
  server_.EnsureUp();
}

Server& Shared() {
  if (Holder() == nullptr) Holder() = std::make_unique<OwnServer>();
  return **Holder();
}

std::string AddressOf(const Server& server) {
  return server.host() + ";" + std::to_string(server.port());
}

std::string NewName() {
  static int counter = 0;
  return "test-" + std::to_string(getpid()) + "-" + std::to_string(++counter);
}

std::string NewStream(Server& server, const std::string& more) {
  const std::string name = NewName();
  NatsClient(server).Request(
      "$JS.API.STREAM.CREATE." + name,
      R"({"name":")" + name + R"(","subjects":[")" + name + "\"]" + more + "}");
  return name;
}

size_t MessagesIn(const std::string& stream, Server& server) {
  return NumberAfter(NatsClient(server).Request("$JS.API.STREAM.INFO." + stream, ""), "messages");
}

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void SendNumbers(const std::string& topic, size_t count, Server& server,
                 const std::string& config) {
  Connection sender(config, AddressOf(server));
  ASSERT_OK(sender.Open());
  for (size_t i = 0; i < count; ++i) ASSERT_OK(sender.Send(topic, std::to_string(i)));
  ASSERT_OK(sender.WaitCompleted(count));
  ASSERT_EQ(sender.host.ok, count);
}

}  // namespace dsmsg::nats
