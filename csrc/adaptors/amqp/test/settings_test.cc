// SPDX-License-Identifier: Apache-2.0
// Options, error codes, frames: without a broker.
#include "adaptors/amqp/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "adaptors/amqp/driver.h"
#include "adaptors/amqp/errors.h"
#include "adaptors/amqp/frames.h"

namespace dsmsg::amqp {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

Result<AmqpSettings> Read(const std::string& address, const std::string& config = "") {
  const DriverInfo& info = AmqpDriver::Info();
  Result<Endpoints> endpoints = ParseConnString(address, info.conn_rules);
  if (!endpoints.ok()) return endpoints.status();
  Result<Config> parsed =
      Config::Parse("[message-broker]\n" + config, "test", OptionTable(info.options));
  if (!parsed.ok()) return parsed.status();
  parsed->ApplyEnvironment(info.env_suffix);
  return ReadSettings(endpoints.value(), parsed.value());
}

std::string Error(const std::string& config, const std::string& address = "h;5672") {
  const Result<AmqpSettings> settings = Read(address, config);
  EXPECT_FALSE(settings.ok()) << config;
  return settings.ok() ? "" : settings.status().message();
}

TEST(AmqpSettings, Defaults) {
  const Result<AmqpSettings> read = Read("h;5672");
  ASSERT_TRUE(read.ok()) << read.status().message();
  const AmqpSettings& settings = read.value();
  EXPECT_EQ(settings.login.user, "guest");
  EXPECT_EQ(settings.login.password, "guest");
  EXPECT_FALSE(settings.external);
  EXPECT_FALSE(settings.tls.enabled);
  EXPECT_EQ(settings.vhost, "/");
  EXPECT_EQ(settings.exchange, "amq.topic");
  EXPECT_EQ(settings.exchange_type, "");
  EXPECT_EQ(settings.frame_max, 131072u);
  EXPECT_EQ(settings.heartbeat, 60);
  EXPECT_TRUE(settings.confirm && settings.mandatory && settings.persistent);
  EXPECT_EQ(settings.confirm_window, 1000u);
  EXPECT_EQ(settings.content_type, "");
  EXPECT_EQ(settings.prefetch, 50);
}

TEST(AmqpSettings, LoginFromStringFileAndEnvironment) {
  EXPECT_EQ(Read("h;1;me;pa;ss")->login.user, "me");
  EXPECT_EQ(Read("h;1;me;pa;ss")->login.password, "pa;ss");
  EXPECT_EQ(Read("h;1;me")->login.password, "");
  EXPECT_EQ(Read("h;1;me", "password=file")->login.password, "file");
  EXPECT_EQ(Read("h;1", "password=file")->login.user, "guest");
  EXPECT_EQ(Read("amqp://a%40b:c%2Fd@h")->login.user, "a@b");
  EXPECT_EQ(Read("amqp://a%40b:c%2Fd@h")->login.password, "c/d");
  setenv("PASSWORD_AMQP", "environment", 1);
  EXPECT_EQ(Read("h;1;me;string", "password=file")->login.password, "environment");
  EXPECT_EQ(Read("h;1;me;string", "password=file")->login.user, "me");
  unsetenv("PASSWORD_AMQP");
}

TEST(AmqpSettings, VhostAndPort) {
  EXPECT_EQ(Read("amqp://h/%2Fa%20b")->vhost, "/a b");
  EXPECT_EQ(Read("amqp://h/")->vhost, "/");
  EXPECT_EQ(Read("amqp://h/a", "vhost=a")->vhost, "a");
  EXPECT_THAT(Error("vhost=b", "amqp://h/a"), StartsWith("vhost"));
  EXPECT_EQ(Read("amqp://h")->hosts[0].port, 5672);
  EXPECT_EQ(Read("amqps://h")->hosts[0].port, 5671);
  EXPECT_TRUE(Read("amqps://h")->tls.enabled);
}

TEST(AmqpSettings, ErrorsBeginWithTheOption) {
  EXPECT_THAT(Error("vhost=\"\""), StartsWith("vhost"));
  EXPECT_THAT(Error("exchange=" + std::string(256, 'x')), StartsWith("exchange"));
  EXPECT_THAT(Error("queue=" + std::string(256, 'x')), StartsWith("queue"));
  EXPECT_THAT(Error("exchange=\"\"\nexchange-type=topic"), StartsWith("exchange-type"));
  EXPECT_THAT(Error("confirm=0\nmandatory=1"), StartsWith("mandatory"));
  EXPECT_THAT(Error("queue-type=quorum"), StartsWith("queue-type"));
  EXPECT_THAT(Error("queue=q\nqueue-type=large"), HasSubstr("queue-type"));
  EXPECT_THAT(Error("queue=q\nqueue-type=quorum\nqueue-arguments=x-queue-type=classic"),
              HasSubstr("queue-arguments"));
  EXPECT_THAT(Error("queue-arguments=" + std::string(256, 'x') + "=1"),
              StartsWith("queue-arguments"));
  for (const std::string option : {"amqp-framesize", "amqp-heartbeat", "confirm-window", "prefetch",
                                   "channel-max", "persistent", "linger"}) {
    EXPECT_THAT(Error(option + "=-1"), HasSubstr(option));
  }
  EXPECT_THAT(Error("amqp-framesize=100"), HasSubstr("amqp-framesize"));
  EXPECT_THAT(Error("prefetch=0"), HasSubstr("prefetch"));
}

TEST(AmqpSettings, WithoutConfirmsNothingIsMandatory) {
  EXPECT_FALSE(Read("h;1", "confirm=0")->mandatory);
  EXPECT_EQ(Read("h;1", "amqp-heartbeat=0")->heartbeat, 0);
  EXPECT_EQ(Read("h;1", "content-type=auto")->content_type, "");
}

TEST(AmqpErrors, Codes) {
  EXPECT_EQ(ReplyCode(404, "NOT_FOUND - no exchange 'x'"), Code::kUnknownTopic);
  EXPECT_EQ(ReplyCode(312, "NO_ROUTE"), Code::kUnknownTopic);
  EXPECT_EQ(ReplyCode(403, "ACCESS_REFUSED"), Code::kAuth);
  EXPECT_EQ(ReplyCode(406, "PRECONDITION_FAILED - message size 9 is larger than"), Code::kTooLarge);
  EXPECT_EQ(ReplyCode(406, "PRECONDITION_FAILED - inequivalent arg"), Code::kRejected);
  EXPECT_EQ(ReplyCode(320, "CONNECTION_FORCED"), Code::kUnavailable);
  EXPECT_EQ(ReplyCode(541, "INTERNAL_ERROR"), Code::kUnavailable);
  EXPECT_EQ(ReplyCode(530, "NOT_ALLOWED - vhost x not found"), Code::kInvalidArgument);
  EXPECT_EQ(ReplyCode(530, "NOT_ALLOWED - access to vhost 'x' refused"), Code::kAuth);
  EXPECT_EQ(ReplyCode(530, "NOT_ALLOWED - connection limit (1) is reached"), Code::kUnavailable);
  EXPECT_EQ(ReplyText(404, "a\nb"), "404 a b");
}

/// Bytes through a reader, in pieces of `step`.
std::vector<AmqpFrame> Cut(FrameReader& reader, std::string_view bytes, size_t step,
                           FrameReader::Result* last) {
  std::vector<AmqpFrame> frames;
  *last = FrameReader::Result::kNone;
  while (!bytes.empty()) {
    size_t size = 0;
    char* space = reader.Space(&size);
    size = bytes.copy(space, std::min(step, size));
    bytes.remove_prefix(size);
    reader.Received(size);
    AmqpFrame frame;
    while ((*last = reader.Next(&frame)) == FrameReader::Result::kFrame) frames.push_back(frame);
    if (*last == FrameReader::Result::kBroken) break;
  }
  return frames;
}

TEST(AmqpFrames, WhatIsWrittenIsRead) {
  FrameWriter writer;
  writer.SetFrameMax(4096);
  amqp_basic_ack_t ack{};
  ack.delivery_tag = 0x0102030405060708;
  ack.multiple = 1;
  ASSERT_TRUE(writer.Method(1, AMQP_BASIC_ACK_METHOD, &ack));
  writer.Heartbeat();
  writer.Body(1, std::string(4088, '\xce'));
  for (const size_t step : {1u, 7u, 100'000u}) {
    FrameReader reader;
    reader.SetFrameMax(4096);
    FrameReader::Result last;
    const std::vector<AmqpFrame> frames = Cut(reader, writer.unsent(), step, &last);
    ASSERT_EQ(frames.size(), 3u);
    EXPECT_EQ(frames[0].id, AMQP_BASIC_ACK_METHOD);
    EXPECT_EQ(frames[0].channel, 1);
    EXPECT_EQ(frames[1].type, AMQP_FRAME_HEARTBEAT);
    EXPECT_EQ(frames[2].body.size(), 4088u);
  }
}

TEST(AmqpFrames, TooLargeAddsNothing) {
  FrameWriter writer;
  writer.SetFrameMax(4096);
  const std::string text(5000, 'x');
  amqp_channel_close_t close{};
  close.reply_text = ToBytes(std::string_view(text).substr(0, 255));
  EXPECT_TRUE(writer.Method(1, AMQP_CHANNEL_CLOSE_METHOD, &close));
  const size_t before = writer.unsent().size();
  amqp_table_entry_t entry{};
  entry.key = ToBytes("k");
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = ToBytes(text);
  amqp_basic_properties_t properties{};
  properties._flags = AMQP_BASIC_HEADERS_FLAG;
  properties.headers = {1, &entry};
  EXPECT_FALSE(writer.ContentHeader(1, 0, properties));
  EXPECT_EQ(writer.unsent().size(), before);
}

TEST(AmqpFrames, OtherProtocolsAreRecognised) {
  const std::string bad[] = {"HTTP/1.1 400 Bad Request\r\n\r\n",
                             std::string("AMQP\0\x01\x00\x00", 8),
                             std::string("\x01\x00\x01\x7f\xff\xff\xff", 7),
                             std::string("\x01\x00\x01\x00\x00\x00\x00\x00", 8),
                             std::string("\x01\x00\x01\x00\x00\x00\x02zz\xce", 10),
                             std::string("\x02\x00\x01\x00\x00\x00\x04zzzz\xce", 12),
                             std::string("\x01\x00\x01\x00\x00\x00\x04\x00\x0a\x00\x0a\xce", 12)};
  for (const std::string& bytes : bad) {
    FrameReader reader;
    reader.SetFrameMax(4096);
    FrameReader::Result last;
    Cut(reader, bytes, 1000, &last);
    EXPECT_EQ(last, FrameReader::Result::kBroken) << bytes;
    EXPECT_FALSE(reader.error().empty());
  }
}

}  // namespace
}  // namespace dsmsg::amqp
