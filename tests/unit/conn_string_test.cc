// SPDX-License-Identifier: Apache-2.0
#include "core/options/conn_string.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace dsmsg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kKafkaSchemes[] = {"kafka"};
constexpr std::string_view kMqttSchemes[] = {"mqtt", "mqtts"};
constexpr std::string_view kRedisSchemes[] = {"redis", "rediss"};
constexpr std::string_view kAmqpSchemes[] = {"amqp", "amqps"};
constexpr std::string_view kZmqSchemes[] = {"zmq"};
constexpr ConnRules kKafka{"kafka", kKafkaSchemes, 9092, false, false};
constexpr ConnRules kMqtt{"mqtt", kMqttSchemes, 1883, false, false};
constexpr ConnRules kRedis{"redis", kRedisSchemes, 6379, false, false};
constexpr ConnRules kAmqp{"amqp", kAmqpSchemes, 5672, true, false, 5671};
constexpr ConnRules kZmq{"zmq", kZmqSchemes, 0, false, true};
constexpr ConnRules kNoDefault{"x", {}, 0, false, false};

constexpr std::string_view kNames[] = {"HostName", "DeviceId", "Key"};
constexpr ConnRules kHub = {.protocol = "hub",
                            .schemes = {},
                            .default_port = 8883,
                            .fields = kNames,
                            .fields_example = "HostName=<hub>;DeviceId=<id>;Key=<key>"};

Endpoints Good(std::string_view text, const ConnRules& rules) {
  Result<Endpoints> parsed = ParseConnString(text, rules);
  EXPECT_TRUE(parsed.ok()) << text << ": " << parsed.status().message();
  return parsed.ok() ? std::move(parsed.value()) : Endpoints();
}

std::string Error(std::string_view text, const ConnRules& rules) {
  const Result<Endpoints> parsed = ParseConnString(text, rules);
  EXPECT_FALSE(parsed.ok()) << text;
  EXPECT_EQ(parsed.status().code(), Code::kInvalidArgument) << text;
  EXPECT_THAT(parsed.status().message(), HasSubstr("expected \"host;port\""));
  EXPECT_THAT(parsed.status().message(), HasSubstr("for example \"localhost;"));
  return parsed.status().message();
}

TEST(ConnStringTest, HostPort) {
  const Endpoints e = Good("localhost;9092", kKafka);
  EXPECT_THAT(e.hosts, ElementsAre(HostPort{"localhost", 9092}));
  EXPECT_EQ(e.default_topic, "");
  EXPECT_EQ(e.not_a_topic, "9092");
  EXPECT_EQ(e.ToString(), "localhost:9092");
  EXPECT_FALSE(e.tls);
}

TEST(ConnStringTest, HostPortTopic) {
  const Endpoints e = Good("localhost;9092;my.topic/a", kKafka);
  EXPECT_THAT(e.hosts, ElementsAre(HostPort{"localhost", 9092}));
  EXPECT_EQ(e.default_topic, "my.topic/a");
  EXPECT_EQ(e.not_a_topic, "");
  EXPECT_EQ(Good("localhost;9092;", kKafka).default_topic, "");
}

TEST(ConnStringTest, BlanksAreTrimmed) {
  const Endpoints e = Good("  LocalHost ; 9092 ; topic  ", kKafka);
  EXPECT_THAT(e.hosts, ElementsAre(HostPort{"localhost", 9092}));
  EXPECT_EQ(e.default_topic, "topic");
  EXPECT_THAT(Good(" h1:1 , h2:2 ", kKafka).hosts,
              ElementsAre(HostPort{"h1", 1}, HostPort{"h2", 2}));
}

TEST(ConnStringTest, Lists) {
  EXPECT_THAT(Good("h1:9092,h2:9093", kKafka).hosts,
              ElementsAre(HostPort{"h1", 9092}, HostPort{"h2", 9093}));
  EXPECT_THAT(Good("h1:9093,h2", kKafka).hosts,
              ElementsAre(HostPort{"h1", 9093}, HostPort{"h2", 9092}));
  EXPECT_EQ(Good("h1:9092,h1:9092", kKafka).hosts.size(), 1u);
  const Endpoints topic = Good("h1:1,h2:2;events", kKafka);
  EXPECT_EQ(topic.hosts.size(), 2u);
  EXPECT_EQ(topic.default_topic, "events");
  EXPECT_EQ(topic.not_a_topic, "");
  EXPECT_THAT(Good("h1,h2;9094", kKafka).hosts,
              ElementsAre(HostPort{"h1", 9094}, HostPort{"h2", 9094}));
}

