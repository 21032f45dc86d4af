// SPDX-License-Identifier: Apache-2.0
// Whether a message would have a topic, asked before the first one comes.
#include "core/queue/message_builder.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "fake_driver.h"

namespace dsmsg {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// The answer for `topic` with these settings; "" when a message has somewhere to go.
std::string Answer(const std::string& conn_str, const std::string& options,
                   std::string_view topic = {},
                   const DriverInfo& info = testing::FakeDriver::Info()) {
  const std::string path = ::testing::TempDir() + "/message_builder.txt";
  std::ofstream(path) << "[message-broker]\n" << options;
  const Result<Settings> settings = Settings::Load(info, conn_str, path);
  std::filesystem::remove(path);
  EXPECT_TRUE(settings.ok()) << settings.status().message();
  const Result<MessageBuilder> builder = MessageBuilder::Create(settings.value());
  EXPECT_TRUE(builder.ok()) << builder.status().message();
  const Status status = builder->CheckTopic(topic);
  // The answer matches what happens to a message, if that does not depend on its payload.
  Metrics metrics;
  Logger logger("FAKE");
  Outgoing outgoing;
  SendRequest request;
  request.topic = topic;
  request.payload = "{}";
  const Status built = builder->Build(request, metrics, logger, &outgoing);
  EXPECT_TRUE(built.ok() || !status.ok()) << built.message();
  return status.message();
}

TEST(MessageBuilderTest, ATopicMayComeFromEverywhere) {
  EXPECT_EQ(Answer("host;1", "", "given"), "");
  EXPECT_EQ(Answer("host;1;third", ""), "");
  EXPECT_EQ(Answer("host;1", "topic=configured\n"), "");
  EXPECT_EQ(Answer("host;1", "topic-template=t/${sensor.id}\n"), "");
  EXPECT_EQ(Answer("host;1", "topic-template=t/${topic:-none}\n"), "");
  EXPECT_EQ(Answer("host;1", "topic-template=t/${topic}\ntopic=base\n"), "");
}

TEST(MessageBuilderTest, WithoutAnyItSaysWhatToSet) {
  EXPECT_THAT(Answer("host;1", ""),
              AllOf(HasSubstr("no topic"), HasSubstr("host;port;topic"), HasSubstr("`topic`")));
  static DriverInfo amqp = testing::FakeDriver::Info();
  amqp.conn_rules.third_is_user = true;
  EXPECT_THAT(Answer("host;1", "", {}, amqp),
              AllOf(HasSubstr("no topic"), Not(HasSubstr("third field")), HasSubstr("`topic`")));
  EXPECT_THAT(Answer("host;1", "topic-template=t/${topic}\n"), HasSubstr("${topic}"));
  // Host A passes the last field of the connection string, here the port.
  EXPECT_THAT(Answer("host;1", "", "1"), HasSubstr("last field of the connection string"));
}

TEST(MessageBuilderTest, AProtocolThatNeedsNoneIsNotAsked) {
  static DriverInfo info = testing::FakeDriver::Info();
  info.adjust = [](Settings* settings) {
    settings->topic_optional = true;
    return Status();
  };
  EXPECT_EQ(Answer("host;1", "", {}, info), "");
}

}  // namespace
}  // namespace dsmsg
