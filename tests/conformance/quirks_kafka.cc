// SPDX-License-Identifier: Apache-2.0
// Apache Kafka. Topics are made and read back with librdkafka directly.
#include "kafka_client.h"
#include "quirks.h"

namespace dsmsg::conformance {
namespace {

class KafkaQuirks : public Quirks {
 public:
  std::string protocol() const override { return "KAFKA"; }
  std::string library() const override { return "libnvds_kafka_proto.so"; }
  std::vector<std::pair<std::string, std::string>> NotApplicable() const override {
    return {
        {"Section4_RefusedForATime",
         "a single node has none: min.insync.replicas is capped at its one replica"},
        {"Poison_OneMessage",
         "the broker's address leads past the proxy: loss_watch_test.cc, test_kafka_batches.py"},
        {"Rule07_Credentials",
         "logins belong to listeners, fixed while a broker runs: tests/python/test_security.py"},
        {"Section5_PasswordFromEnvironment",
         "logins belong to listeners, fixed while a broker runs: tests/python/test_security.py"},
        {"Section5_SensorIdExtraction", "defined for Redis and MQTT only"}};
  }

  std::string server_kind() const override { return "kafka"; }
  // What is acknowledged survives SIGKILL: it is in the kernel's page cache. Without automatic
  // creation a topic is unknown until a test makes it.
  std::string server_args() const override {
    return R"({"properties":{"auto.create.topics.enable":"false"}})";
  }
  void CreateTopic(Server& server, const std::string& topic, int partitions) override {
    KafkaClient(server.address()).MakeTopic(topic, partitions);
  }
  std::vector<Received> ReadAll(Server& server, const std::string& topic) override {
    return KafkaClient(server.address()).ReadAll(topic);
  }

  Lines LowLatencyConfig() const override { return {"linger=0"}; }
  std::string received_fields() const override { return "key headers bytes timestamp partition"; }
  Lines ConsumerConfig(const std::string& unique) const override {
    return {"consumer-group-id=group-" + unique, "offset-reset=earliest"};
  }
  std::vector<ConnectionForm> ConnectionForms(Server& server) const override {
    const ClosedPort closed;
    const std::string dead = "127.0.0.1:" + std::to_string(closed.port());
    return {{"Url", "kafka://" + server.address(), {}},
            {"SeveralHosts", dead + "," + server.address(), {}},
            {"UrlSeveralHosts", "kafka://" + dead + "," + server.address(), {}}};
  }
  // Logins belong to listeners, fixed while a broker runs; this name is refused to every client.
  std::string ForbiddenTopic(Server&, const std::string& unique) override {
    return "not/a/topic/" + unique;
  }
  EqualSettings SignatureForms() const override {
    return {"kafka.example;9092", "kafka://kafka.example:9092", "kafka.example;9093"};
  }

  bool duplicates_possible() const override { return false; }  // the producer is idempotent
  bool has_keys() const override { return true; }
  bool has_unknown_topic() const override { return true; }
  size_t largest_payload() const override { return 1'000'000; }  // the broker's own limit is near

  std::vector<Refusal> RefusedForGood() const override {
    return {{"TooLargeForTheTopic",
             [](Server& server, const std::string& topic) {
               KafkaClient(server.address()).MakeTopic(topic, 1, {{"max.message.bytes", "10"}});
             },
             [](Server&, const std::string&) {}}};
  }

  std::vector<SecretCase> SecretCases(Server& server, const std::string& secret) const override {
    const std::string plain = server.host() + ";" + std::to_string(server.port());
    return {{"Config", plain, {"username=someone", "password=" + secret}, {}},
            {"Environment", plain, {}, {{"USER_KAFKA", "someone"}, {"PASSWORD_KAFKA", secret}}},
            {"ProtoCfg",
             plain,
             {"proto-cfg=\"sasl.username=someone;sasl.password=" + secret + "\""},
             {}},
            {"ProtoCfgRefused", plain, {"proto-cfg=\"ssl.key.pem=" + secret + "\""}, {}},
            {"Url", "kafka://someone:" + secret + "@" + server.address(), {}, {}},
            {"BadPort", "kafka://someone:" + secret + "@127.0.0.1:notaport", {}, {}}};
  }
};

DSMSG_QUIRKS(KafkaQuirks);

}  // namespace
}  // namespace dsmsg::conformance
