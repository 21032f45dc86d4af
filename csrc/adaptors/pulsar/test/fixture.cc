// SPDX-License-Identifier: Apache-2.0
#include "adaptors/pulsar/test/fixture.h"

#include <unistd.h>

#include <memory>

namespace dsmsg::pulsar {
namespace {

std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text)
    quoted += c == '"' || c == '\\' ? "\\" + std::string(1, c) : std::string(1, c);
  return quoted + "\"";
}

std::unique_ptr<Server>& Holder() {
  static std::unique_ptr<Server> server;
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

Server& Shared() {
  if (Holder() == nullptr) Holder() = std::make_unique<Server>("pulsar", "{}");
  Holder()->EnsureUp();
  return *Holder();
}

std::string AddressOf(const Server& server) {
  return server.host() + ";" + std::to_string(server.port());
}

std::string NewName() {
  static int counter = 0;
  return "test-" + std::to_string(getpid()) + "-" + std::to_string(++counter);
}

void Admin(Server& server, const std::vector<std::string>& words) {
  std::string json;
  for (const std::string& word : words) json += (json.empty() ? "[" : ",") + Quoted(word);
  server.Ctl(json + "]");
}

void Restart(Server& server, std::vector<std::string> lines) {
  lines.insert(lines.begin(), "restart");
  Admin(server, lines);
}

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void SendNumbers(const std::string& topic, size_t count, const std::string& config) {
  Connection sender(config);
  ASSERT_OK(sender.Open());
  for (size_t i = 0; i < count; ++i) ASSERT_OK(sender.Send(topic, std::to_string(i)));
  ASSERT_OK(sender.WaitCompleted(count));
  ASSERT_EQ(sender.host.ok, count);
}

}  // namespace dsmsg::pulsar
