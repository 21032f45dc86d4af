// SPDX-License-Identifier: Apache-2.0
// Options of the HTTP adaptor, addresses, paths and header values.
#include "adaptors/http/settings.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>

#include <fstream>

#include "adaptors/http/driver.h"
#include "core/options/settings.h"

namespace dsmsg::http {
namespace {

using testing::HasSubstr;

Result<HttpSettings> Read(const std::string& address, const std::string& lines = "") {
  const DriverInfo& info = HttpDriver::Info();
  const Result<Endpoints> endpoints = ParseConnString(address, info.conn_rules);
  if (!endpoints.ok()) return endpoints.status();
  const Result<Config> config =
      Config::Parse("[message-broker]\n" + lines + "\n", "test", OptionTable(info.options));
  if (!config.ok()) return config.status();
  return ReadSettings(endpoints.value(), config.value());
}

std::string Refused(const std::string& lines) {
  const Result<HttpSettings> settings = Read("localhost;8080", lines);
  EXPECT_FALSE(settings.ok()) << lines;
  return settings.ok() ? "" : settings.status().message();
}

std::string Target(const std::string& address, const std::string& lines, const std::string& topic,
                   const std::string& payload = "{}") {
  const Result<HttpSettings> settings = Read(address, lines);
  EXPECT_TRUE(settings.ok()) << settings.status().message();
  std::string target;
  if (settings.ok()) settings->target.Render(payload, topic, &target, AppendEncoded);
  return target;
}

TEST(HttpSettings, WhereAMessageGoes) {
  EXPECT_EQ(Target("h;80", "", "a/b c"), "/a/b%20c");
  EXPECT_EQ(Target("http://h/", "", "t"), "/t");
  EXPECT_EQ(Target("https://h:8443/in%20box/x", "", "t"), "/in%20box/x");
  EXPECT_EQ(Target("http://h/pay$", "", "t"), "/pay$");
  EXPECT_EQ(Target("http://h/ignored", "path=hooks/${topic}?cam=${sensor.id}", "t",
                   R"({"sensor":{"id":"a/b&c=d#e?f%é"}})"),
            "/hooks/t?cam=a%2Fb%26c%3Dd%23e%3Ff%25%C3%A9");
  EXPECT_EQ(Target("h;80", "path=/${sensor.id:-none}", "t"), "/none");
}

TEST(HttpSettings, ATopicIsNeededWhereThePathHasIt) {
  const auto optional = [](const std::string& address, const std::string& lines) {
    const std::string file = testing::TempDir() + "http_settings.txt";
    std::ofstream(file) << "[message-broker]\n" << lines << "\n";
    const Result<Settings> settings = Settings::Load(HttpDriver::Info(), address, file);
    EXPECT_TRUE(settings.ok()) << settings.status().message();
    return settings.ok() && settings->topic_optional;
  };
  EXPECT_FALSE(optional("h;80", ""));
  EXPECT_TRUE(optional("http://h/hook", ""));
  EXPECT_TRUE(optional("h;80", "path=/x?t=${topic:-none}"));
  EXPECT_FALSE(optional("http://h/hook", "path=/${topic}"));
}

TEST(HttpSettings, WhatIsWrongIsNamed) {
  EXPECT_THAT(Refused("headers=bad name=x"), HasSubstr("\"bad name\" is not a header's name"));
  EXPECT_THAT(Refused("headers=Content-Length=5"), HasSubstr("set by the adaptor itself"));
  EXPECT_THAT(Refused("idempotency-header=a:b"), HasSubstr("idempotency-header"));
  EXPECT_THAT(Refused("batch-size=10\ncloudevents=1"), HasSubstr("single messages"));
  EXPECT_THAT(Refused("bearer-token=t\nusername=u"), HasSubstr("one of them"));
  EXPECT_THAT(Refused("listen=nonsense"), HasSubstr("127.0.0.1:8088"));
  EXPECT_THAT(Refused("listen=1\nlisten-allow=10.0.0.0/33"), HasSubstr("10.0.0.0/33"));
  EXPECT_THAT(Refused("listen=1\nlisten-allow=example.com"), HasSubstr("neither an address"));
  EXPECT_THAT(Refused("listen=1\nlisten-headers=X-Token="), HasSubstr("X-Token"));
  EXPECT_THAT(Refused("listen=1\nlisten-certfile=/a"), HasSubstr("belong together"));
  EXPECT_THAT(Refused("path=/${"), HasSubstr("path"));
  EXPECT_THAT(Read("http://h/a?b=c").status().message(), HasSubstr("configuration file"));
}

TEST(HttpSettings, APortAloneListensOnTheLoopback) {
  EXPECT_EQ(Read("h;80", "listen=8088")->listen.ToString(), "127.0.0.1:8088");
  EXPECT_EQ(Read("h;80", "listen=0.0.0.0:1")->listen.ToString(), "0.0.0.0:1");
  EXPECT_EQ(Read("h;80", "listen=[::1]:2")->listen.ToString(), "[::1]:2");
}

TEST(HttpNetwork, ContainsItsAddresses) {
  const auto contains = [](const std::string& network, const std::string& address) {
    char bytes[16];
    const bool ipv4 = inet_pton(AF_INET, address.c_str(), bytes) == 1;
    if (!ipv4) {
      EXPECT_EQ(inet_pton(AF_INET6, address.c_str(), bytes), 1);
    }
    return ParseNetwork(network)->Contains({bytes, ipv4 ? 4U : 16U});
  };
  EXPECT_TRUE(contains("10.0.0.0/8", "10.255.3.4"));
  EXPECT_FALSE(contains("10.0.0.0/8", "11.0.0.0"));
  EXPECT_TRUE(contains("192.168.1.7", "192.168.1.7"));
  EXPECT_FALSE(contains("192.168.1.7", "192.168.1.6"));
  EXPECT_TRUE(contains("192.168.1.0/30", "::ffff:192.168.1.3"));
  EXPECT_TRUE(contains(" fd00::/9", "fd7f::1"));
  EXPECT_FALSE(contains("fd00::/9", "fd80::1"));
  EXPECT_TRUE(contains("0.0.0.0/0", "1.2.3.4"));
  EXPECT_FALSE(contains("0.0.0.0/0", "::1"));
}

TEST(HttpHeaders, ValuesHaveNoControlCharacters) {
  EXPECT_TRUE(IsHeaderValue("a b\tc\xc3\xa9"));
  for (const char* bad : {"a\r\nb: c", "a\nb", "\x7f", "\x01"}) EXPECT_FALSE(IsHeaderValue(bad));
  EXPECT_FALSE(IsHeaderValue(std::string_view("\0", 1)));
}

TEST(HttpEndpoint, FiltersOfTopics) {
  const Config config;
  EXPECT_TRUE(HttpEndpoint::Matches(config, "#", "a"));
  EXPECT_TRUE(HttpEndpoint::Matches(config, "a/#", "a/b/c"));
  EXPECT_FALSE(HttpEndpoint::Matches(config, "a/#", "ab/c"));
  EXPECT_TRUE(HttpEndpoint::Matches(config, "a", "a"));
  EXPECT_FALSE(HttpEndpoint::Matches(config, "a", "a/b"));
}

}  // namespace
}  // namespace dsmsg::http
