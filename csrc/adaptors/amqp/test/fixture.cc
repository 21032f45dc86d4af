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

/// Ends the server before the program's static objects are destroyed.
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

Status Connection::PumpWhile(const std::function<void()>& call) {
  std::future<void> running = std::async(std::launch::async, call);
  const auto done = [&] { return running.wait_for(Millis(0)) == std::future_status::ready; };
  Status status = PumpUntil(done, Millis(60000));
  running.get();
  return status;
}

}  // namespace dsmsg::amqp