TEST(ConnStringTest, Ipv6) {
  const HostPort loopback{"::1", 6379};
  EXPECT_THAT(Good("[::1]:6379", kRedis).hosts, ElementsAre(loopback));
  EXPECT_THAT(Good("[::1];6379", kRedis).hosts, ElementsAre(loopback));
  EXPECT_THAT(Good("::1;6379", kRedis).hosts, ElementsAre(loopback));
  EXPECT_THAT(Good("redis://[::1]", kRedis).hosts, ElementsAre(loopback));
  EXPECT_THAT(Good("redis://u:p@[::1]:6379/1", kRedis).hosts, ElementsAre(loopback));
  EXPECT_THAT(Good("[fe80::1%eth0]:6379", kRedis).hosts,
              ElementsAre(HostPort{"fe80::1%eth0", 6379}));
  EXPECT_THAT(Good("[::1]:1,[::2]:2;topic", kRedis).hosts,
              ElementsAre(HostPort{"::1", 1}, HostPort{"::2", 2}));
  EXPECT_EQ(loopback.ToString(), "[::1]:6379");
  Error("[::1", kRedis);
  Error("[::1]6379", kRedis);
  Error("[nonsense]:6379", kRedis);
  Error("[::1]", kNoDefault);
}

TEST(ConnStringTest, Urls) {
  EXPECT_THAT(Good("kafka://h1:9093,h2", kKafka).hosts,
              ElementsAre(HostPort{"h1", 9093}, HostPort{"h2", 9092}));
  const Endpoints redis = Good("redis://us%40er:p%3Ass%2f%25@h:6380/2", kRedis);
  EXPECT_EQ(redis.user, "us@er");
  EXPECT_EQ(redis.password, "p:ss/%");
  EXPECT_EQ(redis.path, "2");
  EXPECT_THAT(redis.hosts, ElementsAre(HostPort{"h", 6380}));
  EXPECT_EQ(redis.ToString(), "h:6380");
  EXPECT_EQ(Good("redis://:pw@h", kRedis).password, "pw");
  EXPECT_EQ(Good("redis://user@h", kRedis).user, "user");
  EXPECT_EQ(Good("redis://a:b@c@h", kRedis).password, "b@c");
  EXPECT_EQ(Good("amqp://guest:guest@h:5672/%2f", kAmqp).path, "/");
  EXPECT_EQ(Good("AMQP://h/", kAmqp).path, "");
  EXPECT_FALSE(Good("redis://h", kRedis).tls);
  EXPECT_TRUE(Good("rediss://h", kRedis).tls);
  EXPECT_TRUE(Good("mqtts://h", kMqtt).tls);
  EXPECT_FALSE(Good("mqtt://h", kMqtt).tls);
  EXPECT_TRUE(Good("amqps://h", kAmqp).tls);
  EXPECT_THAT(Good("amqps://h,i:7", kAmqp).hosts,
              ElementsAre(HostPort{"h", 5671}, HostPort{"i", 7}));
  EXPECT_THAT(Good("amqp://h", kAmqp).hosts, ElementsAre(HostPort{"h", 5672}));
  EXPECT_THAT(Good("rediss://h", kRedis).hosts, ElementsAre(HostPort{"h", 6379}));
  const Endpoints topic = Good("redis://h:1;events", kRedis);
  EXPECT_EQ(topic.default_topic, "events");
  EXPECT_THAT(topic.hosts, ElementsAre(HostPort{"h", 1}));
}

TEST(ConnStringTest, EqualForEqualSettings) {
  const Endpoints a = Good("localhost;6379", kRedis), b = Good("redis://LOCALHOST", kRedis),
                  c = Good("localhost:6379", kRedis);
  EXPECT_EQ(a.hosts, b.hosts);
  EXPECT_EQ(a.hosts, c.hosts);
}

