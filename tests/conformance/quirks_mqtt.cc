// SPDX-License-Identifier: Apache-2.0
// Mosquitto.
#include <mosquitto.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>

#include "mosquitto_recorder.h"
#include "quirks.h"

namespace dsmsg::conformance {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = kRecorderPatience;

/// Field of a protobuf message at `*at`, or nothing if it does not have the wanted form.
std::optional<std::string> Field(const std::string& bytes, unsigned number, size_t* at) {
  if (*at >= bytes.size() || static_cast<unsigned char>(bytes[*at]) != number * 8 + 2) return {};
  size_t length = 0;
  unsigned shift = 0;
  for (++*at; *at < bytes.size() && shift < 35; shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes[(*at)++]);
    length |= static_cast<size_t>(byte & 127) << shift;
    if (byte < 128) break;
  }
  if (length > bytes.size() - *at) return {};
  *at += length;
  return bytes.substr(*at - length, length);
}

/// DeepStream's envelope of 1 payload, 2 key, 3 timestamp, if the bytes are exactly that.
Received Unwrapped(const std::string& bytes) {
  Received plain;
  plain.payload = bytes;
  size_t at = 0;
  const auto payload = Field(bytes, 1, &at);
  const auto key = payload ? Field(bytes, 2, &at) : payload;
  const auto timestamp = key ? Field(bytes, 3, &at) : key;
  if (!timestamp || at != bytes.size()) return plain;
  Received inside;
  inside.payload = *payload;
  inside.key = *key;
  inside.has_key = true;
  return inside;
}

