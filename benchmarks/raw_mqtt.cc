// SPDX-License-Identifier: Apache-2.0
// libmosquitto, MQTT 5, QoS 1, its loop on the thread that sends.
#include <mosquitto.h>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <vector>

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
  MqttClient(const std::string& host, int port, uint64_t window)
      : client_(mosquitto_new(nullptr, true, this)), waiting_(65536) {
    if (client_ == nullptr) throw std::runtime_error("mosquitto_new failed");
    mosquitto_int_option(client_, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    mosquitto_int_option(client_, MOSQ_OPT_SEND_MAXIMUM, static_cast<int>(window));
    mosquitto_int_option(client_, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_connect_v5_callback_set(
        client_, [](mosquitto*, void* self, int code, int, const mosquitto_property*) {
          static_cast<MqttClient*>(self)->connected_ = code == 0;
        });
    mosquitto_publish_v5_callback_set(
        client_, [](mosquitto*, void* self, int id, int reason, const mosquitto_property*) {
          Tracker::Done(static_cast<MqttClient*>(self)->waiting_[static_cast<size_t>(id)],
                        reason < 0x80);
        });
    Check(mosquitto_connect(client_, host.c_str(), port, 60), "connect");
    while (!connected_) Check(mosquitto_loop(client_, 1000, 1), "connect");
  }
  ~MqttClient() override {
    mosquitto_disconnect(client_);
    mosquitto_destroy(client_);
  }

  void Submit(const Letter& letter, Sent* sent) override {
    int id = 0;
    Check(
        mosquitto_publish(client_, &id, letter.topic.c_str(),
                          static_cast<int>(letter.payload.size()), letter.payload.data(), 1, false),
        "publish");
    waiting_[static_cast<size_t>(id)] = sent;
  }

  void Poll(std::chrono::microseconds wait) override {
    if (mosquitto_want_write(client_)) Check(mosquitto_loop_write(client_, 1), "write");
    if (Readable(mosquitto_socket(client_), wait)) Check(mosquitto_loop_read(client_, 1), "read");
    mosquitto_loop_misc(client_);
  }

 private:
  mosquitto* const client_;
  std::vector<Sent*> waiting_;  // by message id
  bool connected_ = false;
};

class MqttTarget : public BrokerTarget {
 public:
  MqttTarget() : BrokerTarget("mosquitto") { mosquitto_lib_init(); }
  ~MqttTarget() override { mosquitto_lib_cleanup(); }
  std::string name() const override { return "mqtt"; }
  std::string adaptor() const override { return "mqtt"; }
  std::string client() const override {
    int major = 0, minor = 0, revision = 0;
    mosquitto_lib_version(&major, &minor, &revision);
    return "libmosquitto " + std::to_string(major) + "." + std::to_string(minor) + "." +
           std::to_string(revision);
  }
  std::string terms() const override {
    return "MQTT 5, QoS 1, as many in flight as the server takes (20; tuned: 1000)";
  }
  uint64_t window() const override { return window_; }
  void Start(const Setup& setup) override {
    // Mosquitto as its package leaves it: Receive Maximum 20, and Nagle's algorithm on.
    window_ = setup.tuned ? kWindow : 20;
    BrokerTarget::Start(setup);
  }
  std::vector<std::string> config() const override {
    // A shorter queue: what is in it at the end of a run is waited for.
    return {"qos=1", "queue-size=4000", "max-inflight=" + std::to_string(kWindow)};
  }
  std::unique_ptr<RawClient> Connect() override {
    return std::make_unique<MqttClient>(host(), port(), window_);
  }

 protected:
  std::string ServerArgs(const Setup& setup, uint16_t /*proxy*/) const override {
    return setup.tuned ? R"({"config":["max_inflight_messages 1000","set_tcp_nodelay true"]})"
                       : "{}";
  }

 private:
  uint64_t window_ = 20;
};

DSMSG_TARGET(MqttTarget);

}  // namespace
}  // namespace dsmsg::bench
