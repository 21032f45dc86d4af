// SPDX-License-Identifier: Apache-2.0
// Dead letters and the metrics file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "unit/session_fixture.h"

namespace dsmsg {
namespace {

using ::testing::HasSubstr;

std::string ReadAll(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// The lines of all files.
std::string AllOf(const std::string& folder) {
  std::string lines;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    lines += ReadAll(entry.path());
  }
  return lines;
}

bool Says(Session* session, const std::string& what) {
  const Deadline deadline = Clock::now() + std::chrono::seconds(20);
  while (session->StatsJson().find(what) == std::string::npos) {
    if (Clock::now() > deadline) return false;
    session->DoWork();
  }
  return true;
}

// OpenSSL would skip the first certificate without a word.
TEST_F(SessionTest, ATlsFileWithAByteOrderMarkIsRefused) {
  const std::string folder = NewFolder();
  std::ofstream(folder + "/ca.pem") << "\xef\xbb\xbf-----BEGIN CERTIFICATE-----\n";
  EXPECT_EQ(Open("tls-cafile=" + folder + "/ca.pem\n"), nullptr);
  EXPECT_THAT(connect_error_.message(),
              HasSubstr("tls-cafile = " + folder + "/ca.pem: begins with"));
  std::filesystem::remove_all(folder);
}

TEST_F(SessionTest, RefusedMessagesAreKeptAsDeadLetters) {
  const std::string folder = NewFolder();
  auto session = Open("max-message-bytes=10\ndead-letter-dir=" + folder + "/made\n");
  ASSERT_TRUE(session);
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kReject);
  const std::string binary("\0\xff{", 3);
  ASSERT_TRUE(session->SendAsync(Request(binary), &CountOutcome, &counts_).ok());
  ASSERT_TRUE(session->SendAsync(Request("01234567890"), &CountOutcome, &counts_).ok());
  ASSERT_TRUE(session->SendAsync(Request("plain"), &CountOutcome, &counts_).ok());
  ASSERT_TRUE(session->Flush(Millis(20000)));
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(counts_.unknown_topic, 2);
  EXPECT_EQ(counts_.failed, 1);
  const std::string lines = AllOf(folder + "/made");
  EXPECT_THAT(lines, HasSubstr(R"("code":"unknown-topic","reason":"fake: no such topic")"));
  EXPECT_THAT(lines, HasSubstr(R"("topic":"t","payload":"plain"})"));
  EXPECT_THAT(lines, HasSubstr(R"("payload_base64":"AP97"})"));
  EXPECT_THAT(lines, HasSubstr(R"("code":"too-large")"));
  EXPECT_THAT(lines, HasSubstr(R"("payload":"01234567890"})"));
  EXPECT_THAT(session->StatsJson(), HasSubstr(R"("dead_lettered":3,"dead_letters_lost":0)"));
  std::filesystem::remove_all(folder);
}

TEST_F(SessionTest, TheDeadLetterExistsWhenARefusalIsReported) {
  const std::string folder = NewFolder();
  auto session = Open("dead-letter-dir=" + folder + "\n");
  ASSERT_TRUE(session);
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kReject);
  for (int i = 1; i <= 200; ++i) {
    EXPECT_EQ(session->Send(Request("x")).code(), Code::kUnknownTopic);
    ASSERT_THAT(session->StatsJson(), HasSubstr("\"dead_lettered\":" + std::to_string(i) + ","));
  }
  EXPECT_TRUE(session->Disconnect().ok());
  std::filesystem::remove_all(folder);
}

TEST_F(SessionTest, AFlushWaitsForDeadLetters) {
  for (int i = 0; i < 50; ++i) {
    FakeBroker::Get().Reset();
    auto session = Open("dead-letter-topic=dead\n");
    ASSERT_TRUE(session);
    {
      std::lock_guard lock(FakeBroker::Get().mutex);
      FakeBroker::Get().refused_topic = "t";
    }
    ASSERT_TRUE(session->SendAsync(Request("x"), &CountOutcome, &counts_).ok());
    ASSERT_TRUE(session->Flush(Millis(20000)));
    EXPECT_EQ(FakeBroker::Get().Received(), 1u);
    EXPECT_TRUE(session->Disconnect().ok());
  }
}

