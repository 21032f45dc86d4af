// SPDX-License-Identifier: Apache-2.0
// If the server answers a message by ending the connection, or by silence, only that message is
// lost; a server that dies or restarts loses none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "unit/session_fixture.h"

namespace dsmsg {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

class PoisonTest : public SessionTest {
 protected:
  void SetUp() override {
    SessionTest::SetUp();
    std::lock_guard lock(FakeBroker::Get().mutex);
    FakeBroker::Get().poison_topic = "poison";
  }

  // 0 to count-1, but for `poison`, which goes to the topic that the server does not take.
  void Send(Session* session, int count, int poison) {
    for (int i = 0; i < count; ++i) {
      const std::string payload = std::to_string(i);
      const Status status = session->SendAsync(Request(payload, i == poison ? "poison" : "t"),
                                               &CountOutcome, &counts_);
      ASSERT_TRUE(status.ok()) << status.message();
      if (i != poison) expected_.push_back("t||" + payload);
    }
  }

  void WaitForAll(Session* session, int all) {
    ASSERT_TRUE(session->Flush(Millis(20000)));
    ASSERT_TRUE(WaitFor([&] {  // a callback is due a little later
      session->DoWork();
      return counts_.total() >= all;
    }));
  }

  void ExpectAllButThePoison(Session* session) {
    WaitForAll(session, static_cast<int>(expected_.size()) + 1);
    EXPECT_EQ(counts_.ok, static_cast<int>(expected_.size()));
    EXPECT_EQ(counts_.failed, 1);
    EXPECT_THAT(FakeBroker::Get().received, ElementsAreArray(expected_));
  }

  std::vector<std::string> expected_;
};

TEST_F(PoisonTest, OneMessageCostsItselfAndTheRestGoesOnInOrder) {
  auto session = Open("");
  ASSERT_TRUE(session);
  Send(session.get(), 500, 250);
  ExpectAllButThePoison(session.get());
  EXPECT_THAT(session->LastError(),
              AllOf(HasSubstr("attempts: 3,"), HasSubstr("\"poison\", 3 bytes"),
                    HasSubstr("too large"), HasSubstr("fake: closed by the server")));
  EXPECT_TRUE(session->Disconnect().ok());
}

TEST_F(PoisonTest, PoisonAttemptsSaysHowOften) {
  auto session = Open("poison-attempts=1\n");
  ASSERT_TRUE(session);
  Send(session.get(), 1, 0);
  ExpectAllButThePoison(session.get());
  EXPECT_EQ(FakeBroker::Get().opens, 2);
  EXPECT_TRUE(session->Disconnect().ok());
}

// Azure IoT Hub's default: a hub also ends connections that are over its quota.
TEST_F(PoisonTest, WithoutALimitItIsNamed) {
  ::testing::internal::CaptureStderr();
  auto session = Open("poison-attempts=0\n");
  ASSERT_TRUE(session);
  Send(session.get(), 2, 0);
  EXPECT_TRUE(WaitFor([] {
    std::lock_guard lock(FakeBroker::Get().mutex);
    return FakeBroker::Get().opens > 6;  // it is told when the fifth has succeeded
  }));
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("topic \"poison\", 1 bytes"), HasSubstr("poison-attempts=3")));
  {
    std::lock_guard lock(FakeBroker::Get().mutex);
    FakeBroker::Get().poison_topic.clear();
  }
  WaitForAll(session.get(), 2);
  EXPECT_EQ(counts_.ok, 2);
  EXPECT_TRUE(session->Disconnect().ok());
}

TEST_F(PoisonTest, SeveralEndOneAfterTheOther) {
  auto session = Open("");
  ASSERT_TRUE(session);
  for (int i = 0; i < 3; ++i) Send(session.get(), 20, 10);
  WaitForAll(session.get(), 60);
  EXPECT_EQ(counts_.failed, 3);
  EXPECT_THAT(FakeBroker::Get().received, ElementsAreArray(expected_));
  EXPECT_TRUE(session->Disconnect().ok());
}