TEST(ConnStringTest, AmqpFields) {
  const Endpoints four = Good("h;5672;guest;se;cr et", kAmqp);
  EXPECT_EQ(four.user, "guest");
  EXPECT_EQ(four.password, "se;cr et");
  EXPECT_EQ(four.not_a_topic, "cr et");
  EXPECT_EQ(four.default_topic, "");
  const Endpoints three = Good("h;5672;guest", kAmqp);
  EXPECT_EQ(three.user, "guest");
  EXPECT_EQ(three.password, "");
  EXPECT_EQ(three.not_a_topic, "guest");
  EXPECT_EQ(Good("h;5672", kAmqp).not_a_topic, "5672");
  // A password that looks like a URL is not one.
  EXPECT_EQ(Good("h;5672;u;http://x", kAmqp).password, "http://x");
  // A ';' inside a URL's password: the text after it is not a topic.
  const Endpoints url = Good("amqp://u:p;w@h", kAmqp);
  EXPECT_EQ(url.password, "p;w");
  EXPECT_EQ(url.not_a_topic, "w@h");
  Error("h:5672;user", kAmqp);
}

TEST(ConnStringTest, Paths) {
  static constexpr std::string_view kSchemes[] = {"file"};
  static constexpr ConnRules kFile{.protocol = "file", .schemes = kSchemes, .path = true};
  for (const char* text : {"/var/lib/events", " /var/lib/events ", "file:///var/lib/events",
                           "FILE:///var%2Flib/events"}) {
    const Endpoints e = Good(text, kFile);
    EXPECT_EQ(e.address, "/var/lib/events") << text;
    EXPECT_EQ(e.ToString(), "/var/lib/events") << text;
    EXPECT_THAT(e.hosts, ElementsAre()) << text;
    EXPECT_EQ(e.default_topic, "") << text;
  }
  for (const char* text : {"/a/b;events", "file:///a/b; events"}) {
    EXPECT_EQ(Good(text, kFile).address, "/a/b") << text;
    EXPECT_EQ(Good(text, kFile).default_topic, "events") << text;
    EXPECT_EQ(Good(text, kFile).not_a_topic, "") << text;
  }
  EXPECT_EQ(Good("/a/b;9092", kFile).default_topic, "9092");  // no port anywhere
  EXPECT_EQ(Good("events.txt", kFile).address, "events.txt");
  EXPECT_EQ(Good("/a b/c@d:e,f%2F", kFile).address, "/a b/c@d:e,f%2F");
  for (const char* text : {"", "  ", ";", ";topic", "/a;b;c", "file://", "file://host/a",
                           "file:///%zz", "kafka://h:1", "/a\nb"}) {
    const Result<Endpoints> parsed = ParseConnString(text, kFile);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.status().code(), Code::kInvalidArgument) << text;
    EXPECT_THAT(parsed.status().message(),
                HasSubstr("expected a path (\"/run/name\"), \"path;topic\" or a URL, for example "
                          "\"file:///run/name\""))
        << text;
  }
  EXPECT_EQ(ConnForms(kFile), "a path or a URL");
  EXPECT_EQ(ConnForms(kKafka), "host;port, host:port,host:port or a URL");
}

