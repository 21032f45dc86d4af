// SPDX-License-Identifier: Apache-2.0
// The modes of the driver, with fake adaptors as destinations: each has its own broker in memory.
#include "adaptors/multi/driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "fake_adaptor.h"
#include "support/driver_harness.h"
#include "support/server_process.h"

namespace dsmsg::multi {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Harness = testing::DriverHarness<MultiDriver>;

class Multi : public ::testing::Test {
 protected:
  void SetUp() override {
    for (fake::Adaptor* each : {&a_, &b_, &c_, &plain_}) each->Reset();
    for (fake::Adaptor* each : {&a_, &b_, &c_}) each->Link(true);
  }

  /// A driver with the destinations "fake", ...; `each` is added to all of their handlers.
  std::unique_ptr<Harness> Make(const std::vector<std::string>& names, const std::string& config,
                                const std::string& each = "\"topics\": \"*\"") {
    std::string text;
    for (const std::string& name : names) {
      text += (text.empty() ? "" : ",") + ("\"" + name + "\": {\"proto-lib\": \"") +
              fake::Path(name) + "\", \"conn-str\": \"x\", " + each + "}";
    }
    return FromText("{\"output\": {\"handlers\": {" + text + "}}}", config);
  }
  std::unique_ptr<Harness> FromText(const std::string& text, const std::string& config) {
    auto made = std::make_unique<Harness>(files_.Write("handlers", text), config);
    made->host.reports_link = true;
    return made;
  }
  static size_t Received(fake::Adaptor& adaptor) {
    return adaptor.With([](fake::State& state) { return state.received.size(); });
  }
  static size_t Taken(fake::Adaptor& adaptor) {
    return adaptor.With([](fake::State& state) { return state.messages.size(); });
  }
  static void Hold(fake::Adaptor& adaptor, bool hold) {
    adaptor.With([&](fake::State& state) { state.hold_completions = hold; });
  }

  const testing::TemporaryFolder files_;
  fake::Adaptor a_{"fake"}, b_{"fake2"}, c_{"fake3"}, plain_{"fakeplain"};
};

// ---------------------------------------------------------------- all and any

TEST_F(Multi, AllIsOkOnlyOnceAllHaveAcknowledged) {
  const auto driver = Make({"fake", "fake2"}, "mode=all");
  ASSERT_TRUE(driver->Open().ok());
  Hold(b_, true);
  ASSERT_TRUE(driver->Send("t", "one").ok());
  ASSERT_TRUE(driver->PumpUntil([&] { return Received(a_) == 1; }).ok());
  EXPECT_TRUE(driver->host.completed.empty());
  Hold(b_, false);
  ASSERT_TRUE(driver->WaitCompleted(1).ok());
  EXPECT_EQ(driver->Outcome(1), Code::kOk);
  EXPECT_EQ(Received(b_), 1U);
}

TEST_F(Multi, AllFailsWithTheNameOfTheOneThatRefused) {
  const auto driver = Make({"fake", "fake2"}, "mode=all");
  ASSERT_TRUE(driver->Open().ok());
  b_.With([](fake::State& state) { state.completion = NVDS_MSGAPI_ERR; });
  ASSERT_TRUE(driver->Send("t", "one").ok());
  ASSERT_TRUE(driver->WaitCompleted(1).ok());
  EXPECT_EQ(driver->Outcome(1), Code::kRejected);
  EXPECT_THAT(driver->Text(1), AllOf(HasSubstr("\"fake2\""), HasSubstr("the broker said no")));
  EXPECT_EQ(Taken(a_), 1U) << "sent again to one that had acknowledged it";
}

TEST_F(Multi, AnUnknownTopicAtADestinationIsUnknown) {
  const auto driver = Make({"fake"}, "");
  ASSERT_TRUE(driver->Open().ok());
  a_.With([](fake::State& state) { state.completion = NVDS_MSGAPI_UNKNOWN_TOPIC; });
  ASSERT_TRUE(driver->Send("t", "one").ok());
  ASSERT_TRUE(driver->WaitCompleted(1).ok());
  EXPECT_EQ(driver->Outcome(1), Code::kUnknownTopic);
}

TEST_F(Multi, AnyIsOkWithTheFirstAcknowledgementAndFailsWithTheLast) {
  const auto driver = Make({"fake", "fake2"}, "mode=any");
  ASSERT_TRUE(driver->Open().ok());
  Hold(a_, true);
  ASSERT_TRUE(driver->Send("t", "one").ok());
  ASSERT_TRUE(driver->WaitCompleted(1).ok());
  EXPECT_EQ(driver->Outcome(1), Code::kOk);
  EXPECT_EQ(Received(a_), 0U);
  Hold(a_, false);
  ASSERT_TRUE(driver->PumpUntil([&] { return Received(a_) == 1; }).ok());
  for (fake::Adaptor* each : {&a_, &b_})
    each->With([](fake::State& state) { state.completion = NVDS_MSGAPI_ERR; });
  ASSERT_TRUE(driver->Send("t", "two").ok());
  ASSERT_TRUE(driver->WaitCompleted(2).ok());
  EXPECT_EQ(driver->Outcome(2), Code::kRejected);
  EXPECT_EQ(driver->host.twice, 0U);
}

// ---------------------------------------------------------------- one delays no other

TEST_F(Multi, ADeadDestinationFillsItsOwnQueueOnly) {
  // The core passes on at most half of 400 messages: more than the dead one's queue of 100.
  const auto driver = Make({"fake", "fake2"}, "mode=all\nqueue-size=400");
  ASSERT_TRUE(driver->Open().ok());
  Hold(b_, true);
  b_.Link(false);
  for (int i = 0; i < 150; ++i) ASSERT_TRUE(driver->Send("t", std::to_string(i)).ok());
  ASSERT_TRUE(driver->PumpUntil([&] { return Received(a_) == 150; }).ok());
  EXPECT_TRUE(driver->host.completed.empty());
  // It is told how much it may hold; what it evicts then fails.
  const std::string path =
      b_.With([](fake::State& state) { return state.connect_arguments.back().second; });
  EXPECT_EQ(Taken(b_), 150U) << path;
}

TEST_F(Multi, ADestinationThatLagsHoldsUpNoOther) {
  const auto driver = Make({"fake", "fake2"}, "mode=any\nqueue-size=40");
  ASSERT_TRUE(driver->Open().ok());
  Hold(b_, true);  // up, but takes no more than its queue of 10
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(driver->Send("t", std::to_string(i)).ok());
    ASSERT_TRUE(driver->WaitCompleted(static_cast<size_t>(i) + 1).ok());
  }
  EXPECT_EQ(driver->host.ok, 100U);
}

