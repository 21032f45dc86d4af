// SPDX-License-Identifier: Apache-2.0
#include "adaptors/amqp/test/fixture.h"
#include "core/base/time.h"

#include <unistd.h>

#include <chrono>
#include <future>

namespace dsmsg::amqp {
namespace {

std::unique_ptr<Server>& Holder() {
  static std::unique_ptr<Server> server;
  return server;
}

/// Ends the server before the program's static objects go.
class EndOfProgram : public ::testing::Environment {
 public:
  void TearDown() override { Holder().reset(); }
};
[[maybe_unused]] const auto* const registered =
    ::testing::AddGlobalTestEnvironment(new EndOfProgram);

}  // namespace

Server& Rabbit() {
  // A limit that a test reaches with 20 MB.
  if (Holder() == nullptr) {
    Holder() =
        std::make_unique<Server>("rabbitmq", R"({"config":["max_message_size = 20000000"]})");
  }
  Holder()->EnsureUp();
  return *Holder();
}

std::string Address() {
  const Server& server = Rabbit();
  return server.host() + ";" + std::to_string(server.port());
}

std::string NewName() {
  static int counter = 0;
  return "test-" + std::to_string(getpid()) + "-" + std::to_string(++counter);
}

std::string NewTopic() {
  std::string topic = NewName();
  AmqpClient(Rabbit()).MakeTopic(topic);
  return topic;
}

void FakeHost::Complete(Token token, const Status& status) noexcept {
  if (!completed.emplace(token, status).second) ++twice;
  if (status.ok()) ++ok;
}

Status FakeHost::Deliver(InMessage&& message, AckToken token) noexcept {
  if (delivered.size() >= room) return {Code::kWouldBlock, "full"};
  delivered.push_back(std::move(message));
  tokens.push_back(token);
  return {};
}

Connection::Connection(const std::string& config, const std::string& address) {
  const DriverInfo& info = AmqpDriver::Info();
  Result<Endpoints> endpoints = ParseConnString(address, info.conn_rules);
  Result<Config> parsed =
      Config::Parse("[message-broker]\n" + config, "test", OptionTable(info.options));
  if (!endpoints.ok()) {
    configured = endpoints.status();
  } else if (!parsed.ok()) {
    configured = parsed.status();
  } else {
    parsed->ApplyEnvironment(info.env_suffix);
    configured = driver.Configure(endpoints.value(), parsed.value());
  }
}

Status Connection::Open(Role role, Millis timeout) {
  if (!configured.ok()) return configured;
  return driver.Open(role, Clock::now() + timeout, cancel.fd());
}

Status Connection::PumpUntil(const std::function<bool()>& done, Millis timeout) {
  const Deadline deadline = Clock::now() + timeout;
  while (!done()) {
    if (Clock::now() >= deadline) return {Code::kTimeout, "the test waited too long"};
    if (Status status = driver.Poll(Millis(100), wake.fd()); !status.ok()) return status;
  }
  return {};
}

Status Connection::PumpWhile(const std::function<void()>& call) {
  std::future<void> running = std::async(std::launch::async, call);
  const auto done = [&] { return running.wait_for(Millis(0)) == std::future_status::ready; };
  Status status = PumpUntil(done, Millis(60000));
  running.get();
  return status;
}

Status Connection::Send(const std::string& topic, std::string payload) {
  kept.push_back(std::make_unique<std::string>(topic));
  kept.push_back(std::make_unique<std::string>(std::move(payload)));
  Message message;
  message.topic = *kept[kept.size() - 2];
  message.payload = *kept.back();
  return Send(message);
}

Status Connection::Send(const Message& message) {
  ++last_token;
  const Deadline deadline = Clock::now() + Millis(20000);
  while (true) {
    Status status = driver.Submit(message, last_token);
    if (status.code() != Code::kWouldBlock) return status;
    if (Clock::now() >= deadline) return {Code::kTimeout, "no room for too long"};
    if (Status poll = driver.Poll(Millis(100), wake.fd()); !poll.ok()) return poll;
  }
}

Status Connection::WaitCompleted(size_t count) {
  return PumpUntil([&] { return host.completed.size() >= count; });
}

Status Connection::WaitDelivered(size_t count) {
  return PumpUntil([&] { return host.delivered.size() >= count; });
}

void Connection::AckAll() {
  for (const AckToken token : host.tokens) driver.Ack(token);
  host.tokens.clear();
}

}  // namespace dsmsg::amqp