TEST(ConnStringTest, Zmq) {
  EXPECT_EQ(Good("zmq://tcp://*:5555", kZmq).address, "tcp://*:5555");
  EXPECT_EQ(Good("zmq://ipc:///tmp/x", kZmq).address, "ipc:///tmp/x");
  EXPECT_EQ(Good("tcp://localhost:5555", kZmq).address, "tcp://localhost:5555");
  EXPECT_EQ(Good("@tcp://*:5555", kZmq).address, "@tcp://*:5555");
  EXPECT_EQ(Good("*;5555", kZmq).address, "tcp://*:5555");
  EXPECT_EQ(Good("localhost;5555", kZmq).address, "tcp://localhost:5555");
  EXPECT_EQ(Good("zmq://tcp://*:5555", kZmq).ToString(), "tcp://*:5555");
  EXPECT_EQ(Good("a:1,b:2", kZmq).address, "tcp://a:1,tcp://b:2");
  EXPECT_EQ(Good("[::1];5555", kZmq).address, "tcp://[::1]:5555");
  // Equal in every spelling, so that signatures are equal.
  EXPECT_THAT(Good("h;5555", kZmq).hosts, ElementsAre());
  EXPECT_EQ(Good("h;5555", kZmq).address, Good("zmq://tcp://h:5555", kZmq).address);
  for (const char* text : {"zmq://tcp://*:5555;events", "tcp://*:5555; events", "*;5555;events"}) {
    EXPECT_EQ(Good(text, kZmq).address, "tcp://*:5555") << text;
    EXPECT_EQ(Good(text, kZmq).default_topic, "events") << text;
    EXPECT_EQ(Good(text, kZmq).not_a_topic, "") << text;
  }
  Error("zmq://tcp://*:5555;a;b", kZmq);
  Error("zmq://", kZmq);
  Error("zmq://localhost:5555", kZmq);
  Error("zmq://tcp://", kZmq);
  Error("tcp://", kZmq);
}

TEST(ConnStringTest, WhatDoesNotParseIsExplained) {
  EXPECT_THAT(Error("", kKafka), HasSubstr("it is empty"));
  EXPECT_THAT(Error("   ", kKafka), HasSubstr("it is empty"));
  EXPECT_THAT(Error("host;", kKafka), HasSubstr("the port is missing"));
  EXPECT_THAT(Error("host", kKafka), HasSubstr("the port is missing"));
  EXPECT_THAT(Error(";9092", kKafka), HasSubstr("the host is missing"));
  EXPECT_THAT(Error(":9092", kKafka), HasSubstr("the host is missing"));
  EXPECT_THAT(Error("host;99999", kKafka), HasSubstr("1 to 65535"));
  EXPECT_THAT(Error("host;0", kKafka), HasSubstr("1 to 65535"));
  EXPECT_THAT(Error("host;-1", kKafka), HasSubstr("1 to 65535"));
  EXPECT_THAT(Error("host;abc", kKafka), HasSubstr("1 to 65535"));
  EXPECT_THAT(Error("host:abc", kKafka), HasSubstr("1 to 65535"));
  EXPECT_THAT(Error("host:9092;9092;t", kKafka), HasSubstr("too many fields"));
  EXPECT_THAT(Error("host:9092;9092", kKafka), HasSubstr("twice"));
  EXPECT_THAT(Error("mqtt://h:1883", kKafka), HasSubstr("\"mqtt\" belongs to another protocol"));
  EXPECT_THAT(Error("mqtt://", kKafka), HasSubstr("belongs to another protocol"));
  EXPECT_THAT(Error("kafka://", kKafka), HasSubstr("nothing follows"));
  EXPECT_THAT(Error("kafka://,", kKafka), HasSubstr("the host is missing"));
  EXPECT_THAT(Error("h1:1,,h2:2", kKafka), HasSubstr("the host is missing"));
  EXPECT_THAT(Error("a b;9092", kKafka), HasSubstr("a host name may contain"));
  EXPECT_THAT(Error("-h;9092", kKafka), HasSubstr("a host name may contain"));
  EXPECT_THAT(Error("h\nx;9092", kKafka), HasSubstr("control character"));
  EXPECT_THAT(Error(std::string_view("h;9092\0", 7), kKafka), HasSubstr("control character"));
  EXPECT_THAT(Error("h;9092;a;b", kKafka), HasSubstr("too many fields"));
  EXPECT_THAT(Error("redis://h:1?db=2", kRedis), HasSubstr("configuration file"));
  std::string long_name(10000, 'h');
  long_name += ";1";
  EXPECT_THAT(Error(long_name, kKafka), HasSubstr("longer than"));
  EXPECT_THAT(Error("://h", kKafka), HasSubstr("the host is missing"));
  EXPECT_THAT(Error("*;5555", kKafka), HasSubstr("a host name may contain"));
}