TEST_F(Multi, WithBlockTheOthersWaitForIt) {
  const auto driver = Make({"fake", "fake2"}, "mode=any\nqueue-size=40",
                           R"("topics": "*", "config": {"overflow": "block"})");
  ASSERT_TRUE(driver->Open().ok());
  Hold(b_, true);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(driver->Send("t", std::to_string(i)).ok());
    ASSERT_TRUE(driver->WaitCompleted(static_cast<size_t>(i) + 1).ok());
  }
  EXPECT_EQ(driver->Submit("t", "more").code(), Code::kWouldBlock);
  b_.Link(false);  // what cannot be reached is not waited for
  ASSERT_TRUE(driver->Send("t", "more").ok());
}

TEST_F(Multi, WithOneDestinationTheQueueWaits) {
  const auto driver = Make({"fake"}, "queue-size=40");
  ASSERT_TRUE(driver->Open().ok());
  Hold(a_, true);
  int sent = 0;
  while (driver->Submit("t", std::to_string(sent)).ok()) ++sent;
  EXPECT_EQ(sent, 5);
  Hold(a_, false);
  ASSERT_TRUE(driver->Send("t", "more").ok());
  ASSERT_TRUE(driver->WaitCompleted(6).ok());
  EXPECT_EQ(driver->host.ok, 6U);
}

// ---------------------------------------------------------------- failover, round-robin

