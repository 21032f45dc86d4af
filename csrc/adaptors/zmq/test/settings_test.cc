// SPDX-License-Identifier: Apache-2.0
// Addresses and options: what they mean, and one clear error for each that is not allowed.
#include "adaptors/zmq/settings.h"

#include <gmock/gmock.h>
#include <zmq.h>

#include "adaptors/zmq/test/fixture.h"
#include "core/options/settings.h"

namespace dsmsg::zmq {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Send = ZmqSettings::Send;

ZmqSettings Read(const std::string& address, const std::string& lines = "") {
  const Result<Endpoints> endpoints = ParseConnString(address, ZmqDriver::Info().conn_rules);
  EXPECT_TRUE(endpoints.ok()) << endpoints.status().message();
  const Result<Config> config =
      Config::Parse("[message-broker]\n" + lines, "test", OptionTable(Options()));
  EXPECT_TRUE(config.ok()) << config.status().message();
  if (!endpoints.ok() || !config.ok()) return {};
  Result<ZmqSettings> settings = ReadSettings(endpoints.value(), config.value());
  EXPECT_TRUE(settings.ok()) << address << ": " << settings.status().message();
  return settings.ok() ? std::move(settings.value()) : ZmqSettings();
}

struct Pair {
  Pair() { zmq_curve_keypair(public_key, secret_key); }
  char public_key[41], secret_key[41];
};

TEST(ZmqSettingsTest, DefaultsAreThoseOfTheOutputHandler) {
  const ZmqSettings settings = Read("zmq://tcp://host:5555");
  EXPECT_EQ(settings.send, Send::kPush);
  EXPECT_EQ(settings.high_water_mark, 1000);
  EXPECT_EQ(settings.linger, Millis(1000));
  EXPECT_EQ(settings.reconnect_interval, Millis(5000));
  EXPECT_EQ(settings.request_timeout, Millis(5000));
  EXPECT_EQ(settings.retries, 3);
  EXPECT_FALSE(settings.wait_for_subscribers);
  EXPECT_FALSE(settings.no_drop);
  EXPECT_FALSE(settings.topic_frame);
  EXPECT_TRUE(Read("host;5555", "socket_type=PUB").topic_frame);
  EXPECT_TRUE(Read("host;5555", "topic_frame=1").topic_frame);
  EXPECT_FALSE(Read("host;5555", "socket_type=PUB\ntopic-frame=0").topic_frame);
}

TEST(ZmqSettingsTest, WhoBinds) {
  const auto binds = [](const char* address, const char* lines = "") {
    return Read(address, lines).send_target.bind;
  };
  EXPECT_TRUE(binds("zmq://tcp://*:5555"));
  EXPECT_TRUE(binds("@tcp://127.0.0.1:5555"));
  EXPECT_TRUE(binds("zmq://@ipc:///tmp/x"));
  EXPECT_TRUE(binds("*;5555"));
  EXPECT_TRUE(binds("tcp://127.0.0.1:5555", "bind=1"));
  EXPECT_TRUE(binds("tcp://127.0.0.1:*", "bind=1"));
  EXPECT_FALSE(binds("tcp://127.0.0.1:5555"));
  EXPECT_FALSE(binds("host;5555"));
  EXPECT_FALSE(binds("host:5555"));
  EXPECT_FALSE(binds(">ipc:///tmp/x", "socket_type=PUB"));
  EXPECT_FALSE(binds("ipc:///tmp/x", "bind=0\nsocket_type=PUB"));
  EXPECT_FALSE(binds("tcp://[::1]:5555"));
  // A path and a name have no '*': the kind of socket decides.
  EXPECT_TRUE(binds("zmq://ipc:///tmp/x", "socket_type=PUB"));
  EXPECT_TRUE(binds("inproc://x", "socket_type=PUB"));
  EXPECT_FALSE(binds("ipc:///tmp/x"));
  EXPECT_FALSE(binds("ipc:///tmp/x", "socket_type=REQ"));
  EXPECT_TRUE(Read("ipc:///tmp/x", "subscribe_socket_type=PULL").receive_target.bind);
  EXPECT_FALSE(Read("ipc:///tmp/x", "subscribe_socket_type=SUB").receive_target.bind);
}

TEST(ZmqSettingsTest, SeveralAddressesAndATopic) {
  const ZmqSettings settings = Read("zmq://tcp://a:1,tcp://b:2;events");
  ASSERT_EQ(settings.send_target.addresses.size(), 2u);
  EXPECT_EQ(settings.send_target.addresses[1].text, "tcp://b:2");
  EXPECT_EQ(Read("a:1,b:2").send_target.ToString(), "tcp://a:1,tcp://b:2");
}

TEST(ZmqSettingsTest, WhoOnlyReceives) {
  EXPECT_EQ(Read("a;1", "subscribe_socket_type=SUB").send, Send::kNone);
  EXPECT_EQ(Read("a;1", "socket_type=NONE").send, Send::kNone);
  EXPECT_EQ(Read("a;1", "socket_type=PUSH\nsubscribe_socket_type=PULL").send, Send::kPush);
  const ZmqSettings both = Read("a;1", "subscribe_address=tcp://b:2\nsubscribe_socket_type=SUB");
  EXPECT_EQ(both.send, Send::kPush);
  EXPECT_TRUE(both.both);
  EXPECT_EQ(both.receive_target.ToString(), "tcp://b:2");
}

TEST(ZmqSettingsTest, MalformedAddresses) {
  const std::pair<const char*, const char*> cases[] = {
      {"zmq://tcp://", "connection string: "},
      {"zmq://localhost:5555", "no transport"},
      {"zmq://udp://a:1", "tcp, ipc, inproc"},
      {"zmq://tcp://host", "the port is missing"},
      {"zmq://tcp://host:", "not a port"},
      {"zmq://tcp://host:0", "not a port"},
      {"zmq://tcp://host:65536", "not a port"},
      {"zmq://tcp://host:12x", "not a port"},
      {"zmq://tcp://host:*", "free port"},
      {"zmq://tcp://:5555", "the host is missing"},
      {"zmq://tcp://a b:5555", "host name"},
      {"zmq://tcp://user:word@host:5555", "host name"},
      {"zmq://tcp://[::1:5555", "not closed"},
      {"zmq://tcp://[::1]x:5555", "text follows"},
      {"zmq://tcp://[hello]:5555", "no IPv6"},
      {"zmq://tcp://::1:5555", "brackets"},
      {"zmq://>tcp://*:5555", "not an address that can be connected to"},
      {"zmq://ipc://", "no transport"},
      {"zmq://tcp://a:1,ipc://", "nothing follows"},
      {"zmq://tcp://a:1,", "no transport"},
      {"zmq://tcp://a:1,@tcp://b:2", "some of the addresses"}};
  for (const auto& [address, part] : cases) {
    EXPECT_THAT(ConfigureError(address, ""), HasSubstr(part)) << address;
  }
  EXPECT_THAT(ConfigureError("ipc://" + std::string(200, 'x'), ""), HasSubstr("longer than 107"));
  EXPECT_THAT(ConfigureError("a;1", "subscribe_address=nothing"),
              StartsWith("subscribe_address: "));
  EXPECT_THAT(ConfigureError("tcp://*:1", "bind=0"), StartsWith("bind: "));
  EXPECT_THAT(ConfigureError(">tcp://a:1", "bind=1"), StartsWith("bind: "));
}

TEST(ZmqSettingsTest, OptionsThatAreNotAllowed) {
  const Pair one, two;
  const std::string public_key = "curve-public-key=\"" + std::string(one.public_key) + "\"\n";
  const std::string secret_key = "curve-secret-key=\"" + std::string(one.secret_key) + "\"\n";
  const std::string server_key = "curve-server-key=\"" + std::string(two.public_key) + "\"\n";
  const std::string other_secret = "curve-secret-key=\"" + std::string(two.secret_key) + "\"\n";
  const std::vector<std::array<std::string, 3>> cases = {
      {"a;1", "socket_type=PAIR", "test:"},
      {"a;1", "high_water_mark=-1", "test:"},
      {"a;1", "max_reconnect_attempts=-2", "test:"},
      {"a;1", "enable-tls=1", "test:"},
      {"a;1", "tls-cafile=/x", "test:"},
      {"a;1", "wait_for_subscribers=1", "wait_for_subscribers: it needs socket_type=PUB"},
      {"a;1", "no_drop=1\nsocket_type=REQ", "no_drop: it needs socket_type=PUB"},
      {"a;1", "curve-server-key=short", "curve-server-key: "},
      {"a;1", "curve-secret-key=short", "curve-secret-key: "},
      {"a;1", server_key + public_key, "curve-public-key: curve-secret-key is missing"},
      {"a;1", server_key + public_key + other_secret, "curve-public-key: it does not belong"},
      {"a;1", public_key + secret_key, "curve-server-key: tcp://a:1 is connected"},
      {"tcp://*:1", server_key, "curve-secret-key: tcp://*:1 is bound"},
      {"inproc://x", server_key, "curve-secret-key: inproc has no encryption"},
      {"tcp://*:1", "username=u\npassword=p", "username: tcp://*:1 is bound"},
      {"a;1", server_key + "username=u\npassword=p", "username: PLAIN"}};
  for (const auto& [address, lines, begin] : cases) {
    const std::string error = ConfigureError(address, lines);
    EXPECT_THAT(error, StartsWith(begin)) << lines;
    EXPECT_EQ(error.find(one.secret_key), std::string::npos);
  }
  EXPECT_EQ(ConfigureError("a;1", server_key + public_key + secret_key), "");
  EXPECT_EQ(ConfigureError("a;1", server_key), "") << "a pair is made";
  EXPECT_EQ(ConfigureError("tcp://*:1", public_key + secret_key), "");
  EXPECT_EQ(ConfigureError("tcp://*:1", secret_key), "");
}

TEST(ZmqSettingsTest, WhatTheCoreGets) {
  const auto load = [](const std::string& lines) {
    Settings settings;
    Result<Config> config =
        Config::Parse("[message-broker]\n" + lines, "test", OptionTable(Options()));
    EXPECT_TRUE(config.ok()) << config.status().message();
    settings.config = std::move(config.value());
    settings.send_timeout = settings.config.GetMillis("send-timeout");
    settings.reconnect_attempts = settings.config.GetInt("reconnect-attempts");
    const Status status = AdjustSettings(&settings);
    return std::pair(settings, status.message());
  };
  EXPECT_EQ(load("").first.send_timeout, Millis(100));
  EXPECT_EQ(load("socket_type=REQ").first.send_timeout, Millis(20000)) << "4 times 5 s";
  EXPECT_EQ(load("socket_type=REQ\nsend_timeout=50").first.send_timeout, Millis(50));
  EXPECT_TRUE(load("").first.topic_optional);
  EXPECT_FALSE(load("topic_frame=1").first.topic_optional);
  EXPECT_EQ(load("max_reconnect_attempts=7").first.reconnect_attempts, 7);
  EXPECT_EQ(load("max_reconnect_attempts=-1").first.reconnect_attempts, 0) << "for ever";
  EXPECT_TRUE(load("max_reconnect_attempts=-1").first.reconnect);
  EXPECT_FALSE(load("max_reconnect_attempts=0").first.reconnect);
  EXPECT_THAT(load("max_reconnect_attempts=7\nreconnect-attempts=3").second,
              StartsWith("max_reconnect_attempts: "));
}

}  // namespace
}  // namespace dsmsg::zmq