// A message is refused, and its dead letter is in the queue when the connection ends.
TEST_F(SessionTest, ADeadLetterThatDoesNotReachItsTopicGoesToTheDirectory) {
  for (const char* more : {"", "message-timeout=50ms\n", "reconnect-attempts=1\n"}) {
    SCOPED_TRACE(more);
    const std::string folder = NewFolder();
    FakeBroker::Get().Reset();
    auto session =
        Open("flush-timeout=1ms\ndead-letter-topic=dead\ndead-letter-dir=" + folder + "\n" + more);
    ASSERT_TRUE(session);
    {
      std::lock_guard lock(FakeBroker::Get().mutex);
      FakeBroker::Get().refused_topic = "t";
      FakeBroker::Get().silent_topic = "dead";
    }
    ASSERT_TRUE(session->SendAsync(Request("original"), &CountOutcome, &counts_).ok());
    ASSERT_TRUE(Says(session.get(), R"("unknown-topic":1)") &&
                Says(session.get(), R"("in_flight":1)"));
    FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});  // it waits again
    if (*more != '\0') {
      ASSERT_TRUE(Says(session.get(), R"("dead_lettered":1)"));
    }
    EXPECT_TRUE(session->Disconnect().ok());
    EXPECT_THAT(session->StatsJson(), HasSubstr(R"("dead_lettered":1,"dead_letters_lost":0)"));
    const std::string lines = AllOf(folder);
    EXPECT_THAT(lines, HasSubstr(R"("payload":"original")"));
    EXPECT_THAT(lines, HasSubstr(R"("dsmsg-dead-letter-reason":"fake: no such topic")"));
    EXPECT_THAT(lines, HasSubstr(R"("dsmsg-dead-letter-topic":"t")"));
    std::filesystem::remove_all(folder);
  }
}

TEST_F(SessionTest, ADeadLetterThatFindsNoRoomIsKeptOnce) {
  const std::string folder = NewFolder();
  auto session = Open("queue-bytes=4096\ndead-letter-topic=dead\ndead-letter-dir=" + folder + "\n");
  ASSERT_TRUE(session);
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kSilent);
  ASSERT_TRUE(session->SendAsync(Request(std::string(1000, 'x')), &CountOutcome, &counts_).ok());
  ASSERT_TRUE(Says(session.get(), R"("in_flight":1)"));
  // With its headers the letter is larger than the message, and the queue is full.
  ASSERT_TRUE(session->SendAsync(Request(std::string(3080, 'y')), &CountOutcome, &counts_).ok());
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kReject);
  ASSERT_TRUE(session->Flush(Millis(20000)));
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(counts_.unknown_topic, 2);
  const std::string lines = AllOf(folder);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2);
  EXPECT_THAT(lines, HasSubstr("\"reason\":\"fake: no such topic\",\"timestamp_ms\""));
  EXPECT_THAT(session->StatsJson(), HasSubstr(R"("dead_lettered":2,"dead_letters_lost":0)"));
  std::filesystem::remove_all(folder);
}

TEST_F(SessionTest, WithSpoolModeAlwaysADeadLetterIsOnDiskToo) {
  const std::string folder = NewFolder();
  const std::string options =
      "spool-mode=always\nconnect=lazy\nflush-timeout=1ms\nspool-dir=" + folder +
      "\ndead-letter-topic=dead\n";
  {
    auto session = Open(options);
    ASSERT_TRUE(session);
    {
      std::lock_guard lock(FakeBroker::Get().mutex);
      FakeBroker::Get().refused_topic = "t";
      FakeBroker::Get().silent_topic = "dead";
    }
    ASSERT_TRUE(session->SendAsync(Request("original"), &CountOutcome, &counts_).ok());
    ASSERT_TRUE(Says(session.get(), R"("unknown-topic":1)") &&
                Says(session.get(), R"("in_flight":1)"));
    EXPECT_THAT(session->StatsJson(), HasSubstr(R"("dead_lettered":1,"dead_letters_lost":0)"));
    EXPECT_TRUE(session->Disconnect().ok());
  }
  FakeBroker::Get().Reset();
  auto session = Open(options);
  ASSERT_TRUE(session);
  ASSERT_TRUE(WaitFor([] { return FakeBroker::Get().Received() == 1; }));
  {
    std::lock_guard lock(FakeBroker::Get().mutex);
    EXPECT_EQ(FakeBroker::Get().received.front(), "dead||original");
  }
  EXPECT_TRUE(session->Disconnect().ok());
  std::filesystem::remove_all(folder);
}