TEST_F(Multi, FailoverGoesOnWithTheNextAndComesBack) {
  const auto driver = Make({"fake", "fake2"}, "mode=failover\nfailover-after=0\nfailback-after=0");
  ASSERT_TRUE(driver->Open().ok());
  ASSERT_TRUE(driver->Send("t", "one").ok());
  ASSERT_TRUE(driver->WaitCompleted(1).ok());
  EXPECT_EQ(Received(a_), 1U);
  Hold(a_, true);
  ASSERT_TRUE(driver->Send("t", "two").ok());
  EXPECT_EQ(Taken(b_), 0U);
  a_.Link(false);  // what it has not acknowledged goes to the next one
  ASSERT_TRUE(driver->WaitCompleted(2).ok());
  ASSERT_TRUE(driver->Send("t", "three").ok());
  ASSERT_TRUE(driver->WaitCompleted(3).ok());
  EXPECT_EQ(Received(b_), 2U);
  EXPECT_EQ(Taken(a_), 2U);
  Hold(a_, false);
  a_.Link(true);
  ASSERT_TRUE(driver->driver.Poll(Millis(0), driver->wake.fd()).ok());  // sees the link
  ASSERT_TRUE(driver->PumpUntil([&] { return Received(a_) == 2; }).ok());
  ASSERT_TRUE(driver->Send("t", "four").ok());
  ASSERT_TRUE(driver->WaitCompleted(4).ok());
  EXPECT_EQ(Received(a_), 3U);
  EXPECT_EQ(Received(b_), 2U);
  EXPECT_EQ(driver->host.ok, 4U);
  EXPECT_EQ(driver->host.twice, 0U);
}

TEST_F(Multi, FailoverTriesTheNextWhenOneRefuses) {
  const auto driver = Make({"fake", "fake2"}, "mode=failover");
  ASSERT_TRUE(driver->Open().ok());
  a_.With([](fake::State& state) { state.completion = NVDS_MSGAPI_ERR; });
  ASSERT_TRUE(driver->Send("t", "one").ok());
  ASSERT_TRUE(driver->WaitCompleted(1).ok());
  EXPECT_EQ(driver->Outcome(1), Code::kOk);
  b_.With([](fake::State& state) { state.completion = NVDS_MSGAPI_ERR; });
  ASSERT_TRUE(driver->Send("t", "two").ok());
  ASSERT_TRUE(driver->WaitCompleted(2).ok());
  EXPECT_EQ(driver->Outcome(2), Code::kRejected);
}

TEST_F(Multi, RoundRobinSharesAndLeavesOutADeadOne) {
  const auto driver =
      Make({"fake", "fake2", "fake3"}, "mode=round-robin\nfailover-after=0\nfailback-after=0");
  ASSERT_TRUE(driver->Open().ok());
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(driver->Send("t", std::to_string(i)).ok());
  ASSERT_TRUE(driver->WaitCompleted(30).ok());
  for (fake::Adaptor* each : {&a_, &b_, &c_}) EXPECT_EQ(Received(*each), 10U);
  Hold(b_, true);
  ASSERT_TRUE(driver->Send("t", "x").ok());
  ASSERT_TRUE(driver->Send("t", "y").ok());
  ASSERT_TRUE(driver->Send("t", "z").ok());
  b_.Link(false);
  ASSERT_TRUE(driver->WaitCompleted(33).ok());  // it has seen that
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(driver->Send("t", std::to_string(i)).ok());
  ASSERT_TRUE(driver->WaitCompleted(63).ok());
  EXPECT_EQ(driver->host.ok, 63U);
  EXPECT_EQ(Received(b_), 10U);
  EXPECT_EQ(Received(a_) + Received(c_), 53U);
}

// ---------------------------------------------------------------- routes

TEST_F(Multi, AMessageGoesWhereItsTopicAndPayloadLead) {
  const auto driver = FromText(
      R"({"output": {"handlers": {
        "people": {"proto-lib": ")" +
          fake::Path("fake") +
          R"(", "sink": "events", "when": "label = person"},
        "alerts": {"proto-lib": ")" +
          fake::Path("fake2") + R"(", "topics": "alert/*", "config": {"topic": "fixed"}}}}})",
      "");
  ASSERT_TRUE(driver->Open().ok());
  ASSERT_TRUE(driver->Send("events", R"({"label": "person"})").ok());
  ASSERT_TRUE(driver->Send("events", R"({"label": "car"})").ok());
  ASSERT_TRUE(driver->Send("alert/1", "{}").ok());
  ASSERT_TRUE(driver->WaitCompleted(3).ok());
  EXPECT_EQ(driver->host.ok, 3U);
  EXPECT_EQ(driver->host.unheard, 1U);
  EXPECT_EQ(Received(a_), 1U);
  a_.With([](fake::State& state) { EXPECT_EQ(state.messages.back().topic, "events"); });
  b_.With([](fake::State& state) {
    EXPECT_FALSE(state.messages.back().has_topic) << "the destination's own topic counts";
  });
  const Status lost = driver->Send("other", "{}");
  EXPECT_EQ(lost.code(), Code::kUnknownTopic);
  EXPECT_THAT(lost.message(), HasSubstr("no handler takes the topic \"other\""));
}

