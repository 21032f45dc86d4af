// SPDX-License-Identifier: Apache-2.0
// What devices and modules of Azure IoT Hub have in common. The hub is a stand-in that checks
// logins, in front of a Mosquitto, and passes on to all devices and modules what one of them sends;
// what arrives is recorded at the Mosquitto.
#ifndef DSMSG_CONFORMANCE_AZURE_QUIRKS_H_
#define DSMSG_CONFORMANCE_AZURE_QUIRKS_H_

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mosquitto_recorder.h"
#include "quirks.h"

namespace dsmsg::conformance {

class AzureQuirks : public Quirks {
 public:
  ~AzureQuirks() override {
    recorders_.clear();
    if (folder_.empty()) return;
    for (const char* name : {"/cert.pem", "/key.pem"}) unlink((folder_ + name).c_str());
    rmdir(folder_.c_str());
  }

  std::vector<std::pair<std::string, std::string>> NotApplicable() const override {
    return {{"Section4_UnknownTopic", "a hub has no topics that could be unknown"},
            {"Section4_RefusedForGood", "a hub acknowledges a message, or ends the connection"},
            {"Section4_RefusedForATime",
             "a hub that takes nothing does not answer, or ends the "
             "connection: see the rules of outages and silent brokers"},
            {"Poison_OneMessage",
             "the suite's proxy cannot read what is encrypted: "
             "tests/python/test_azure.py has a hub that ends connections"},
            {"Rule07_Credentials", "keys, not passwords: tests/python/test_azure.py"},
            {"Rule19_Refused", "a hub refuses no subscription"},
            {"Rule19_TimedOut",
             "one subscription brings all: changing the topics asks the hub nothing"},
            {"Section1_ConnectWithoutFile",
             "the hub's authority is one of the suite's, named in a file"},
            {"Section5_PasswordFromEnvironment", "keys, not passwords"},
            {"Section5_SensorIdExtraction", "a hub has properties for it (option headers)"}};
  }