// A topic is not taken for a password, nor a password for a topic.
TEST(ConnStringTest, ATopicWithAnAtSignAndAPasswordWithASemicolonAreAmbiguous) {
  for (const char* text :
       {"kafka://h:9092;topic@x", "kafka://h;topic@x", "kafka://h:1,i:2;t@x",
        "kafka://[::1]:9092;topic@x", "kafka://user:1234;hunter2@h:9092", "kafka://h:9092;a/b@c"}) {
    EXPECT_THAT(Error(text, kKafka), HasSubstr("is ambiguous")) << text;
    EXPECT_THAT(Error(text, kKafka), Not(HasSubstr("hunter2"))) << text;
  }
  EXPECT_EQ(Good("kafka://user:1234%3Bx@h:9092", kKafka).password, "1234;x");
  EXPECT_EQ(Good("kafka://user:p;w@h:9092", kKafka).password, "p;w");
  EXPECT_EQ(Good("kafka://user:p@h:9092;topic", kKafka).default_topic, "topic");
}

TEST(ConnStringTest, PasswordsAreNeverRepeated) {
  for (const char* text : {"redis://u:hunter2@h:0", "redis://u:hunter2@", "redis://u:hunter2%zz@h",
                           "redis://u:hun%0ater2@h", "redis://u:hunter2/x@h", "hunter2@h:6379",
                           "u:hunter2@h;6379", "mqtt://u:hunter2@h", "redis://u:hunter2@h:1;a;b",
                           "redis://hunter2:x:y@h h", "h;hunter2;x", "h:1;2;hunter2;x"}) {
    EXPECT_THAT(Error(text, kRedis), Not(HasSubstr("hunter2"))) << text;
    EXPECT_THAT(Error(text, kRedis), Not(HasSubstr("ter2"))) << text;
  }
  EXPECT_THAT(Error("h;hunter2;u;hunter2", kAmqp), Not(HasSubstr("hunter2")));
}

TEST(ConnStringTest, NamedFields) {
  const Endpoints named = Good(" hostname = Hub.Example:18883 ; DeviceId=d;;KEY=a=b== ; ", kHub);
  EXPECT_THAT(named.hosts, ElementsAre(HostPort{"hub.example", 18883}));
  EXPECT_THAT(named.fields, ElementsAre(std::pair("HostName", "Hub.Example:18883"),
                                        std::pair("DeviceId", "d"), std::pair("Key", "a=b==")));
  EXPECT_EQ(Good("HostName=h;Key=secret", kHub).hosts.front().port, 8883);
  EXPECT_EQ(Good("HostName=h;Key=secret", kHub).not_a_topic, "Key=secret");
  EXPECT_TRUE(Good("h;1", kHub).fields.empty());
  for (const char* text : {"DeviceId=d", "HostName=h;HostName=h", "HostName=", "HostName=h h",
                           "HostName=h;Other=secret", "HostName=h;secret", "=h", "HostName=h:0"}) {
    const auto parsed = ParseConnString(text, kHub);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_THAT(parsed.status().message(), HasSubstr("HostName=<hub>")) << text;
    EXPECT_THAT(parsed.status().message(), Not(HasSubstr("secret"))) << text;
  }
}

TEST(ConnStringTest, RandomTextNeverCrashes) {
  std::mt19937 random(11);
  constexpr std::string_view kAlphabet = "hab19:;,@/[]%?*.-_ \t\n\xff";
  constexpr std::string_view kPieces[] = {"redis://", "://", "amqp",      "tcp://", "[::1]",
                                          ";",        "%2f", "HostName=", "=",      "Key="};
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (auto i = random() % 24; i > 0; --i) {
      if (random() % 4 == 0) {
        text += kPieces[random() % std::size(kPieces)];
      } else {
        text += kAlphabet[random() % kAlphabet.size()];
      }
    }
    for (const ConnRules* rules : {&kRedis, &kAmqp, &kZmq, &kNoDefault, &kHub}) {
      const auto parsed = ParseConnString(text, *rules);
      if (parsed.ok()) {
        EXPECT_FALSE(parsed->hosts.empty() && parsed->address.empty()) << text;
        for (const HostPort& host : parsed->hosts) {
          EXPECT_NE(host.port, 0) << text;
          EXPECT_FALSE(host.host.empty()) << text;
        }
      } else {
        EXPECT_FALSE(parsed.status().message().empty());
      }
    }
  }
}

}  // namespace
}  // namespace dsmsg
