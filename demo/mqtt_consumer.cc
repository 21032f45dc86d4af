// SPDX-License-Identifier: Apache-2.0
#include <mosquitto.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "consumer.h"

namespace dsmsg_demo {
namespace {

using dsmsg::Code;
using dsmsg::Status;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kSubscribePatience{10};
constexpr int kKeepAliveSeconds = 60;

std::string Reason(int code) {
  return code == MOSQ_ERR_ERRNO ? std::strerror(errno) : mosquitto_strerror(code);
}

/// Subscribed with QoS 1. The library's callbacks come from Poll.
class MqttConsumer : public Consumer {
 public:
  explicit MqttConsumer(std::string topic) : topic_(std::move(topic)) {
    mosquitto_lib_init();
    client_ = mosquitto_new(nullptr, true, this);
  }
  ~MqttConsumer() override {
    if (client_ != nullptr) {
      mosquitto_disconnect(client_);
      mosquitto_destroy(client_);
    }
    mosquitto_lib_cleanup();
  }

  Status Subscribe(const Target& target) {
    if (client_ == nullptr) return Status(Code::kInternal, "out of memory");
    mosquitto_connect_callback_set(client_, [](mosquitto* client, void* self, int code) {
      auto* consumer = static_cast<MqttConsumer*>(self);
      if (code == 0) mosquitto_subscribe(client, nullptr, consumer->topic_.c_str(), 1);
    });
    mosquitto_subscribe_callback_set(client_, [](mosquitto*, void* self, int, int, const int*) {
      static_cast<MqttConsumer*>(self)->subscribed_ = true;
    });
    mosquitto_message_callback_set(
        client_, [](mosquitto*, void* self, const mosquitto_message* message) {
          const auto* consumer = static_cast<MqttConsumer*>(self);
          if (consumer->on_message_ == nullptr) return;
          (*consumer->on_message_)({static_cast<const char*>(message->payload),
                                    static_cast<size_t>(message->payloadlen)});
        });
    const int code =
        mosquitto_connect(client_, target.host.c_str(), target.port, kKeepAliveSeconds);
    if (code != MOSQ_ERR_SUCCESS) {
      return Status(Code::kUnavailable, "the demo's consumer cannot reach MQTT at " +
                                            target.address() + ": " + Reason(code));
    }
    const auto deadline = steady_clock::now() + kSubscribePatience;
    while (!subscribed_) {
      if (Status status = Loop(milliseconds(100)); !status.ok()) return status;
      if (steady_clock::now() > deadline) {
        return Status(Code::kTimeout, "the demo's consumer cannot subscribe to " + topic_);
      }
    }
    return {};
  }

  Status Poll(milliseconds budget, const OnMessage& on_message) override {
    on_message_ = &on_message;
    Status status = Loop(budget);
    on_message_ = nullptr;
    return status;
  }

 private:
  Status Loop(milliseconds budget) {
    const int code = mosquitto_loop(client_, static_cast<int>(budget.count()), 1);
    if (code == MOSQ_ERR_SUCCESS) return {};
    return Status(Code::kUnavailable, "the demo's consumer lost MQTT: " + Reason(code));
  }

  const std::string topic_;
  mosquitto* client_ = nullptr;
  bool subscribed_ = false;
  const OnMessage* on_message_ = nullptr;  // during Poll
};

dsmsg::Result<std::unique_ptr<Consumer>> Open(Target& target, const std::string& topic) {
  auto consumer = std::make_unique<MqttConsumer>(topic);
  Status status = consumer->Subscribe(target);
  if (!status.ok()) return status;
  return std::unique_ptr<Consumer>(std::move(consumer));
}

[[maybe_unused]] const bool registered =
    RegisterConsumer("mqtt", &Open, {.kind = "mosquitto", .title = "a real Mosquitto"});

}  // namespace
}  // namespace dsmsg_demo
