// SPDX-License-Identifier: Apache-2.0
// AMQP 0-9-1 with RabbitMQ. A topic is a routing key of amq.topic with a durable queue of the same
// name. Read back with rabbitmq-c: all messages of the queue, which are then given back to it.
// shards: 5
#include "amqp_client.h"
#include "quirks.h"

namespace dsmsg::conformance {
namespace {

class AmqpQuirks : public Quirks {
 public:
  std::string protocol() const override { return "AMQP"; }
  std::string library() const override { return "libnvds_amqp_proto.so"; }
  std::vector<std::pair<std::string, std::string>> NotApplicable() const override {
    return {{"Section5_SensorIdExtraction",
             "DeepStream defines the extraction for Redis and MQTT only"}};
  }

  std::string server_kind() const override { return "rabbitmq"; }
  std::string server_args() const override { return "{}"; }
  void CreateTopic(Server& server, const std::string& topic, int) override {
    AmqpClient(server).MakeTopic(topic);
    // RabbitMQ writes down queues and bindings a little later than it says: one that was just made
    // may be gone after SIGKILL.
    if (&server == &faulty()) server.Ctl(R"(["eval","mnesia:sync_log()."])");
  }
  std::vector<Received> ReadAll(Server& server, const std::string& topic) override {
    std::vector<Received> found;
    for (AmqpMessage& message : AmqpClient(server).ReadAll(topic)) {
      found.push_back({"", std::move(message.payload), false});
    }
    return found;
  }

  std::string received_fields() const override { return "key headers bytes timestamp id"; }
  bool marks_redelivered() const override { return true; }
  Lines ConsumerConfig(const std::string& unique) const override {
    return {"queue=queue-" + unique};
  }
  std::vector<ConnectionForm> ConnectionForms(Server& server) const override {
    const std::string fields = server.host() + ";" + std::to_string(server.port());
    return {{"Url", "amqp://" + server.address(), {}},
            {"UrlWithLogin", "amqp://guest:guest@" + server.address(), {}},
            {"UrlWithVhost", "amqp://guest:guest@" + server.address() + "/%2F", {}},
            {"UserAndPassword", fields + ";guest;guest", {}},
            {"UserWithPasswordInTheFile", fields + ";guest", {"password=guest"}},
            {"LoginInTheFile", fields, {"username=guest", "password=guest", "vhost=/"}}};
  }
  std::string WithTopic(const Server& server, const std::string& topic) const override {
    return "amqp://" + server.address() + ";" + topic;
  }
  bool fields_are_login() const override { return true; }
  Lines RestrictedConfig() const override { return {"username=limited", "password=limited"}; }
  // In one call: the control program takes a second to start.
  std::string ForbiddenTopic(Server& server, const std::string& unique) override {
    server.Ctl(
        R"(["eval","U = <<\"limited\">>, V = <<\"/\">>, All = <<\".*\">>, By = <<\"test\">>,)"
        R"( case rabbit_auth_backend_internal:exists(U) of true -> ok; false ->)"
        R"( rabbit_auth_backend_internal:add_user(U, U, By) end,)"
        R"( rabbit_auth_backend_internal:set_permissions(U, V, All, All, All, By),)"
        R"( rabbit_auth_backend_internal:set_topic_permissions(U, V, <<\"amq.topic\">>, All,)"
        R"( <<\"^(?!forbidden).*\">>, By)."])");
    return "forbidden-" + unique;
  }
  EqualSettings SignatureForms() const override {
    return {"amqp.example;5672", "amqp://amqp.example", "amqp.example;5673"};
  }

  bool duplicates_possible() const override { return true; }
  bool has_keys() const override { return false; }
  bool has_unknown_topic() const override { return true; }
  size_t largest_payload() const override { return 8 << 20; }

  std::vector<Refusal> RefusedForGood() const override {
    return {{"NoPermission",
             [](Server& server, const std::string& topic) {
               server.Ctl(R"(["set_topic_permissions","guest","amq.topic","^(?!)" + topic +
                          R"().*$",".*"])");
             },
             [](Server& server, const std::string&) {
               server.Ctl(R"(["clear_topic_permissions","guest"])");
             }}};
  }
  std::vector<Refusal> RefusedForATime() const override {
    return {{"MemoryAlarm",
             [](Server& server, const std::string& topic) {
               AmqpClient(server).MakeTopic(topic);
               server.Ctl(R"(["set_vm_memory_high_watermark","absolute","1"])");
             },
             [](Server& server, const std::string&) {
               server.Ctl(R"(["set_vm_memory_high_watermark","0.4"])");
             }}};
  }

  bool has_auth() const override { return true; }
  void RequirePassword(Server& server, const std::string& password) override {
    const std::string wanted = password.empty() ? "guest" : password;
    server.Ctl(R"(["change_password","guest",")" + wanted + R"("])");
    AmqpClient::Password() = wanted;
  }
  std::vector<SecretCase> SecretCases(Server& server, const std::string& secret) const override {
    const std::string plain = server.host() + ";" + std::to_string(server.port());
    return {{"Fields", plain + ";someone;" + secret, {}, {}},
            {"FieldsOfAnExistingUser", plain + ";guest;" + secret, {}, {}},
            {"Url", "amqp://someone:" + secret + "@" + server.address(), {}, {}},
            {"UrlPasswordOnly", "amqp://:" + secret + "@" + server.address() + "/none", {}, {}},
            {"Config", plain, {"password=" + secret}, {}},
            {"ConfigWithUser", plain, {"username=someone", "password=\"" + secret + "\""}, {}},
            {"Environment", plain, {}, {{"PASSWORD_AMQP", secret}}},
            {"FileReadsEnvironment",
             plain,
             {"password=${env:CONFORMANCE_SECRET}"},
             {{"CONFORMANCE_SECRET", secret}}},
            {"BadPort", "amqp://:" + secret + "@127.0.0.1:notaport", {}, {}},
            {"BadFieldPort", "127.0.0.1;notaport;someone;" + secret, {}, {}},
            {"BadForm", "amqp://:" + secret + "@", {}, {}}};
  }

 protected:
  void Forget(const Server&) override { AmqpClient::Password() = "guest"; }
};

DSMSG_QUIRKS(AmqpQuirks);

}  // namespace
}  // namespace dsmsg::conformance
