// SPDX-License-Identifier: Apache-2.0
#include "adaptors/kafka/settings.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace dsmsg::kafka {
namespace {

struct Made {
  Status status;
  std::optional<KafkaSettings> settings;

  std::string Get(Role role, const char* name) const {
    char value[256] = "";
    size_t size = sizeof value;
    const ConfPtr conf = settings->NewConf(role);
    if (rd_kafka_conf_get(conf.get(), name, value, &size) == RD_KAFKA_CONF_OK) return value;
    // A property of topics stands in the default topic configuration.
    rd_kafka_topic_conf_t* topic = rd_kafka_conf_get_default_topic_conf(conf.get());
    size = sizeof value;
    return topic != nullptr &&
                   rd_kafka_topic_conf_get(topic, name, value, &size) == RD_KAFKA_CONF_OK
               ? value
               : "(none)";
  }
  std::string Producer(const char* name) const { return Get(Role::kProducer, name); }
  std::string Consumer(const char* name) const { return Get(Role::kConsumer, name); }
};

Made Make(const std::string& text) {
  Made made;
  const auto config =
      Config::Parse("[message-broker]\n" + text, "test.cfg", OptionTable(Options()));
  if (!config.ok()) {
    made.status = config.status();
    return made;
  }
  Endpoints endpoints;
  endpoints.hosts = {{"h1.", 9092}, {"::1", 9093}};
  static Logger log("KAFKA");
  log.SetLevel(LogLevel::kError);
  auto settings = KafkaSettings::Make(endpoints, config.value(), log);
  made.status = settings.status();
  if (settings.ok()) made.settings.emplace(std::move(settings.value()));
  return made;
}

TEST(KafkaConfig, DefaultsKeepTheirPromises) {
  const Made made = Make("");
  ASSERT_TRUE(made.status.ok()) << made.status.message();
  EXPECT_EQ(made.settings->brokers(), "h1:9092,[::1]:9093");
  EXPECT_EQ(made.Producer("bootstrap.servers"), "h1:9092,[::1]:9093");
  EXPECT_EQ(made.Producer("message.timeout.ms"), "0");
  EXPECT_EQ(made.Producer("acks"), "-1");
  // Two addresses of one name, and the look that follows: within 5 s.
  EXPECT_EQ(made.Producer("reconnect.backoff.max.ms"), "2000");
  EXPECT_EQ(made.Producer("socket.timeout.ms"), "30000");
  EXPECT_EQ(made.Consumer("socket.timeout.ms"), "30000");
  EXPECT_EQ(made.Producer("request.timeout.ms"), "20000");
  EXPECT_EQ(made.Producer("enable.idempotence"), "true");
  EXPECT_EQ(made.Producer("compression.codec"), "lz4");
  EXPECT_EQ(made.Producer("partitioner"), "consistent_random");
  EXPECT_EQ(made.settings->linger(), Millis(5));
  EXPECT_EQ(made.Producer("linger.ms"), "1");  // the core lingers; this keeps a burst together
  EXPECT_EQ(made.Producer("socket.nagle.disable"), "true");
  EXPECT_EQ(made.Consumer("group.id"), "test-consumer-group");
  EXPECT_EQ(made.Consumer("auto.offset.reset"), "smallest");  // librdkafka's name for earliest
  EXPECT_EQ(made.Consumer("enable.auto.offset.store"), "false");
  EXPECT_EQ(made.Consumer("enable.auto.commit"), "true");
}

TEST(KafkaConfig, LibraryTakesWhatTheCoreHasInFlight) {
  const Made made = Make("queue-size=2000\nqueue-bytes=64M\nmax-message-bytes=2M\n");
  ASSERT_TRUE(made.status.ok()) << made.status.message();
  EXPECT_GE(std::stoll(made.Producer("queue.buffering.max.messages")), 2000);
  EXPECT_GE(std::stoll(made.Producer("queue.buffering.max.kbytes")), 64 * 1024);
  EXPECT_GE(std::stoll(made.Producer("message.max.bytes")), 2 * 1024 * 1024);
}

TEST(KafkaConfig, WithoutIdempotenceABurstNeedNotStayTogether) {
  const Made made = Make("idempotence=0\nlinger=30ms\n");
  ASSERT_TRUE(made.status.ok()) << made.status.message();
  EXPECT_EQ(made.Producer("linger.ms"), "0");
  EXPECT_EQ(made.settings->linger(), Millis(30));
}

TEST(KafkaConfig, PropertiesOfTheLibraryWinByRole) {
  const Made made = Make(
      "proto-cfg=\"client.id=both;queued.min.messages=7\"\n"
      "producer-proto-cfg=\"client.id=sender;queue.buffering.max.ms=20;compression.type=gzip\"\n"
      "consumer-proto-cfg=\"group.id=other\"\n");
  ASSERT_TRUE(made.status.ok()) << made.status.message();
  EXPECT_EQ(made.Producer("client.id"), "sender");
  EXPECT_EQ(made.Producer("compression.codec"), "gzip");
  EXPECT_EQ(made.Producer("linger.ms"), "20");
  EXPECT_EQ(made.Consumer("client.id"), "both");
  EXPECT_EQ(made.Consumer("group.id"), "other");
  EXPECT_EQ(made.Consumer("queued.min.messages"), "7");
}

TEST(KafkaConfig, RefusedPropertyNamesOptionPropertyAndReason) {
  const Made unknown = Make("producer-proto-cfg=\"no.such.thing=1\"\n");
  EXPECT_EQ(unknown.status.code(), Code::kInvalidArgument);
  EXPECT_NE(unknown.status.message().find("producer-proto-cfg"), std::string::npos);
  EXPECT_NE(unknown.status.message().find("no.such.thing"), std::string::npos);
  EXPECT_NE(unknown.status.message().find("No such configuration property"), std::string::npos);

  const Made bad = Make("proto-cfg=\"socket.timeout.ms=soon\"\n");
  EXPECT_NE(bad.status.message().find("socket.timeout.ms"), std::string::npos);
}

TEST(KafkaConfig, FetchingCommittingAndLookingForPartitionsAreOptions) {
  const Made usual = Make("");
  EXPECT_EQ(usual.Consumer("max.partition.fetch.bytes"), "1048576");
  EXPECT_EQ(usual.Consumer("auto.commit.interval.ms"), "1000");
  EXPECT_EQ(usual.settings->longest_answer(), Millis(500));
  const Made other = Make(
      "fetch-bytes=64k\noffset-commit-interval=5s\npartition-refresh=60s\nmetadata-refresh=90s\n"
      "metadata-request-timeout=5s\n");
  ASSERT_TRUE(other.status.ok()) << other.status.message();
  EXPECT_EQ(other.Consumer("max.partition.fetch.bytes"), "65536");
  EXPECT_EQ(other.Consumer("auto.commit.interval.ms"), "5000");
  EXPECT_EQ(other.Producer("topic.metadata.refresh.interval.ms"), "60000");
  EXPECT_EQ(other.Consumer("topic.metadata.refresh.interval.ms"), "90000");
  EXPECT_EQ(other.settings->longest_answer(), Millis(5000));
  EXPECT_EQ(Make("metadata-refresh=90s\n").Producer("topic.metadata.refresh.interval.ms"), "90000");
}

TEST(KafkaConfig, WhatIsKnownDoesNotExpireAtOnceWhenItIsRefreshedRarely) {
  EXPECT_EQ(Make("").Producer("metadata.max.age.ms"), "900000") << "librdkafka's own default";
  for (const char* rarely : {"metadata-refresh=1h\n", "partition-refresh=20m\n",
                             "proto-cfg=topic.metadata.refresh.interval.ms=3600000\n",
                             "proto-cfg=metadata.max.age.ms=9000000\n"}) {
    const int age = std::stoi(Make(rarely).Producer("metadata.max.age.ms"));
    EXPECT_GT(age, 2'000'000) << rarely;
    EXPECT_LE(age, 2'147'483) << rarely;
  }
}

TEST(KafkaConfig, ReceivingNeedsAGroup) {
  for (const char* text : {"consumer-group-id=\"\"\n", "consumer-proto-cfg = group.id=\"\"\n"}) {
    const Made made = Make(text);
    EXPECT_EQ(made.status.code(), Code::kInvalidArgument) << text;
    EXPECT_NE(made.status.message().find("name the group"), std::string::npos)
        << made.status.message();
  }
}

// It may be a password behind a misspelt name, or in the wrong place.
TEST(KafkaConfig, ARefusedValueIsNotRepeated) {
  for (const std::string option : {"proto-cfg", "producer-proto-cfg", "consumer-proto-cfg"}) {
    for (const std::string name : {"sasl.pasword", "sasl.no.password", "SharedAccessKey", "debug",
                                   "socket.timeout.ms", "auto.offset.reset", "security.protocol",
                                   "sasl.oauthbearer.method", "compression.type"}) {
      const Made made = Make(option + "=\"" + name + "=hunter2\"\n");
      ASSERT_FALSE(made.status.ok()) << name;
      const std::string& text = made.status.message();
      EXPECT_EQ(text.find("hunter2"), std::string::npos) << text;
      EXPECT_NE(text.find(Canonical(name)), std::string::npos) << text;
      EXPECT_NE(text.find(option), std::string::npos) << text;
    }
  }
  const std::string conflict =
      Make("proto-cfg=\"enable.idempotence=true;acks=0\"\n").status.message();
  EXPECT_EQ(conflict.find("acks=0"), std::string::npos) << conflict;
  const std::string range = Make("proto-cfg=\"socket.timeout.ms=4\"\n").status.message();
  EXPECT_NE(range.find("allowed: 10..300000"), std::string::npos) << range;
}

TEST(KafkaConfig, SecretsInTextsOfTheLibraryAreBlackened) {
  const Made made = Make(
      "proto-cfg=\"sasl.oauthbearer.config=principal=me life=open-sesame;client.id=shown\"\n"
      "producer-proto-cfg=\"ssl.key.password=hunter2\"\nsasl-mechanism=PLAIN\nusername=u\n"
      "password=letmein\n");
  ASSERT_TRUE(made.status.ok()) << made.status.message();
  const Redactor& redact = made.settings->redactor();
  EXPECT_EQ(redact("a letmein b hunter2, client shown"), "a ******* b *******, client shown");
  EXPECT_EQ(redact("beginning at: open-sesame"), "beginning at: ***********");
  EXPECT_EQ(redact(""), "");
}

TEST(KafkaConfig, AMissingTopicIsReportedBeforeSendTimeout) {
  constexpr char kName[] = "topic.metadata.propagation.max.ms";
  EXPECT_EQ(Make("").Producer(kName), "3000");
  EXPECT_EQ(Make("send-timeout=5s\n").Producer(kName), "1500");
  EXPECT_EQ(Make("send-timeout=1s\n").Producer(kName), "1000");  // time to create one
  EXPECT_EQ(Make("send-timeout=1m\n").Producer(kName), "5000");
}

TEST(KafkaConfig, BrokenPromisesAreErrors) {
  for (const char* property :
       {"delivery.report.only.error=true", "bootstrap.servers=h:1", "metadata.broker.list=h:1",
        "transactional.id=x", "log.queue=true"}) {
    const Made made = Make("proto-cfg=\"" + std::string(property) + "\"\n");
    EXPECT_EQ(made.status.code(), Code::kInvalidArgument) << property;
  }
  // Asking for what is the default anyway is none.
  EXPECT_TRUE(Make("proto-cfg=\"delivery.report.only.error=false\"\n").status.ok());
}

TEST(KafkaConfig, IdempotenceFollowsAcksAndWindow) {
  EXPECT_EQ(Make("acks=1\n").Producer("enable.idempotence"), "false");
  EXPECT_EQ(Make("max-in-flight=6\n").Producer("enable.idempotence"), "false");
  EXPECT_EQ(Make("max-in-flight=1\n").Producer("enable.idempotence"), "true");
  EXPECT_EQ(Make("idempotence=0\n").Producer("enable.idempotence"), "false");
  EXPECT_EQ(Make("idempotence=yes\n").Producer("enable.idempotence"), "true");
  EXPECT_EQ(Make("proto-cfg=\"request.required.acks=1\"\n").Producer("enable.idempotence"),
            "false");
  EXPECT_EQ(Make("proto-cfg=\"retries=0\"\n").Producer("enable.idempotence"), "false");
}

TEST(KafkaConfig, IdempotenceInConflictIsAnError) {
  for (const char* text :
       {"idempotence=1\nacks=1\n", "idempotence=1\nmax-in-flight=6\n",
        "idempotence=1\nmax-in-flight=10\n", "proto-cfg=\"enable.idempotence=true;acks=0\"\n"}) {
    const Made made = Make(text);
    EXPECT_EQ(made.status.code(), Code::kInvalidArgument) << text;
    EXPECT_NE(made.status.message().find("idempotence"), std::string::npos) << text;
  }
}

TEST(KafkaConfig, LoginOnlyWithMechanism) {
  const Made without = Make("username=u\npassword=p\n");
  ASSERT_TRUE(without.status.ok()) << without.status.message();
  EXPECT_EQ(without.Producer("security.protocol"), "plaintext");
  const Made with = Make("sasl-mechanism=PLAIN\nusername=u\npassword=p\n");
  ASSERT_TRUE(with.status.ok()) << with.status.message();
  EXPECT_EQ(with.Producer("security.protocol"), "sasl_plaintext");
  EXPECT_EQ(with.Producer("sasl.username"), "u");
  EXPECT_EQ(with.Consumer("sasl.username"), "u");
}

}  // namespace
}  // namespace dsmsg::kafka
