// SPDX-License-Identifier: Apache-2.0
#include "adaptors/mqtt/test/fixture.h"

#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <stdexcept>

#include "core/net/dial.h"

namespace dsmsg::mqtt {
namespace {

bool Answers(uint16_t port) {
  Result<UniqueFd> fd = DialTcp({"127.0.0.1", port}, Clock::now() + Millis(1000), -1);
  return fd.ok();
}

}  // namespace

MosquittoServer::MosquittoServer(std::string lines, bool plain)
    : lines_(std::move(lines)), plain_(plain) {
  if (lines_.find("allow_anonymous") == lines_.npos) lines_ += "\nallow_anonymous true";
  Start();
}

void MosquittoServer::Start() {
  // Another process may take the port between the check and the start.
  for (int attempt = 0; attempt < 5; ++attempt) {
    if (port_ == 0) port_ = FreePort();
    const passwd* user = getpwuid(getuid());
    const std::string config = folder_.Write(
        "mosquitto.conf", "log_dest file " + folder_.File("log") + "\n" +
                              (user != nullptr ? "user " + std::string(user->pw_name) + "\n" : "") +
                              // Its default is 2 MB since 2.1.
                              "max_packet_size 100000000\n" + "listener " + std::to_string(port_) +
                              " 127.0.0.1\n" + lines_ + "\n");
    if (process_.Start({"mosquitto", "-c", config}, [this] { return Answers(port_); })) return;
    port_ = 0;
  }
  throw std::runtime_error("mosquitto does not start (apt install mosquitto)");
}

Client::Client(uint16_t port, const std::string& id, bool version5)
    : object_(mosquitto_new(id.empty() ? nullptr : id.c_str(), true, this)) {
  mosquitto_int_option(object_, MOSQ_OPT_PROTOCOL_VERSION,
                       version5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
  mosquitto_connect_callback_set(object_, [](mosquitto*, void* self, int code) {
    static_cast<Client*>(self)->connected_ = code == 0;
  });
  mosquitto_subscribe_callback_set(object_, [](mosquitto*, void* self, int mid, int, const int*) {
    static_cast<Client*>(self)->answered_ = mid;
  });
  mosquitto_publish_callback_set(object_, [](mosquitto*, void* self, int mid) {
    static_cast<Client*>(self)->answered_ = mid;
  });
  mosquitto_message_v5_callback_set(object_, [](mosquitto*, void* self,
                                                const mosquitto_message* message,
                                                const mosquitto_property* properties) {
    Message& got = static_cast<Client*>(self)->received.emplace_back();
    got.topic = message->topic;
    got.payload.assign(static_cast<const char*>(message->payload),
                       static_cast<size_t>(message->payloadlen));
    got.retain = message->retain;
    got.qos = message->qos;
    char *name = nullptr, *value = nullptr;
    const auto* at = mosquitto_property_read_string_pair(properties, MQTT_PROP_USER_PROPERTY, &name,
                                                         &value, false);
    while (at != nullptr) {
      // Since 2.1 the library passes nullptr for an empty payload.
      got.user_properties.emplace_back(name, value == nullptr ? "" : value);
      free(name);
      free(value);
      at = mosquitto_property_read_string_pair(at, MQTT_PROP_USER_PROPERTY, &name, &value, true);
    }
  });
  if (mosquitto_connect(object_, "127.0.0.1", port, 60) != MOSQ_ERR_SUCCESS ||
      !LoopUntil([this] { return connected_; })) {
    throw std::runtime_error("the test's client cannot connect");
  }
}

Client::~Client() { mosquitto_destroy(object_); }

bool Client::LoopUntil(const std::function<bool()>& done) {
  const Deadline deadline = Clock::now() + Millis(10000);
  while (!done()) {
    if (Clock::now() > deadline) return false;
    if (mosquitto_loop(object_, 20, 1) != MOSQ_ERR_SUCCESS) return false;
  }
  return true;
}

void Client::Subscribe(const std::string& filter, int qos) {
  int mid = 0;
  mosquitto_subscribe(object_, &mid, filter.c_str(), qos);
  if (!LoopUntil([&] { return answered_ == mid; })) throw std::runtime_error("no SUBACK");
}

void Client::Publish(const std::string& topic, const std::string& payload, int qos, bool retain) {
  int mid = 0;
  mosquitto_publish(object_, &mid, topic.c_str(), static_cast<int>(payload.size()), payload.data(),
                    qos, retain);
  if (!LoopUntil([&] { return answered_ == mid; })) throw std::runtime_error("no PUBACK");
}

const std::vector<Client::Message>& Client::Wait(size_t count) {
  LoopUntil([&] { return received.size() >= count; });
  return received;
}

Connection::Connection(const std::string& server, const std::string& config)
    : DriverHarness(server, config) {
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  callbacks_return = true;
}

}  // namespace dsmsg::mqtt
