// SPDX-License-Identifier: Apache-2.0
// The options: the error for each bad value, the meaning of the good ones; the sensor's envelope.
#include <protozero/pbf_reader.hpp>

#include "adaptors/mqtt/sensor_envelope.h"
#include "adaptors/mqtt/test/fixture.h"

namespace dsmsg::mqtt {
namespace {

Status Configured(const std::string& config, const std::string& server = "localhost;1883") {
  return Connection(server, config).configured;
}

TEST(MqttOptions, EachBadValueIsOneClearErrorThatNamesTheOption) {
  const std::pair<const char*, const char*> cases[] = {
      {"clean-session=0", "clean-session"},
      {"client-id=a\nclean-session=0\nsession-expiry=0", "session-expiry"},
      {"client-id=a\nclean-session=0\nqos=2", "qos"},
      {"keep-alive=3", "keep-alive"},
      {"keep-alive=65536", "keep-alive"},
      {"loop-timeout=0", "loop-timeout"},
      {"qos=3", "qos"},
      {"qos=high", "qos"},
      {"retain=perhaps", "retain"},
      {"protocol=4", "protocol"},
      {"max-inflight=0", "max-inflight"},
      {"max-inflight=65536", "max-inflight"},
      {"linger=1s", "linger"},
      {"will-payload=x", "will-payload"},
      {"will-qos=2", "will-qos"},
      {"will-retain=1", "will-retain"},
      {"will-topic=a/#", "will-topic"},
      {"will-topic=a\nwill-qos=3", "will-qos"},
      {"user-properties=novalue", "user-properties"},
      {"user-properties=a=b\nprotocol=3.1.1", "user-properties"},
      {"headers=a=b\nprotocol=3.1.1", "headers"},
      {"max-message-bytes=300M", "max-message-bytes"},
      {"tls-cafile=/no/such/file\nenable-tls=1", "tls-cafile"},
      {"tls-cafile=/no/such/file", "tls-cafile"},
      {"protocol=3.1.1\npassword=secret", "password"},
  };
  for (const auto& [config, option] : cases) {
    const Status status = Configured(config);
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << config << ": " << status.message();
    EXPECT_NE(status.message().find(option), std::string::npos)
        << config << ": " << status.message();
    EXPECT_EQ(status.message().find('\n'), std::string::npos) << status.message();
    EXPECT_EQ(status.message().find("secret"), std::string::npos) << status.message();
  }
}

TEST(MqttOptions, GoodValuesAreTaken) {
  for (const char* config :
       {"", "qos=0", "qos=2", "retain=1", "protocol=3.1.1", "keep-alive=0", "keep-alive=5",
        "client-id=a\nsession-expiry=60", "client-id=a\nclean-session=0",
        "client-id=a\nclean-session=0\nsession-expiry=10m",
        "client-id=a\nclean-session=0\nsession-expiry=4294967295", "set-threaded=1",
        "loop-timeout=2000", "will-topic=a/b\nwill-payload=gone\nwill-qos=2\nwill-retain=1",
        "user-properties=a=b;c=d", "headers=a=${sensor.id}", "max-inflight=65535"}) {
    const Status status = Configured(config);
    EXPECT_TRUE(status.ok()) << config << ": " << status.message();
  }
}

TEST(MqttOptions, ConnectionStrings) {
  const auto parse = [](const std::string& text) {
    return ParseConnString(text, MqttDriver::Info().conn_rules);
  };
  EXPECT_EQ(parse("mqtt://broker")->hosts[0].port, 1883);
  EXPECT_EQ(parse("mqtts://broker")->hosts[0].port, 8883);
  EXPECT_TRUE(parse("mqtts://broker")->tls);
  EXPECT_FALSE(parse("mqtt://broker")->tls);
  EXPECT_EQ(Configured("", "mqtt://broker:1883/path").code(), Code::kInvalidArgument);
  EXPECT_FALSE(Configured("enable-tls=0", "mqtts://broker").ok());
}

TEST(MqttOptions, ARandomClientIdIsOneForEachConnection) {
  const auto id = [](const std::string& config) {
    const Result<Config> parsed =
        Config::Parse("[message-broker]\n" + config, "test", OptionTable(Options()));
    Endpoints endpoints;
    endpoints.hosts = {{"localhost", 1883}};
    return ReadSettings(endpoints, parsed.value())->client_id;
  };
  EXPECT_NE(id(""), id(""));
  EXPECT_EQ(id("").size(), 22u);  // every server takes 23
  EXPECT_EQ(id("client-id=mine"), "mine");
}

TEST(SensorEnvelope, HoldsPayloadKeyAndTimestamp) {
  SensorEnvelope envelope("default");
  const std::string full = R"({"sensor":{"id":"cam1"}})", binary("\0\xff\n", 3);
  const std::pair<std::string, std::string> cases[] = {
      {full, "cam1"}, {R"({"sensorId":"cam2"})", "cam2"}, {binary, "default"}, {"{}", "default"}};
  for (const auto& [payload, key] : cases) {
    const std::string bytes(envelope.Wrap(payload, 1'700'000'000'042));
    protozero::pbf_reader reader(bytes);
    ASSERT_TRUE(reader.next(1));
    EXPECT_EQ(reader.get_string(), payload);
    ASSERT_TRUE(reader.next(2));
    EXPECT_EQ(reader.get_string(), key);
    ASSERT_TRUE(reader.next(3));
    EXPECT_EQ(reader.get_string(), "2023-11-14T22:13:20.042Z");
    EXPECT_FALSE(reader.next());
  }
}

}  // namespace
}  // namespace dsmsg::mqtt
