// SPDX-License-Identifier: Apache-2.0
// Pulsar: topics in public/default, made on first use, which keep what they get. Read back over a
// plain socket, up to the last message that the broker names.
// configuration: pulsar
#include "pulsar_client.h"
#include "quirks.h"

namespace dsmsg::conformance {
namespace {

// Whoever gives no login may do anything; the user "limited" only what it is granted.
constexpr char kOpen[] =
    R"("user.dsmsg=dsmsg","user.limited=limited","anonymousUserRole=anyone",)"
    R"("superUserRoles=dsmsg,anyone","acknowledgmentAtBatchIndexLevelEnabled=true")";

class PulsarQuirks : public Quirks {
 public:
  std::string protocol() const override { return "PULSAR"; }
  std::string library() const override { return "libnvds_pulsar_proto.so"; }
  std::vector<std::pair<std::string, std::string>> NotApplicable() const override {
    return {{"Section5_SensorIdExtraction",
             "DeepStream defines the extraction for Redis and MQTT only"},
            {"Section4_UnknownTopic", "the broker makes a topic with its first message"}};
  }

  std::string server_kind() const override { return "pulsar"; }
  std::string server_args() const override {
    return R"({"users":{"dsmsg":"dsmsg","limited":"limited"},"properties":)"
           R"({"anonymousUserRole":"anyone","superUserRoles":"dsmsg,anyone",)"
           R"("acknowledgmentAtBatchIndexLevelEnabled":"true"}})";
  }
  void CreateTopic(Server&, const std::string&, int) override {}
  std::vector<Received> ReadAll(Server& server, const std::string& topic) override {
    std::vector<Received> found;
    for (PulsarClient::Message& message : PulsarClient(server, password_).ReadAll(topic)) {
      found.push_back({std::move(message.key), std::move(message.payload), message.has_key});
    }
    return found;
  }

  std::string received_fields() const override { return "key headers timestamp id"; }
  Lines ConsumerConfig(const std::string& unique) const override {
    return {"subscription=" + unique};
  }
  // A password alone would be a token.
  Lines BaseConfig(const Lines& lines) const override {
    bool password = false, user = false;
    for (const std::string& line : lines) {
      password = password || line.starts_with("password=");
      user = user || line.starts_with("username=");
    }
    return password && !user ? Lines{"username=dsmsg"} : Lines{};
  }
  std::vector<ConnectionForm> ConnectionForms(Server& server) const override {
    return {{"Url", "pulsar://" + server.address(), {}},
            {"UrlWithLogin", "pulsar://dsmsg:dsmsg@" + server.address(), {}}};
  }
  Lines RestrictedConfig() const override { return {"username=limited", "password=limited"}; }
  std::string ForbiddenTopic(Server& server, const std::string& unique) override {
    const std::string created = "namespaces/public/" + unique;
    server.Ctl(R"(["PUT",")" + created + "\"]");
    server.Ctl(
        R"(["POST","namespaces/public/default/permissions/limited","[\"produce\",\"consume\"]"])");
    return "public/" + unique + "/forbidden";
  }
  EqualSettings SignatureForms() const override {
    return {"pulsar.example;6650", "pulsar://pulsar.example", "pulsar.example;6651"};
  }

  bool duplicates_possible() const override { return true; }
  bool has_keys() const override { return false; }               // by default
  size_t largest_payload() const override { return 5'242'000; }  // maxMessageSize has the key too

  std::vector<Refusal> RefusedForGood() const override {
    return {{"Terminated",
             [](Server& server, const std::string& topic) {
               server.Ctl(R"(["PUT","persistent/public/default/)" + topic + "\"]");
               server.Ctl(R"(["POST","persistent/public/default/)" + topic + "/terminate\"]");
             },
             [](Server&, const std::string&) {}}};
  }

  bool has_auth() const override { return true; }
  void RequirePassword(Server& server, const std::string& password) override {
    const std::string users = "\"user.limited=limited\",\"user.dsmsg=" + password + "\"";
    server.Ctl("[\"restart\"," + (password.empty() ? std::string(kOpen) : users) + "]");
    password_ = password;
  }
  std::vector<SecretCase> SecretCases(Server& server, const std::string& secret) const override {
    const std::string plain = server.host() + ";" + std::to_string(server.port());
    return {{"Url", "pulsar://someone:" + secret + "@" + server.address(), {}, {}},
            {"UrlToken", "pulsar://:" + secret + "@" + server.address(), {}, {}},
            {"Config", plain, {"password=" + secret}, {}},
            {"ConfigWithUser", plain, {"username=someone", "password=\"" + secret + "\""}, {}},
            {"Environment", plain, {}, {{"PASSWORD_PULSAR", secret}}},
            {"FileReadsEnvironment",
             plain,
             {"password=${env:CONFORMANCE_SECRET}"},
             {{"CONFORMANCE_SECRET", secret}}},
            {"BadPort", "pulsar://:" + secret + "@127.0.0.1:notaport", {}, {}},
            {"BadForm", "pulsar://:" + secret + "@", {}, {}}};
  }

 protected:
  void Forget(const Server&) override { password_.clear(); }

 private:
  std::string password_;  // that the servers want
};

DSMSG_QUIRKS(PulsarQuirks);

}  // namespace
}  // namespace dsmsg::conformance
