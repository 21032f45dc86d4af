// SPDX-License-Identifier: Apache-2.0
// JetStream: a topic is a subject with a stream of its own. Read back over a plain socket, through
// a consumer that pushes all of the stream.
#include <algorithm>

#include "nats_client.h"
#include "quirks.h"

namespace dsmsg::conformance {
namespace {

std::string StreamOf(std::string topic) {
  std::replace(topic.begin(), topic.end(), '.', '_');
  return topic;
}

// JSON lists of configuration lines. Whoever gives no login is the user "open".
constexpr char kUsers[] =
    R"("authorization { users: [ {user: open, password: open%}, )"
    R"({user: limited, password: limited, permissions: {publish: {deny: )"
    R"([\"$JS.API.CONSUMER.CREATE.*.*.forbidden.>\"]}}} ] }", "no_auth_user: open")";

std::string Users(const std::string& open_permissions) {
  std::string lines = kUsers;
  return lines.replace(lines.find('%'), 1, open_permissions);
}

class NatsQuirks : public Quirks {
 public:
  std::string protocol() const override { return "NATS"; }
  std::string library() const override { return "libnvds_nats_proto.so"; }
  std::vector<std::pair<std::string, std::string>> NotApplicable() const override {
    return {{"Section5_SensorIdExtraction",
             "DeepStream defines the extraction for Redis and MQTT only"}};
  }

  std::string server_kind() const override { return "nats"; }
  std::string server_args() const override {
    return R"({"streams":{},"config":[)" + Users("") + "]}";
  }
  void CreateTopic(Server& server, const std::string& topic, int) override {
    SetStream(server, "CREATE", topic, "");
  }
  std::vector<Received> ReadAll(Server& server, const std::string& topic) override {
    NatsClient client(server, token_);
    const std::string stream = StreamOf(topic);
    // Its own: an earlier reader's consumer lives on for some seconds.
    const std::string inbox = "deliver." + std::to_string(++readers_);
    const std::string answer =
        client.Request("$JS.API.CONSUMER.CREATE." + stream,
                       R"({"stream_name":")" + stream + R"(","config":{"deliver_subject":")" +
                           inbox + R"(","ack_policy":"none"}})");
    client.Subscribe(inbox);  // nothing is delivered before
    std::vector<Received> found;
    for (size_t left = NumberAfter(answer, "num_pending"); left > 0; --left) {
      NatsClient::Message message = client.Next();
      Received received;
      received.payload = std::move(message.payload);
      const size_t key = message.headers.find("\r\nkey: ");
      received.has_key = key != std::string::npos;
      if (received.has_key) {
        const size_t begin = key + 7;
        received.key = message.headers.substr(begin, message.headers.find('\r', begin) - begin);
      }
      found.push_back(std::move(received));
    }
    return found;
  }

  std::string received_fields() const override { return "key headers timestamp append id"; }
  bool marks_redelivered() const override { return true; }
  Lines ConsumerConfig(const std::string& unique) const override { return {"durable=" + unique}; }
  std::vector<ConnectionForm> ConnectionForms(Server& server) const override {
    return {{"Url", "nats://" + server.address(), {}},
            {"UrlWithLogin", "nats://open:open@" + server.address(), {}}};
  }
  Lines RestrictedConfig() const override { return {"username=limited", "password=limited"}; }
  std::string ForbiddenTopic(Server& server, const std::string& unique) override {
    CreateTopic(server, "forbidden." + unique, 1);
    return "forbidden." + unique;
  }
  EqualSettings SignatureForms() const override {
    return {"nats.example;4222", "nats://nats.example:4222", "nats.example;4223"};
  }

  bool duplicates_possible() const override { return false; }
  bool has_keys() const override { return false; }
  bool has_unknown_topic() const override { return true; }
  size_t largest_payload() const override { return 1'000'000; }  // max_payload has the headers too

  std::vector<Refusal> RefusedForGood() const override {
    const auto nothing = [](Server&, const std::string&) {};
    const auto with = [this](const char* config) {
      return [this, config](Server& server, const std::string& topic) {
        SetStream(server, "CREATE", topic, config);
      };
    };
    return {{"LargerThanTheStreamTakes", with(R"(,"max_msg_size":10)"), nothing},
            {"LargerThanTheStream", with(R"(,"max_bytes":20)"), nothing},
            {"NeverAcknowledged", with(R"(,"no_ack":true)"), nothing},
            {"NoPermission",
             [this](Server& server, const std::string& topic) {
               SetStream(server, "CREATE", topic, "");
               Restart(server, Users(", permissions: {publish: {deny: " + topic + "}}"));
             },
             [](Server& server, const std::string&) { Restart(server, Users("")); }}};
  }
  std::vector<Refusal> RefusedForATime() const override {
    const auto free = [this](Server& server, const std::string& topic) {
      SetStream(server, "UPDATE", topic, R"(,"discard":"new")");
    };
    const auto full = [this](const char* limit) {
      return [this, limit](Server& server, const std::string& topic) {
        SetStream(server, "CREATE", topic, std::string(R"(,"discard":"new",)") + limit);
        NatsClient(server, token_).Request(topic, std::string(200, 'x'));
      };
    };
    return {{"FullByNumber", full(R"("max_msgs":1)"), free},
            {"FullByBytes", full(R"("max_bytes":320)"), free}};
  }

  bool has_auth() const override { return true; }
  // A password without a user name is a token.
  void RequirePassword(Server& server, const std::string& password) override {
    Restart(server, password.empty() ? Users("") : "\"authorization { token: " + password + " }\"");
    token_ = password;
  }
  std::vector<SecretCase> SecretCases(Server& server, const std::string& secret) const override {
    const std::string plain = server.host() + ";" + std::to_string(server.port());
    return {{"Url", "nats://someone:" + secret + "@" + server.address(), {}, {}},
            {"UrlToken", "nats://" + secret + "@" + server.address(), {}, {}},
            {"Config", plain, {"password=" + secret}, {}},
            {"ConfigWithUser", plain, {"username=someone", "password=\"" + secret + "\""}, {}},
            {"Seed", plain, {"nkey-seed=" + secret}, {}},
            {"Environment", plain, {}, {{"PASSWORD_NATS", secret}}},
            {"FileReadsEnvironment",
             plain,
             {"nkey-seed=${env:CONFORMANCE_SECRET}"},
             {{"CONFORMANCE_SECRET", secret}}},
            {"BadPort", "nats://:" + secret + "@127.0.0.1:notaport", {}, {}},
            {"BadForm", "nats://:" + secret + "@", {}, {}}};
  }

 protected:
  void Forget(const Server&) override { token_.clear(); }

 private:
  static void Restart(Server& server, const std::string& lines) {
    server.Ctl("[\"restart\", " + lines + "]");
  }
  void SetStream(Server& server, const std::string& action, const std::string& topic,
                 const std::string& more) const {
    const std::string stream = StreamOf(topic);
    NatsClient(server, token_)
        .Request("$JS.API.STREAM." + action + "." + stream,
                 R"({"name":")" + stream + R"(","subjects":[")" + topic + "\"]" + more + "}");
  }

  std::string token_;  // that the servers want
  int readers_ = 0;
};

DSMSG_QUIRKS(NatsQuirks);

}  // namespace
}  // namespace dsmsg::conformance