// ---------------------------------------------------------------- start and end

TEST_F(Multi, ItOpensWithOneOfThemAndNamesTheRest) {
  b_.Link(false);
  const auto driver = Make({"fake", "fake2"}, "failover-after=0");
  ASSERT_TRUE(driver->Open().ok());
  a_.Link(false);
  ASSERT_TRUE(driver->PumpUntil([&] { return driver->host.downs.size() == 1; }).ok());
  EXPECT_THAT(driver->host.downs[0].message(),
              AllOf(HasSubstr("\"fake\""), HasSubstr("\"fake2\"")));
  EXPECT_EQ(driver->host.ups, 0);
  b_.Link(true);
  ASSERT_TRUE(driver->PumpUntil([&] { return driver->host.ups == 1; }).ok());
}

TEST_F(Multi, WithoutAnyItDoesNotOpen) {
  for (fake::Adaptor* each : {&a_, &b_}) each->Link(false);
  const auto driver = Make({"fake", "fake2"}, "");
  const Status status = driver->Open(Millis(100));
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("\"fake\""), HasSubstr("\"fake2\"")));
  a_.Link(true);
  ASSERT_TRUE(driver->Open().ok());
  ASSERT_TRUE(driver->Send("t", "one").ok());
}

TEST_F(Multi, WrongSettingsOfADestinationAreNoOutage) {
  b_.With([](fake::State& state) { state.refuse_connects = 1; });
  const auto driver = Make({"fake", "fake2"}, "");
  const Status status = driver->Open();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("\"fake2\""), HasSubstr("the broker said no")));
}

TEST_F(Multi, AThirdPartyAdaptorThatCannotConnectIsTriedAgain) {
  plain_.With([](fake::State& state) { state.refuse_connects = 1000; });
  const auto driver = Make({"fake", "fakeplain"}, "mode=all\nfailover-after=0");
  ASSERT_TRUE(driver->Open().ok());
  ASSERT_TRUE(driver->Send("t", "early").ok());
  ASSERT_TRUE(driver->WaitCompleted(1).ok());
  EXPECT_THAT(driver->Text(1), AllOf(HasSubstr("\"fakeplain\""), HasSubstr("not connected yet")));
  plain_.With([](fake::State& state) { state.refuse_connects = 0; });
  ASSERT_TRUE(driver
                  ->PumpUntil([&] {
                    return plain_.With([](fake::State& state) { return state.connects == 1; });
                  })
                  .ok());
  ASSERT_TRUE(driver
                  ->PumpUntil([&] {
                    EXPECT_TRUE(driver->Send("t", "late").ok());
                    EXPECT_TRUE(driver->WaitCompleted(driver->last_token).ok());
                    return driver->Outcome(driver->last_token) == Code::kOk;
                  })
                  .ok());
}

TEST_F(Multi, CloseLeavesToTheCoreWhatWasNotAcknowledged) {
  const auto driver = Make({"fake", "fake2"}, "mode=all");
  ASSERT_TRUE(driver->Open().ok());
  Hold(b_, true);
  ASSERT_TRUE(driver->Send("t", "one").ok());
  ASSERT_TRUE(driver->PumpUntil([&] { return Received(a_) == 1; }).ok());
  driver->driver.Close(Millis(0), -1);
  EXPECT_TRUE(driver->host.completed.empty());
  EXPECT_EQ(b_.With([](fake::State& state) { return state.disconnects; }), 1);
  Hold(b_, false);
  ASSERT_TRUE(driver->Open().ok());
  ASSERT_TRUE(driver->Send("t", "two").ok());
  ASSERT_TRUE(driver->WaitCompleted(1).ok());
}

TEST_F(Multi, ADestinationThatDoesNotReturnIsLeftBehind) {
  const auto driver = Make({"fake", "fake2"}, "mode=any");
  ASSERT_TRUE(driver->Open().ok());
  b_.With([](fake::State& state) { state.hold_disconnects = true; });
  ASSERT_TRUE(driver->Send("t", "one").ok());
  ASSERT_TRUE(driver->WaitCompleted(1).ok());
  driver->driver.Close(Millis(0), -1);
  EXPECT_EQ(b_.With([](fake::State& state) { return state.disconnects; }), 0);
  b_.With([](fake::State& state) { state.hold_disconnects = false; });
  EXPECT_TRUE(b_.WaitFor([](const fake::State& state) { return state.disconnects == 1; }));
}

}  // namespace
}  // namespace dsmsg::multi
