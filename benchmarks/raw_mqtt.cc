// SPDX-License-Identifier: Apache-2.0
// libmosquitto, MQTT 5, QoS 1. The window is full at all times: on_publish, called from the
// library's loop on this one thread, makes room for the next message.
#include <mosquitto.h>

#include <cstdint>
#include <stdexcept>

#include "target.h"

namespace dsmsg::bench {
namespace {

void Check(int code, const char* what) {
  if (code != MOSQ_ERR_SUCCESS) {
    throw std::runtime_error(std::string(what) + ": " + mosquitto_strerror(code));
  }
}

class MqttClient : public RawClient {
 public:
  MqttClient(const std::string& host, int port, size_t window)
      : client_(mosquitto_new(nullptr, true, this)), window_(window) {
    if (client_ == nullptr) throw std::runtime_error("mosquitto_new failed");
    mosquitto_int_option(client_, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    mosquitto_int_option(client_, MOSQ_OPT_SEND_MAXIMUM, static_cast<int>(window));
    mosquitto_int_option(client_, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_connect_v5_callback_set(
        client_, [](mosquitto*, void* self, int code, int, const mosquitto_property*) {
          static_cast<MqttClient*>(self)->connected_ = code == 0;
        });
    mosquitto_publish_v5_callback_set(
        client_, [](mosquitto*, void* self, int, int reason, const mosquitto_property*) {
          auto* client = static_cast<MqttClient*>(self);
          ++client->done_;
          if (reason >= 0x80) ++client->failed_;
        });
    Check(mosquitto_connect(client_, host.c_str(), port, 60), "connect");
    while (!connected_) Check(mosquitto_loop(client_, 1000, 1), "connect");
  }
  ~MqttClient() override {
    mosquitto_disconnect(client_);
    mosquitto_destroy(client_);
  }

  void Send(size_t count, const Payloads& payloads) override {
    done_ = failed_ = 0;
    for (size_t sent = 0; done_ < count;) {
      for (; sent < count && sent - done_ < window_; ++sent) {
        const std::string& payload = payloads[sent % payloads.size()];
        Check(mosquitto_publish(client_, nullptr, kTopic, static_cast<int>(payload.size()),
                                payload.data(), 1, false),
              "publish");
      }
      Check(mosquitto_loop(client_, 100, 1), "loop");
    }
    if (failed_ > 0) throw std::runtime_error("messages were refused");
  }

 private:
  mosquitto* const client_;
  const size_t window_;
  bool connected_ = false;
  size_t done_ = 0, failed_ = 0;
};

class MqttTarget : public BrokerTarget {
 public:
  /// `server`: arguments of dsmsg.brokers. `window`: messages that it lets a client have under way.
  MqttTarget(std::string name, std::string server, size_t window)
      : BrokerTarget("mosquitto", std::move(server)), name_(std::move(name)), window_(window) {
    mosquitto_lib_init();
  }
  ~MqttTarget() override { mosquitto_lib_cleanup(); }
  std::string name() const override { return name_; }
  std::string adaptor() const override { return "mqtt"; }
  std::string client() const override {
    int major = 0, minor = 0, revision = 0;
    mosquitto_lib_version(&major, &minor, &revision);
    return "libmosquitto " + std::to_string(major) + "." + std::to_string(minor) + "." +
           std::to_string(revision);
  }
  std::string terms() const override {
    return "MQTT 5, QoS 1, " + std::to_string(window_) + " in flight, no subscriber";
  }
  std::vector<std::string> config() const override {
    return {"qos=1", "max-inflight=" + std::to_string(kWindow)};
  }
  std::unique_ptr<RawClient> Connect() override {
    return std::make_unique<MqttClient>(host(), port(), window_);
  }

 private:
  const std::string name_;
  const size_t window_;
};

class MqttWideTarget : public MqttTarget {
 public:
  MqttWideTarget() : MqttTarget("mqtt", R"({"config":["max_inflight_messages 1000"]})", kWindow) {}
};

// Mosquitto as its package leaves it: Receive Maximum 20, and Nagle's algorithm on.
class MqttDefaultsTarget : public MqttTarget {
 public:
  MqttDefaultsTarget() : MqttTarget("mqtt-defaults", "{}", 20) {}
};

DSMSG_TARGET(MqttWideTarget);
DSMSG_TARGET(MqttDefaultsTarget);

}  // namespace
}  // namespace dsmsg::bench