  std::string server_kind() const override { return "iothub"; }
  // Its Mosquitto, killed right after acknowledging, has stored nothing yet.
  bool survives_kill() const override { return false; }
  std::string server_args() const override {
    // Sessions of devices that are gone are kept, with messages: not on disk too.
    return R"({"config":["max_queued_messages 1000000","persistence false"],"identity":[")" +
           Certificate() + R"(",")" + folder_ + R"(/key.pem"]})";
  }
  void CreateTopic(Server& server, const std::string&, int) override { (void)RecorderOf(server); }
  std::vector<Received> ReadAll(Server& server, const std::string& topic) override {
    return RecorderOf(server).Of(topic);
  }

  // A hub ends the older of two connections of one device: each file has a device of its own,
  // except those that are to be equal.
  Lines BaseConfig(const Lines& lines) const override {
    Lines base = {"tls-cafile=" + Certificate()};
    const auto starts_with = [&lines](const char* text) {
      return std::any_of(lines.begin(), lines.end(),
                         [text](const std::string& line) { return line.starts_with(text); });
    };
    static std::atomic<int> counter{0};
    const bool shared = starts_with("share-connection");
    if (!starts_with("connection-str")) {
      base.push_back(ConnectionLine(shared ? "shared" : std::to_string(++counter)));
    }
    return base;
  }
  Lines LowLatencyConfig() const override { return {"linger=0"}; }
  Lines ConsumerConfig(const std::string& unique) const override {
    return {ConnectionLine("consumer-" + unique)};
  }
  std::string received_fields() const override { return "headers"; }
  bool topic_optional() const override { return true; }
  std::vector<ConnectionForm> ConnectionForms(Server& server) const override {
    return {{"WholeString", Identity("localhost:" + std::to_string(server.port()), "whole"), {}},
            {"OnlyInTheFile",
             "",
             {"connection-str=" + Identity("localhost:" + std::to_string(server.port()), "file")},
             false}};
  }
  std::string ForbiddenTopic(Server&, const std::string&) override { return {}; }
  EqualSettings SignatureForms() const override {
    return {"hub.example;8883", "hub.example:8883", "hub.example;8884"};
  }

  bool duplicates_possible() const override { return true; }
  bool has_keys() const override { return false; }
  size_t largest_payload() const override { return 250'000; }  // 256 KB with topic and properties

  std::vector<SecretCase> SecretCases(Server& server, const std::string& secret) const override {
    const std::string plain = server.host() + ";" + std::to_string(server.port());
    const std::string host = "HostName=localhost:" + std::to_string(server.port());
    const std::string rest = ";DeviceId=d" + Module() + ";SharedAccessKey=" + secret;
    return {
        {"String", host + rest, {}, {}},
        {"Config", plain, {"connection-str=" + host + rest}, {}},
        {"Environment", plain, {"connection-str=${env:HUB}"}, {{"HUB", host + rest}}},
        {"Signature",
         host + ";DeviceId=d" + Module() +
             ";SharedAccessSignature=SharedAccessSignature sr=d&sig=" + secret + "&se=4102444800",
         {},
         {}},
        {"KeyPassword", plain, {"tls-key-password=" + secret}, {}},
        {"BadPort", "HostName=localhost:notaport" + rest, {}, {}},
        {"BadName", host + ";DeviceId=d;SharedAcessKey=" + secret, {}, {}},
        {"BadForm", host + rest + ";;", {}, {}}};
  }

 protected:
  /// What names a module in a connection string; "" for devices.
  virtual std::string Module() const = 0;

  void Forget(const Server& server) override { recorders_.erase(&server); }

 private:
  std::string Identity(const std::string& host, const std::string& name) const {
    return "HostName=" + host + ";DeviceId=conf-" + std::to_string(getpid()) + "-" + name +
           Module() + ";SharedAccessKey=ZHNtc2cncyBrZXkgZm9yIHRyaWFscywgbm8gc2VjcmV0";
  }
  std::string ConnectionLine(const std::string& name) const {
    return "connection-str=" + Identity("localhost", name);
  }

  MosquittoRecorder& RecorderOf(const Server& server) {
    std::unique_ptr<MosquittoRecorder>& recorder = recorders_[&server];
    if (!recorder) {
      recorder = std::make_unique<MosquittoRecorder>(
          server.host(), server.extra_port("mqtt"),
          [](const std::string& topic, std::string payload) {
            const size_t begin = topic.find('/') + 1;  // events/TOPIC/properties
            return std::pair(Decoded(topic.substr(begin, topic.find('/', begin) - begin)),
                             Received{{}, std::move(payload), false});
          });
    }
    return *recorder;
  }

  static std::string Decoded(const std::string& text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
      const bool escaped = text[i] == '%';
      out += escaped ? static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16)) : text[i];
      i += escaped ? 2 : 0;
    }
    return out;
  }

  /// The hub's, which signs itself.
  std::string Certificate() const {
    if (folder_.empty()) {
      const char* parent = std::getenv("TMPDIR");
      folder_ = std::string(parent != nullptr ? parent : "/tmp") + "/dsmsg-conf-hub-XXXXXX";
      if (mkdtemp(folder_.data()) == nullptr) Fail("no temporary folder");
      const std::string command =
          "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 "
          "-subj /CN=hub -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -out " +
          folder_ + "/cert.pem -keyout " + folder_ + "/key.pem 2>/dev/null";
      if (std::system(command.c_str()) != 0) Fail("openssl cannot make a certificate");
    }
    return folder_ + "/cert.pem";
  }

  std::map<const Server*, std::unique_ptr<MosquittoRecorder>> recorders_;
  mutable std::string folder_;  // of the certificate, made before the first start
};

}  // namespace dsmsg::conformance

#endif  // DSMSG_CONFORMANCE_AZURE_QUIRKS_H_