TEST_F(SessionTest, DeadLettersGoToATopicAndNeverInCircles) {
  auto session = Open("dead-letter-topic=dead\n");
  ASSERT_TRUE(session);
  {
    std::lock_guard lock(FakeBroker::Get().mutex);
    FakeBroker::Get().refused_topic = "t";
  }
  ASSERT_TRUE(session->SendAsync(Request("one"), &CountOutcome, &counts_).ok());
  ASSERT_TRUE(session->SendAsync(Request("two", "good"), &CountOutcome, &counts_).ok());
  ASSERT_TRUE(WaitFor([] { return FakeBroker::Get().Received() == 2; }));
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kReject);  // the dead letter's topic as well
  ASSERT_TRUE(session->SendAsync(Request("three"), &CountOutcome, &counts_).ok());
  ASSERT_TRUE(WaitFor(
      [&] { return session->StatsJson().find(R"("dead_letters_lost":1)") != std::string::npos; }));
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(counts_.ok, 1);
  EXPECT_EQ(counts_.unknown_topic, 2);
  std::lock_guard lock(FakeBroker::Get().mutex);
  EXPECT_THAT(FakeBroker::Get().received,
              ::testing::UnorderedElementsAre("dead||one", "good||two"));
  EXPECT_THAT(session->StatsJson(), HasSubstr(R"("acknowledged":1)"));
  EXPECT_THAT(session->StatsJson(), HasSubstr(R"("dead_lettered":1)"));
}

TEST_F(SessionTest, DeadLetterDirIsBoundedAndCheckedAtConnect) {
  const std::string folder = NewFolder();
  EXPECT_EQ(Open("dead-letter-dir=/proc/nowhere\n"), nullptr);
  EXPECT_THAT(connect_error_.message(),
              HasSubstr("dead-letter-dir=/proc/nowhere: cannot be created"));
  auto session = Open("dead-letter-max-bytes=4096\ndead-letter-dir=" + folder + "\n");
  ASSERT_TRUE(session);
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kReject);
  const std::string payload(1500, 'x');
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(session->SendAsync(Request(payload), &CountOutcome, &counts_).ok());
  }
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_THAT(session->StatsJson(), HasSubstr(R"("dead_lettered":2,"dead_letters_lost":3)"));
  std::filesystem::remove_all(folder);
}

TEST_F(SessionTest, MetricsFileIsSharedWrittenInTimeAndOnceMoreAtTheEnd) {
  const std::string folder = NewFolder();
  const std::string path = folder + "/dsmsg.prom";
  EXPECT_EQ(Open("metrics-file=" + folder + "/none/x.prom\n"), nullptr);
  EXPECT_THAT(connect_error_.message(), HasSubstr("/none/x.prom: cannot be written"));
  auto first = Open("metrics-interval=100ms\nmetrics-file=" + path + "\n");
  auto second = Open("metrics-interval=100ms\nmetrics-file=" + path + "\n");
  ASSERT_TRUE(first && second);
  ASSERT_TRUE(first->SendAsync(Request("one"), &CountOutcome, &counts_).ok());
  const auto lines_of = [&path](const std::string& start) {
    std::istringstream text(ReadAll(path));
    int count = 0;
    for (std::string line; std::getline(text, line);) count += line.starts_with(start) ? 1 : 0;
    return count;
  };
  ASSERT_TRUE(WaitFor([&] { return lines_of("dsmsg_accepted_total{") == 2; }));
  ASSERT_TRUE(WaitFor([&] { return ReadAll(path).find("} 1\n") != std::string::npos; }));
  EXPECT_TRUE(first->Disconnect().ok());
  EXPECT_TRUE(second->Disconnect().ok());
  first.reset();
  second.reset();
  EXPECT_EQ(lines_of("dsmsg_accepted_total{"), 1) << "the last connection's last values";
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1)
      << "no temporary file is left";
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace dsmsg
