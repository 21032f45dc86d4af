// SPDX-License-Identifier: Apache-2.0
// The parts that need no server: writing commands, reading replies, what errors mean, options.
#include <gtest/gtest.h>

#include <string>

#include "adaptors/redis/errors.h"
#include "adaptors/redis/reply.h"
#include "adaptors/redis/resp_writer.h"
#include "adaptors/redis/test/fixture.h"

namespace dsmsg::redis {
namespace {

using namespace std::string_view_literals;

TEST(RespWriter, LengthPrefixesKeepEveryByteOfAnArgument) {
  RespWriter writer;
  writer.Command({"SET", "a b\r\n%s\0c"sv, ""});
  EXPECT_EQ(writer.view(), "*3\r\n$3\r\nSET\r\n$9\r\na b\r\n%s\0c\r\n$0\r\n\r\n"sv);
}

TEST(RespWriter, NumbersAreArguments) {
  RespWriter writer;
  writer.Number(-12);
  writer.Number(10000);
  EXPECT_EQ(writer.view(), "$3\r\n-12\r\n$5\r\n10000\r\n");
}

TEST(RespWriter, PartialConsumptionAndGrowthKeepOrder) {
  RespWriter writer;
  std::string expected, seen;
  for (int i = 0; i < 2000; ++i) {
    const std::string argument(static_cast<size_t>(i % 977), static_cast<char>('a' + i % 26));
    writer.Argument(argument);
    expected += "$" + std::to_string(argument.size()) + "\r\n" + argument + "\r\n";
    const size_t part = writer.size() / 3;
    seen.append(writer.data(), part);
    writer.Consume(part);
  }
  seen.append(writer.data(), writer.size());
  writer.Consume(writer.size());
  EXPECT_EQ(seen, expected);
  EXPECT_EQ(writer.size(), 0u);
}

TEST(ReplyReader, ReadsEveryTypeByteByByte) {
  constexpr std::string_view kWire =
      "+PONG\r\n-ERR no\r\n:42\r\n$-1\r\n$5\r\na\0\r\nb\r\n*-1\r\n"
      "*3\r\n*2\r\n:1\r\n*1\r\n$1\r\nx\r\n*0\r\n$4\r\nlast\r\n"sv;
  ReplyReader reader;
  int replies = 0;
  for (const char byte : kWire) {
    reader.Feed(&byte, 1);
    const ReplyReader::Result result = reader.Get();
    ASSERT_NE(result, ReplyReader::Result::kBroken) << reader.ErrorText();
    if (result == ReplyReader::Result::kNone) continue;
    const Reply& reply = reader.reply();
    switch (replies++) {
      case 0:
        EXPECT_TRUE(reply.is(Reply::Type::kStatus));
        EXPECT_EQ(reply.text(), "PONG");
        break;
      case 1:
        EXPECT_TRUE(reply.is(Reply::Type::kError));
        EXPECT_EQ(reply.text(), "ERR no");
        break;
      case 2:
        EXPECT_EQ(reply.integer(), 42);
        break;
      case 3:
        EXPECT_TRUE(reply.is(Reply::Type::kNil));
        break;
      case 4:
        EXPECT_EQ(reply.text(), "a\0\r\nb"sv);
        break;
      case 5:
        EXPECT_TRUE(reply.is(Reply::Type::kNil));
        break;
      default:
        ASSERT_EQ(reply.count(), 3u);
        EXPECT_EQ(reply.count(reply.At(0, 0)), 2u);
        EXPECT_EQ(reply.text(reply.At(reply.At(reply.At(0, 0), 1), 0)), "x");
        EXPECT_EQ(reply.count(reply.At(0, 1)), 0u);
        EXPECT_EQ(reply.text(reply.At(0, 2)), "last");
        EXPECT_EQ(reply.Next(0), 7u);
    }
  }
  EXPECT_EQ(replies, 7);
}

TEST(ReplyReader, AnotherProtocolIsNoticedAndResetHelps) {
  ReplyReader reader;
  reader.Feed("HTTP/1.1 400 Bad Request\r\n", 26);
  EXPECT_EQ(reader.Get(), ReplyReader::Result::kBroken);
  EXPECT_FALSE(reader.ErrorText().empty());
  reader.Reset();
  reader.Feed(":7\r\n", 4);
  ASSERT_EQ(reader.Get(), ReplyReader::Result::kReply);
  EXPECT_EQ(reader.reply().integer(), 7);
}

TEST(ReplyReader, DestroyedInTheMiddleOfAReply) {
  ReplyReader reader;
  reader.Feed("*2\r\n$3\r\nab", 10);
  EXPECT_EQ(reader.Get(), ReplyReader::Result::kNone);
}

TEST(RedisErrors, TransientOnesAreRetriedAndTheRestIsRefused) {
  for (const char* name : {"OOM", "LOADING", "READONLY", "MASTERDOWN", "NOREPLICAS", "BUSY",
                           "TRYAGAIN", "CLUSTERDOWN", "MISCONF"}) {
    EXPECT_EQ(ErrorReplyCode(std::string(name) + " some text"), Code::kUnavailable) << name;
  }
  EXPECT_EQ(ErrorReplyCode("WRONGTYPE Operation against a key"), Code::kRejected);
  EXPECT_EQ(ErrorReplyCode("ERR unknown command"), Code::kRejected);
  // Only the whole word counts.
  EXPECT_EQ(ErrorReplyCode("BUSYGROUP Consumer Group name already exists"), Code::kRejected);
  EXPECT_EQ(ErrorReplyCode("NOPERM this user has no permissions"), Code::kAuth);
  EXPECT_EQ(ErrorReplyCode("ERR Protocol error: invalid bulk length"), Code::kTooLarge);
}

TEST(EntryId, Parses) {
  EXPECT_EQ(EntryId::Parse("1700000000000-7"), (EntryId{1700000000000, 7}));
  EXPECT_EQ(EntryId::Parse("18446744073709551615-18446744073709551615").ToString(),
            "18446744073709551615-18446744073709551615");
}

TEST(RedisSettings, RefusalsSayWhatToDo) {
  const auto message = [](const std::string& server, const std::string& config) {
    return Connection(server, config).configured.message();
  };
  EXPECT_TRUE(Connection("rediss://localhost").configured.ok());
  EXPECT_TRUE(message("rediss://localhost", "tls-cafile=/no/such/file").starts_with("tls-cafile"));
  EXPECT_NE(message("localhost;6379", "tls-cafile=/no/such/file").find("enable-tls=1"),
            std::string::npos);
  EXPECT_NE(message("localhost;6379", "streamsize=5\nstream-max-age=1000").find("leave one out"),
            std::string::npos);
  EXPECT_NE(message("localhost;6379", "command=publish\nfields=a=b").find("command=xadd"),
            std::string::npos);
  EXPECT_NE(message("redis://localhost/abc", "").find("number of a database"), std::string::npos);
  EXPECT_TRUE(Connection("redis://localhost/3").configured.ok());
  EXPECT_TRUE(Connection("localhost:26379", "sentinel-master=mymaster").configured.ok());
  EXPECT_NE(message("localhost;6379", "sentinel-password=hush").find("sentinel-master"),
            std::string::npos);
  EXPECT_FALSE(Connection("localhost;6379", "pipeline=0").configured.ok());
}

}  // namespace
}  // namespace dsmsg::redis