/// One connection attempt and, if a topic is given, one message: the server's answer.
class Probe {
 public:
  Probe(const Server& server, const std::string& user, const std::string& password,
        const std::string& topic = "") {
    const auto client = NewClient("probe", true, this);
    mosquitto_int_option(client.get(), MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    if (!user.empty()) {
      mosquitto_username_pw_set(client.get(), user.c_str(), password.c_str());
    }
    mosquitto_connect_callback_set(client.get(), [](mosquitto*, void* self, int code) {
      static_cast<Probe*>(self)->connack = code;
    });
    mosquitto_publish_v5_callback_set(
        client.get(), [](mosquitto*, void* self, int, int reason, const mosquitto_property*) {
          static_cast<Probe*>(self)->puback = reason;
        });
    sigset_t pipe, before;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    mosquitto_connect(client.get(), server.host().c_str(), server.direct_port(), 60);
    Loop(client.get(), connack);
    if (connack == 0 && !topic.empty()) {
      mosquitto_publish(client.get(), nullptr, topic.c_str(), 1, "p", 1, false);
      Loop(client.get(), puback);
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  int connack = -1, puback = -1;

 private:
  static void Loop(mosquitto* client, const int& answer) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (answer < 0 && std::chrono::steady_clock::now() < deadline) {
      if (mosquitto_loop(client, 100, 1) != MOSQ_ERR_SUCCESS) return;
    }
  }
};

class MqttQuirks : public Quirks {
 public:
  ~MqttQuirks() override {
    recorders_.clear();
    restricted_.reset();
    for (const std::string& path : {passwords_, access_, roles_, more_ + "/auth.conf"}) {
      unlink(path.c_str());
    }
    if (!more_.empty()) rmdir(more_.c_str());
  }

  std::string protocol() const override { return "MQTT"; }
  std::string library() const override { return "libnvds_mqtt_proto.so"; }
  std::vector<std::pair<std::string, std::string>> NotApplicable() const override {
    return {{"Section4_UnknownTopic",
             "Mosquitto takes every topic name: tested in the unit tests with a scripted server"},
            {"Section4_RefusedForATime",
             "Mosquitto has no such state: tested in the unit tests with a scripted server"}};
  }

  std::string server_kind() const override { return "mosquitto"; }
  // Mosquitto killed right after acknowledging has stored nothing yet.
  bool survives_kill() const override { return false; }
  std::string server_args() const override {
    MakeFiles();
    // Mosquitto 2.0.11 with max_queued_messages 0 ends the connection of a client whose message it
    // refuses.
    return R"({"config":["max_queued_messages 1000000","allow_anonymous true","password_file )" +
           passwords_ + R"(","acl_file )" + access_ + R"(","include_dir )" + more_ + R"("]})";
  }
  void CreateTopic(Server& server, const std::string&, int) override {
    if (&server != restricted_.get()) (void)RecorderOf(server);
  }
  std::vector<Received> ReadAll(Server& server, const std::string& topic) override {
    return RecorderOf(server).Of(topic);
  }

  Lines LowLatencyConfig() const override { return {"linger=0"}; }
  std::string received_fields() const override { return "headers"; }
  Lines ConsumerConfig(const std::string& unique) const override {
    return {"client-id=consumer-" + unique, "clean-session=0"};
  }
  std::vector<ConnectionForm> ConnectionForms(Server& server) const override {
    const ClosedPort closed;
    const std::string dead = "127.0.0.1:" + std::to_string(closed.port());
    return {{"Url", "mqtt://" + server.address(), {}},
            {"SeveralHosts", dead + "," + server.address(), {}},
            {"UrlSeveralHosts", "mqtt://" + dead + "," + server.address(), {}},
            {"OlderProtocol", server.address(), {"protocol=3.1.1"}},
            {"QoS0", server.address(), {"qos=0"}},
            {"QoS2", server.address(), {"qos=2"}}};
  }
  // With its access file Mosquitto does not refuse a subscriber that may not read; with its plugin
  // it does.
  Server& restricted() override {
    if (!restricted_) {
      MakeFiles();
      std::ofstream(roles_)
          << R"({"defaultACLAccess":{"publishClientSend":true,)"
          << R"("publishClientReceive":true,"subscribe":true,"unsubscribe":true},)"
          << R"("clients":[],"groups":[{"groupname":"all","roles":[)"
          << R"({"rolename":"limited"}]}],"anonymousGroup":"all","roles":[)"
          << R"({"rolename":"limited","acls":[{"acltype":"subscribePattern",)"
          << R"("topic":"forbidden/#","allow":false}]}]})";
      restricted_ = std::make_unique<Server>(
          server_kind(), R"({"config":["allow_anonymous true","plugin )" + FindPlugin() +
                             R"(","plugin_opt_config_file )" + roles_ + R"("]})");
    }
    restricted_->EnsureUp();
    return *restricted_;
  }
  std::string ForbiddenTopic(Server&, const std::string& unique) override {
    return "forbidden/" + unique;
  }
  EqualSettings SignatureForms() const override {
    return {"mqtt.example;1883", "mqtt://mqtt.example:1883", "mqtt.example;1884"};
  }

  bool duplicates_possible() const override { return true; }
  bool has_keys() const override { return false; }
  size_t largest_payload() const override { return 1 << 20; }

  std::vector<Refusal> RefusedForGood() const override {
    return {{"AccessList",
             [this](Server& server, const std::string& topic) { Allow(server, topic, false); },
             [this](Server& server, const std::string& topic) { Allow(server, topic, true); }}};
  }

  bool has_auth() const override { return true; }
  // The suite sets only passwords: the user name comes from the environment.
  void RequirePassword(Server& server, const std::string& password) override {
    if (password.empty()) unsetenv("USER_MQTT");
    if (!password.empty() && getenv("USER_MQTT") == nullptr) setenv("USER_MQTT", "someone", 0);
    WritePasswords(password);
    std::ofstream(more_ + "/auth.conf")
        << "allow_anonymous " << (password.empty() ? "true" : "false") << "\n";
    Reload(server, [&] {
      const bool anybody = Probe(server, "", "").connack == 0;
      return anybody == password.empty() &&
             (password.empty() || Probe(server, "someone", password).connack == 0);
    });
  }
  std::vector<SecretCase> SecretCases(Server& server, const std::string& secret) const override {
    const std::string plain = server.host() + ";" + std::to_string(server.port());
    return {{"Url", "mqtt://someone:" + secret + "@" + server.address(), {}, {}},
            {"Config", plain, {"username=someone", "password=" + secret}, {}},
            {"ConfigPasswordOnly", plain, {"password=\"" + secret + "\""}, {}},
            {"Environment", plain, {}, {{"USER_MQTT", "someone"}, {"PASSWORD_MQTT", secret}}},
            {"OlderProtocol", plain, {"password=" + secret, "protocol=3.1.1"}, {}},
            {"KeyPassword", plain, {"enable-tls=1", "tls-key-password=" + secret}, {}},
            {"BadPort", "mqtt://someone:" + secret + "@127.0.0.1:notaport", {}, {}},
            {"BadForm", "mqtt://someone:" + secret + "@", {}, {}}};
  }
  bool has_sensor_extraction() const override { return true; }

 protected:
  void Forget(const Server& server) override {
    recorders_.erase(&server);
    unsetenv("USER_MQTT");
    WritePasswords("");
    unlink((more_ + "/auth.conf").c_str());
    std::ofstream(access_) << "pattern readwrite #\n";
  }

 private:
  MosquittoRecorder& RecorderOf(const Server& server) {
    std::unique_ptr<MosquittoRecorder>& recorder = recorders_[&server];
    if (!recorder) {
      recorder = std::make_unique<MosquittoRecorder>(
          server.host(), server.direct_port(), [](const std::string& topic, std::string payload) {
            return std::pair(topic, Unwrapped(payload));
          });
    }
    return *recorder;
  }

  static std::string FindPlugin() {
    constexpr char kName[] = "mosquitto_dynamic_security.so";
    for (const char* root : {"/usr/lib", "/usr/lib64", "/usr/local/lib"}) {
      std::error_code error;
      using Walk = std::filesystem::recursive_directory_iterator;
      for (const auto& entry :
           Walk(root, std::filesystem::directory_options::skip_permission_denied, error)) {
        if (entry.path().filename() == kName) return entry.path();
      }
    }
    Fail(std::string("no ") + kName + " (it comes with the server)");
  }

  void MakeFiles() const {
    if (!more_.empty()) return;
    const char* folder = std::getenv("TMPDIR");
    more_ = std::string(folder != nullptr ? folder : "/tmp") + "/dsmsg-conf-mqtt-XXXXXX";
    if (mkdtemp(more_.data()) == nullptr) Fail("no temporary folder");
    passwords_ = more_ + ".passwords";
    access_ = more_ + ".access";
    roles_ = more_ + ".roles";
    WritePasswords("");
    std::ofstream(access_) << "pattern readwrite #\n";
  }

  void WritePasswords(const std::string& password) const {
    const auto add = [&](const char* options, const std::string& user, const std::string& word) {
      const std::string command =
          std::string("mosquitto_passwd ") + options + " " + passwords_ + " " + user + " " + word;
      if (std::system(command.c_str()) != 0) Fail("mosquitto_passwd does not work");
    };
    add("-c -b", kRecorder, kRecorder);
    if (!password.empty()) add("-b", "someone", password);
  }

  void Allow(Server& server, const std::string& topic, bool allowed) const {
    std::ofstream(access_) << (allowed ? "" : "topic deny " + topic + "\n")
                           << "pattern readwrite #\n";
    Reload(server, [&] { return (Probe(server, "", "", topic).puback < 128) == allowed; });
  }

  /// Mosquitto reads its files again, and shows that it has.
  static void Reload(const Server& server, const std::function<bool()>& done) {
    kill(server.pid(), SIGHUP);
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) Fail("the new settings do not work");
      std::this_thread::sleep_for(10ms);  // between two looks
    }
  }

  std::map<const Server*, std::unique_ptr<MosquittoRecorder>> recorders_;
  std::unique_ptr<Server> restricted_;
  mutable std::string passwords_, access_, roles_, more_;  // files, made before the first start
};

DSMSG_QUIRKS(MqttQuirks);

}  // namespace
}  // namespace dsmsg::conformance
