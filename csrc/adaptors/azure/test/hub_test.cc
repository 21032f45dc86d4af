// SPDX-License-Identifier: Apache-2.0
// Topics with properties, both ways.
#include "adaptors/azure/hub.h"

#include <gtest/gtest.h>
#include <mosquitto.h>

#include "core/base/log.h"

namespace dsmsg::azure {
namespace {

class AzureHub : public testing::Test {
 protected:
  Hub Make(const std::string& module = "", Pairs properties = {}, std::string topic_property = "") {
    HubSettings settings;
    settings.identity.hub = "h";
    settings.identity.device = "dev-1";
    settings.identity.module = module;
    settings.properties = std::move(properties);
    settings.topic_property = std::move(topic_property);
    return Hub(std::move(settings), log_);
  }

  static std::string Wire(Hub& hub, const std::string& topic, const std::vector<Header>& headers) {
    Message message;
    message.topic = topic;
    message.headers = headers;
    const auto wire = hub.WireTopic(message);
    return wire.ok() ? wire.value() : wire.status().message();
  }

  static bool Read(Hub& hub, std::string topic, InMessage* out) {
    mosquitto_message message{};
    message.topic = topic.data();
    return hub.Read(message, nullptr, out);
  }

  Logger log_{"test"};
};

TEST_F(AzureHub, TopicsAreThoseOfTheSdk) {
  Hub hub = Make();
  EXPECT_EQ(Wire(hub, "any", {}), "devices/dev-1/messages/events/");
  EXPECT_EQ(Wire(hub, "",
                 {{"a b", "c/d&e"},
                  {"$.exp", "9"},
                  {"$.ifid", "urn:a:1"},
                  {"$.ce", "utf-8"},
                  {"$.ct", "application/json"},
                  {"$.mid", "m1"}}),
            "devices/dev-1/messages/events/%24.mid=m1&%24.ct=application%2Fjson&%24.ce=utf-8&"
            "%24.ifid=urn%3Aa%3A1&%24.exp=9&a%20b=c%2Fd%26e");
  EXPECT_EQ(Wire(hub, "", {{"%41", "%zz"}, {"k=v", "a=b"}, {"empty", ""}}),
            "devices/dev-1/messages/events/%2541=%25zz&empty=&k%3Dv=a%3Db");
  EXPECT_EQ(Wire(hub, "", {{"$.exp", "2030-01-02T03:04:05"}, {"$.mid", "m/2 x"}}),
            "devices/dev-1/messages/events/%24.mid=m%2F2%20x&%24.exp=2030-01-02T03%3A04%3A05");
  Hub module = Make("mod.A");
  EXPECT_EQ(Wire(module, "out 1/x", {}),
            "devices/dev-1/modules/mod.A/messages/events/%24.on=out%201%2Fx");
  EXPECT_EQ(Wire(module, "", {}), "devices/dev-1/modules/mod.A/messages/events/");
}

TEST_F(AzureHub, HeadersComeBeforeConstants) {
  Hub hub = Make("", {{"site", "north"}, {"$.ct", "text/plain"}}, "topic");
  EXPECT_EQ(Wire(hub, "detections", {}),
            "devices/dev-1/messages/events/%24.ct=text%2Fplain&site=north&topic=detections");
  EXPECT_EQ(Wire(hub, "detections", {{"site", "south"}, {"$.ct", "application/json"}}),
            "devices/dev-1/messages/events/%24.ct=application%2Fjson&site=south&topic=detections");
}

TEST_F(AzureHub, TopicAndPayloadShareTheLimit) {
  Hub hub = Make();
  std::string payload(Hub::kMostBytes - 30, 'x');
  Message message;
  message.payload = payload;
  EXPECT_TRUE(hub.WireTopic(message).ok());
  payload += 'x';
  message.payload = payload;
  const auto refused = hub.WireTopic(message);
  EXPECT_EQ(refused.status().code(), Code::kTooLarge);
  EXPECT_NE(refused.status().message().find("262115 bytes"), std::string::npos)
      << refused.status().message();
}

TEST_F(AzureHub, ReadsMessagesToTheDevice) {
  Hub hub = Make();
  InMessage in;
  ASSERT_TRUE(Read(hub,
                   "devices/dev-1/messages/devicebound/%24.to=%2Fdevices%2Fdev-1&%24.mid=7&"
                   "a%20b=c%2Fd&plus=1+2&iothub-ack=full&none=&bare",
                   &in));
  EXPECT_EQ(in.topic, "devicebound");
  EXPECT_EQ(in.id, "7");
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"$.mid", "7"},         {"a b", "c/d"}, {"plus", "1+2"},
      {"iothub-ack", "full"}, {"none", ""},   {"bare", ""}};
  EXPECT_EQ(in.headers, expected);
  EXPECT_FALSE(Read(hub, "devices/other/messages/devicebound/", &in));
  EXPECT_EQ(hub.Filter("whatever"), "devices/dev-1/messages/devicebound/#");
  EXPECT_TRUE(hub.Matches("whatever", in.topic));
}

TEST_F(AzureHub, ThePropertyNamesTheTopicOfAReceivedMessage) {
  Hub hub = Make("", {}, "topic");
  InMessage named, unnamed;
  ASSERT_TRUE(Read(hub, "devices/dev-1/messages/devicebound/topic=a%2Fb&x=1", &named));
  EXPECT_EQ(named.topic, "a/b");
  ASSERT_TRUE(Read(hub, "devices/dev-1/messages/devicebound/x=1", &unnamed));
  EXPECT_EQ(unnamed.topic, "devicebound");
  EXPECT_TRUE(hub.Matches("a/b", "a/b"));
  EXPECT_TRUE(hub.Matches("#", "a/b"));
  EXPECT_FALSE(hub.Matches("other", "a/b"));
  EXPECT_TRUE(Make().Matches("any", "devicebound"));
}

TEST_F(AzureHub, ReadsInputsOfAModule) {
  Hub hub = Make("m");
  InMessage in;
  ASSERT_TRUE(Read(hub, "devices/dev-1/modules/m/inputs/in%201/%24.cdid=d&k=v", &in));
  EXPECT_EQ(in.topic, "in 1");
  ASSERT_EQ(in.headers.size(), 2u);
  EXPECT_EQ(in.headers[0].first, "$.cdid");
  EXPECT_EQ(hub.Filter("in 1"), "devices/dev-1/modules/m/inputs/#");
  EXPECT_TRUE(hub.Matches("in 1", "in 1"));
  EXPECT_TRUE(hub.Matches("#", "in 1"));
  EXPECT_FALSE(hub.Matches("in 2", "in 1"));
}

}  // namespace
}  // namespace dsmsg::azure