// The server works: the pauses do not grow.
TEST_F(PoisonTest, ManyThatAreRefusedWithTheirConnectionDoNotDelayTheRest) {
  FakeBroker::Get().poison_is_refused = true;
  auto session = Open("reconnect-max-interval=30s\n");
  ASSERT_TRUE(session);
  for (int i = 0; i < 40; ++i) Send(session.get(), 2, 1);
  WaitForAll(session.get(), 80);
  EXPECT_EQ(counts_.failed, 40);
  EXPECT_THAT(FakeBroker::Get().received, ElementsAreArray(expected_));
  EXPECT_TRUE(session->Disconnect().ok());
}

// The last error says why a message failed, although the connection ended after it.
TEST_F(PoisonTest, TheLastErrorHasTheRefusalBesideTheLossOfTheLink) {
  FakeBroker::Get().poison_is_refused = true;
  auto session = Open("");
  ASSERT_TRUE(session);
  Send(session.get(), 2, 1);
  ExpectAllButThePoison(session.get());
  ASSERT_TRUE(WaitFor([&] {
    return session->LastError().find("closed by the server") != std::string::npos;
  })) << session->LastError();
  EXPECT_THAT(session->LastError(), HasSubstr("fake: no right to send"));
  EXPECT_TRUE(session->Disconnect().ok());
}

// The server is up: the sender waits for room, and no other message is dropped for it.
TEST_F(PoisonTest, NoMessageIsEvictedForIt) {
  for (const bool known : {false, true}) {  // the driver knows which message it was
    FakeBroker::Get().poison_is_refused = known;
    auto session = Open(
        "queue-size=10\noverflow-timeout=60s\n"
        "reconnect-interval=300ms\nreconnect-max-interval=300ms\n");
    ASSERT_TRUE(session);
    for (int i = 0; i < 2; ++i) Send(session.get(), 100, 20);
    WaitForAll(session.get(), 200);
    EXPECT_EQ(counts_.failed, 2);
    EXPECT_THAT(FakeBroker::Get().received, ElementsAreArray(expected_));
    EXPECT_TRUE(session->Disconnect().ok());
    counts_.ok = counts_.failed = 0;
    expected_.clear();
    FakeBroker::Get().received.clear();
  }
}

TEST_F(PoisonTest, ItBecomesADeadLetter) {
  const std::string folder = NewFolder();
  auto session = Open("dead-letter-dir=" + folder + "\n");
  ASSERT_TRUE(session);
  Send(session.get(), 3, 1);
  ExpectAllButThePoison(session.get());
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_FALSE(std::filesystem::is_empty(folder));
}

// It came from the disk, from an earlier process: it does not stop this one either.
TEST_F(PoisonTest, OneInTheSpoolIsTakenOutOfIt) {
  const std::string options = "spool-dir=" + NewFolder() + "\nconnect=lazy\n";
  FakeBroker::Get().SetDown({Code::kUnavailable, "fake: connection refused"});
  auto session = Open(options);
  ASSERT_TRUE(session);
  Send(session.get(), 20, 10);
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(counts_.ok, 20);  // they are on the disk
  FakeBroker::Get().SetUp();
  session = Open(options);
  ASSERT_TRUE(session);
  ASSERT_TRUE(WaitFor([] { return FakeBroker::Get().Received() >= 19; }));
  EXPECT_THAT(FakeBroker::Get().received, ElementsAreArray(expected_));
  EXPECT_TRUE(session->Disconnect().ok());
  const int opens = FakeBroker::Get().opens;
  session = Open(options);
  ASSERT_TRUE(session);
  ASSERT_TRUE(session->SendAsync(Request("last"), &CountOutcome, &counts_).ok());
  ASSERT_TRUE(WaitFor([] { return FakeBroker::Get().Received() >= 20; }));
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(FakeBroker::Get().opens, opens + 1) << "it was there again";
  EXPECT_EQ(FakeBroker::Get().received.back(), "t||last");
}

TEST_F(PoisonTest, MessageTimeoutDoesNotRunForTheInnocentMeanwhile) {
  auto session = Open("message-timeout=900ms\npoison-attempts=4\n");  // takes two seconds
  ASSERT_TRUE(session);
  Send(session.get(), 50, 10);
  ExpectAllButThePoison(session.get());
  EXPECT_TRUE(session->Disconnect().ok());
}

TEST_F(PoisonTest, SilenceToOneMessageRefusesItIfOthersAreAnswered) {
  FakeBroker::Get().poison_is_silent = true;
  auto session = Open("");
  ASSERT_TRUE(session);
  Send(session.get(), 20, 10);
  ExpectAllButThePoison(session.get());
  EXPECT_TRUE(session->Disconnect().ok());
}

TEST_F(PoisonTest, SilenceToAllRefusesNoMessage) {
  {
    std::lock_guard lock(FakeBroker::Get().mutex);
    FakeBroker::Get().poison_topic = "t";
    FakeBroker::Get().poison_is_silent = true;
  }
  auto session = Open("");
  ASSERT_TRUE(session);
  Send(session.get(), 20, -1);
  ASSERT_TRUE(WaitFor([] {
    std::lock_guard lock(FakeBroker::Get().mutex);
    return FakeBroker::Get().opens > 12;
  }));
  {
    std::lock_guard lock(FakeBroker::Get().mutex);
    FakeBroker::Get().poison_topic.clear();
  }
  WaitForAll(session.get(), 20);
  EXPECT_EQ(counts_.ok, 20);
  EXPECT_THAT(FakeBroker::Get().received, ElementsAreArray(expected_));
  EXPECT_TRUE(session->Disconnect().ok());
}

// Two hundred deaths, each with the same message alone in flight.
TEST_F(PoisonTest, AServerThatDiesAgainAndAgainCostsNothing) {
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kSilent);
  auto session = Open("");
  ASSERT_TRUE(session);
  Send(session.get(), 1, -1);
  const auto opens = [] {
    std::lock_guard lock(FakeBroker::Get().mutex);
    return FakeBroker::Get().opens;
  };
  for (int i = 0; i < 200; ++i) {
    FakeBroker::Get().SetDown({Code::kUnavailable, "fake: connection refused"});
    int before = opens();
    ASSERT_TRUE(WaitFor([&] { return opens() > before; }));
    {  // at once: the next attempt to connect is the one that counts
      FakeBroker& broker = FakeBroker::Get();
      std::lock_guard lock(broker.mutex);
      broker.open_status = Status();
      broker.cut = false;
      before = broker.opens;
    }
    ASSERT_TRUE(WaitFor([&] { return opens() > before; }));
  }
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kAck);
  WaitForAll(session.get(), 1);
  EXPECT_EQ(counts_.ok, 1);
  EXPECT_EQ(counts_.failed, 0);
  EXPECT_TRUE(session->Disconnect().ok());
}

// A client of the same name, or a flaky network: the server is always back at once.
TEST_F(PoisonTest, ConnectionsThatEndByThemselvesCostNothing) {
  {
    std::lock_guard lock(FakeBroker::Get().mutex);
    FakeBroker::Get().answer = FakeBroker::Answer::kSilent;
    FakeBroker::Get().life = Millis(20);
  }
  auto session = Open("");
  ASSERT_TRUE(session);
  Send(session.get(), 1, -1);
  ASSERT_TRUE(WaitFor([] {
    std::lock_guard lock(FakeBroker::Get().mutex);
    return FakeBroker::Get().opens > 30;
  }));
  {
    std::lock_guard lock(FakeBroker::Get().mutex);
    FakeBroker::Get().life = std::chrono::hours(1);
    FakeBroker::Get().answer = FakeBroker::Answer::kAck;
  }
  WaitForAll(session.get(), 1);
  EXPECT_EQ(counts_.ok, 1);
  EXPECT_EQ(counts_.failed, 0);
  EXPECT_TRUE(session->Disconnect().ok());
}

}  // namespace
}  // namespace dsmsg
