// SPDX-License-Identifier: Apache-2.0
// The delivery ledger: which numbers messages get, and which are written down as given up.
#include "core/observe/ledger.h"

#include <gmock/gmock.h>
#include <rapidjson/document.h>

#include <filesystem>
#include <set>
#include <sstream>

#include "unit/session_fixture.h"

namespace dsmsg {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::StartsWith;
using Numbers = std::set<uint64_t>;

std::string Of(const std::string& camera, int number) {
  return R"({"sensor":{"id":")" + camera + R"("},"n":)" + std::to_string(number) + "}";
}

std::vector<std::string> Marks() {
  const std::lock_guard lock(FakeBroker::Get().mutex);
  return FakeBroker::Get().marks;
}

std::vector<std::string> Payloads() {
  const std::lock_guard lock(FakeBroker::Get().mutex);
  std::vector<std::string> payloads;
  for (const std::string& line : FakeBroker::Get().received) {
    payloads.push_back(line.substr(line.rfind('|') + 1));
  }
  return payloads;
}

/// "camera 17" of every mark.
std::vector<std::string> Short(const std::vector<std::string>& marks) {
  std::vector<std::string> all;
  for (const std::string& text : marks) {
    const auto mark = LedgerMark::Parse(text);
    EXPECT_TRUE(mark) << text;
    if (mark) all.push_back(std::string(mark->source) + ' ' + std::to_string(mark->number));
  }
  return all;
}

Numbers Parsed(const std::string& text) {
  Numbers numbers;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    const size_t dash = part.find('-');
    const uint64_t first = std::stoull(part);
    const uint64_t last = dash == std::string::npos ? first : std::stoull(part.substr(dash + 1));
    for (uint64_t number = first; number <= last; ++number) numbers.insert(number);
  }
  return numbers;
}

/// What a file of a ledger says.
struct File {
  std::map<std::string, Numbers> lost;          // "source reason"
  std::map<std::string, std::string> policies;  // of each reason
  std::map<std::string, uint64_t> given;        // the last number of each source
  std::multiset<std::string> events;
  std::set<std::string> epochs;

  explicit File(const std::string& path) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) Add(line);
  }
  void Add(const std::string& line) {
    rapidjson::Document json;
    json.Parse(line.c_str());
    ASSERT_TRUE(json.IsObject()) << line;
    events.insert(json["event"].GetString());
    epochs.insert(json["epoch"].GetString());
    EXPECT_THAT(json["time"].GetString(), MatchesRegex("20..-..-..T..:..:..\\....Z"));
    if (json.HasMember("sources")) {
      for (const auto& [name, number] : json["sources"].GetObject()) {
        given[name.GetString()] = number.GetUint64();
      }
    }
    if (std::string(json["event"].GetString()) != "lost") return;
    const Numbers numbers = Parsed(json["numbers"].GetString());
    EXPECT_EQ(numbers.size(), json["count"].GetUint64()) << line;
    const std::string reason = json["reason"].GetString();
    lost[std::string(json["source"].GetString()) + ' ' + reason].insert(numbers.begin(),
                                                                        numbers.end());
    policies[reason] = json["policy"].GetString();
  }
};

class LedgerTest : public SessionTest {
 protected:
  void SetUp() override {
    SessionTest::SetUp();
    folder_ = NewFolder();
    file_ = folder_ + "/ledger";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::shared_ptr<Session> OpenLedger(const std::string& more = "",
                                      const DriverFactory& factory = FakeDriver::Factory()) {
    return Open("ledger=1\nledger-file=" + file_ + "\n" + more, factory);
  }
  static Status Send(Session& session, const std::string& payload, Counts* counts) {
    return session.SendAsync(Request(payload), &CountOutcome, counts);
  }

  std::string folder_, file_;
};

TEST_F(LedgerTest, NumbersCountFromOneForEachSource) {
  auto session = OpenLedger();
  ASSERT_TRUE(session);
  for (const std::string& payload :
       {Of("a", 0), Of("b", 0), Of("a", 1), std::string(R"({"n":1,"sensorId":"c"})"),
        std::string("no object"), std::string(R"({"sensor":{}})"), Of("a", 2)}) {
    ASSERT_TRUE(Send(*session, payload, &counts_).ok());
  }
  EXPECT_THAT(session->StatsJson(), HasSubstr(R"("a":{"numbered":3,"lost":0})"));
  ASSERT_TRUE(session->Disconnect().ok());
  EXPECT_THAT(Short(Marks()), ElementsAre("a 1", "b 1", "a 2", "c 1", "t 1", "t 2", "a 3"));
  EXPECT_THAT(Marks().front(), MatchesRegex("20[0-9]{6}T[0-9]{9}Z-[0-9a-f]{8} 000000000000001 a"));
  EXPECT_EQ(Payloads().front(), Of("a", 0));  // unchanged
  const File file(file_);
  EXPECT_EQ(file.given, (std::map<std::string, uint64_t>{{"a", 3}, {"b", 1}, {"c", 1}, {"t", 2}}));
  EXPECT_THAT(file.events, ElementsAre("begun", "ended", "numbers"));
  EXPECT_THAT(file.lost, IsEmpty());
}

TEST_F(LedgerTest, ANumberIsTheSameOnEveryTry) {
  auto session = OpenLedger();
  ASSERT_TRUE(session);
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kSilent);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Send(*session, Of("a", i), &counts_).ok());
  ASSERT_TRUE(WaitFor([] { return Marks().size() == 3; }));
  FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
  ASSERT_TRUE(
      WaitFor([&] { return session->StatsJson().find(R"("link":"down")") != std::string::npos; }));
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kAck);
  FakeBroker::Get().SetUp();
  ASSERT_TRUE(session->Disconnect().ok());
  EXPECT_THAT(Short(Marks()), ElementsAre("a 1", "a 2", "a 3", "a 1", "a 2", "a 3"));
  EXPECT_THAT(File(file_).lost, IsEmpty());
}

TEST_F(LedgerTest, ARestartIsANewEpochAndTheSpoolKeepsTheOldNumbers) {
  const std::string spool = "spool-dir=" + folder_ + "\n";
  auto session = OpenLedger(spool + "flush-timeout=1ms\n");
  ASSERT_TRUE(session);
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kSilent);
  ASSERT_TRUE(Send(*session, Of("a", 0), &counts_).ok());
  ASSERT_TRUE(Send(*session, Of("a", 1), &counts_).ok());
  ASSERT_TRUE(session->Disconnect().ok());
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kAck);
  {
    const std::lock_guard lock(FakeBroker::Get().mutex);
    FakeBroker::Get().marks.clear();
  }
  session = OpenLedger(spool);
  ASSERT_TRUE(session);
  ASSERT_TRUE(WaitFor([] { return FakeBroker::Get().Received() == 2; }));
  ASSERT_TRUE(Send(*session, Of("a", 2), &counts_).ok());
  ASSERT_TRUE(session->Disconnect().ok());
  const std::vector<std::string> marks = Marks();
  ASSERT_THAT(Short(marks), ElementsAre("a 1", "a 2", "a 1"));
  const auto epoch = [&](size_t i) { return std::string(LedgerMark::Parse(marks[i])->epoch); };
  EXPECT_EQ(epoch(0), epoch(1));
  EXPECT_LT(epoch(1), epoch(2));  // in the order of time
  EXPECT_EQ(File(file_).epochs, (std::set<std::string>{epoch(0), epoch(2)}));
  EXPECT_THAT(File(file_).lost, IsEmpty());
}

TEST_F(LedgerTest, WhatIsRefusedAtTheDoorUsesNoNumber) {
  auto session = OpenLedger("overflow=reject\nqueue-size=2\n");
  ASSERT_TRUE(session);
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kSilent);
  ASSERT_TRUE(Send(*session, Of("a", 0), &counts_).ok());
  ASSERT_TRUE(Send(*session, Of("a", 1), &counts_).ok());
  EXPECT_FALSE(Send(*session, Of("a", 2), &counts_).ok());
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kAck);
  ASSERT_TRUE(session->Flush(Millis(20000)));
  ASSERT_TRUE(Send(*session, Of("a", 3), &counts_).ok());
  ASSERT_TRUE(session->Disconnect().ok());
  EXPECT_THAT(Short(Marks()), ElementsAre("a 1", "a 2", "a 3"));
}

TEST_F(LedgerTest, WhatAFullQueueDropsIsWrittenDownWithThePolicy) {
  for (const char* policy : {"drop-oldest", "drop-newest"}) {
    FakeBroker::Get().Reset();
    std::filesystem::remove(file_);
    FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
    auto session = OpenLedger(std::string("connect=lazy\nqueue-size=4\noverflow=") + policy + "\n");
    ASSERT_TRUE(session);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(Send(*session, Of("a", i), &counts_).ok());
    FakeBroker::Get().SetUp();
    ASSERT_TRUE(session->Disconnect().ok());
    const bool oldest = std::string(policy) == "drop-oldest";
    EXPECT_THAT(Short(Marks()), oldest ? ElementsAre("a 7", "a 8", "a 9", "a 10")
                                       : ElementsAre("a 1", "a 2", "a 3", "a 4"));
    const File file(file_);
    const std::string reason = oldest ? "evicted" : "newest";
    EXPECT_EQ(file.lost.at("a " + reason), oldest ? Parsed("1-6") : Parsed("5-10"));
    EXPECT_THAT(file.policies.at(reason),
                AllOf(HasSubstr(std::string("overflow=") + policy), HasSubstr("queue-size=4")));
    EXPECT_EQ(file.given.at("a"), 10u);
  }
}

TEST_F(LedgerTest, EveryOtherEndWithoutTheBrokerIsWrittenDownToo) {
  auto session = OpenLedger(
      "max-message-bytes=200\nmessage-timeout=300ms\nflush-timeout=1ms\nqueue-size=100\n");
  ASSERT_TRUE(session);
  ASSERT_TRUE(Send(*session, Of("large", 0) + std::string(300, ' '), &counts_).ok());
  FakeBroker::Get().refused_topic = "no";
  ASSERT_TRUE(session->SendAsync(Request(Of("refused", 0), "no"), &CountOutcome, &counts_).ok());
  ASSERT_TRUE(WaitFor([&] {
    session->DoWork();
    return counts_.total() == 2;
  }));
  FakeBroker::Get().SetAnswer(FakeBroker::Answer::kSilent);
  ASSERT_TRUE(Send(*session, Of("late", 0), &counts_).ok());
  ASSERT_TRUE(WaitFor([&] {
    session->DoWork();
    return counts_.total() == 3;
  }));
  ASSERT_TRUE(Send(*session, Of("left", 0), &counts_).ok());
  EXPECT_THAT(session->StatsJson(), HasSubstr(R"("late":{"numbered":1,"lost":1})"));
  ASSERT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(counts_.total(), 4);
  const File file(file_);
  EXPECT_EQ(file.lost, (std::map<std::string, Numbers>{{"large too-large", {1}},
                                                       {"refused refused", {1}},
                                                       {"late expired", {1}},
                                                       {"left shutdown", {1}}}));
  EXPECT_EQ(file.policies.at("refused"), CodeName(Code::kUnknownTopic));
  EXPECT_THAT(file.policies.at("expired"), HasSubstr("message-timeout=300ms"));
  EXPECT_THAT(file.policies.at("shutdown"), HasSubstr("flush-timeout=1ms"));
}

TEST_F(LedgerTest, WhatAFullSpoolDeletesIsWrittenDown) {
  constexpr int kMessages = 3000;
  FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
  const std::string options =
      "spool-dir=" + folder_ + "\nspool-max-bytes=1M\nspool-evict=1\nspool-mode=always\n";
  auto session = OpenLedger("connect=lazy\n" + options);
  ASSERT_TRUE(session);
  const std::string rest(1000, '.');
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(Send(*session, Of(i % 2 == 0 ? "a" : "b", i) + rest, &counts_).ok());
    if (i % 200 == 0) {
      ASSERT_TRUE(session->Flush(Millis(60000)));
    }
  }
  ASSERT_TRUE(session->Flush(Millis(60000)));
  FakeBroker::Get().SetUp();
  ASSERT_TRUE(WaitFor(
      [&] { return session->StatsJson().find(R"("spool_backlog":0)") != std::string::npos; }));
  ASSERT_TRUE(session->Disconnect().ok());
  std::map<std::string, Numbers> sent;
  for (const std::string& text : Marks()) {
    const auto mark = LedgerMark::Parse(text);
    sent[std::string(mark->source)].insert(mark->number);
  }
  const File file(file_);
  for (const char* source : {"a", "b"}) {
    const Numbers& lost = file.lost.at(std::string(source) + " spool-evicted");
    EXPECT_GT(lost.size(), 100u);
    EXPECT_EQ(lost.size() + sent[source].size(), size_t{kMessages / 2});
    EXPECT_LT(*lost.rbegin(), *sent[source].begin());
  }
}

TEST_F(LedgerTest, AFieldOfAJsonObjectCarriesTheNumberWhereThereAreNoHeaders) {
  static const DriverInfo info = [] {
    DriverInfo bare = FakeDriver::Info();
    bare.no_headers = [](const Config&) { return "this broker has no headers"; };
    return bare;
  }();
  const DriverFactory factory = {&info, FakeDriver::Factory().create};
  EXPECT_FALSE(OpenLedger("", factory));
  EXPECT_THAT(connect_error_.message(),
              AllOf(HasSubstr("no headers"), HasSubstr("ledger-field=ledger")));

  auto session = OpenLedger("ledger-field=led\"ger\n", factory);
  ASSERT_TRUE(session);
  const std::vector<std::string> payloads = {
      Of("a", 0), R"({"led\"ger":"mine"})", "{}", "{ }", "[1]", "text", "\n{\"x\"", ""};
  for (const std::string& payload : payloads) {
    ASSERT_TRUE(Send(*session, payload, &counts_).ok());
  }
  EXPECT_THAT(session->StatsJson(), HasSubstr(R"("unnumbered":4)"));
  ASSERT_TRUE(session->Disconnect().ok());
  EXPECT_THAT(Marks(), IsEmpty());
  const std::vector<std::string> received = Payloads();
  ASSERT_EQ(received.size(), payloads.size());
  for (size_t i = 0; i < 4; ++i) {
    rapidjson::Document json;
    json.Parse(received[i].c_str());
    ASSERT_TRUE(json.IsObject() && json.HasMember("led\"ger")) << received[i];
    const auto mark = LedgerMark::Parse(json["led\"ger"].GetString());
    ASSERT_TRUE(mark);
    EXPECT_EQ(mark->source, i == 0 ? "a" : "t");
    EXPECT_EQ(mark->number, i == 0 ? 1 : i);
    EXPECT_EQ(json.MemberCount(), i == 0 ? 3u : i == 1 ? 2u : 1u);
  }
  for (size_t i = 4; i < payloads.size(); ++i) EXPECT_EQ(received[i], payloads[i]);
}

TEST_F(LedgerTest, WhatAFieldCarriesIsAlsoFoundWhenTheMessageIsLost) {
  FakeBroker::Get().SetDown({Code::kUnavailable, "fake: away"});
  auto session =
      OpenLedger("connect=lazy\nqueue-size=1\noverflow=drop-oldest\nledger-field=ledger\n");
  ASSERT_TRUE(session);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Send(*session, Of("a", i), &counts_).ok());
  FakeBroker::Get().SetUp();
  ASSERT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(File(file_).lost.at("a evicted"), Parsed("1-4"));
}

TEST_F(LedgerTest, AMessageWithAMarkKeepsIt) {
  auto session = OpenLedger();
  ASSERT_TRUE(session);
  const std::string mark = "20260101T000000000Z-00000000 000000000000007 other camera";
  SendRequest request = Request("{}");
  request.headers = {{"more", "x"}, {"Dsmsg-Ledger", mark}};
  ASSERT_TRUE(session->SendAsync(request, &CountOutcome, &counts_).ok());
  ASSERT_TRUE(Send(*session, Of("a", 0), &counts_).ok());
  ASSERT_TRUE(session->Disconnect().ok());
  EXPECT_THAT(Short(Marks()), ElementsAre("a 1"));  // the fake looks for the exact name
  EXPECT_EQ(File(file_).given, (std::map<std::string, uint64_t>{{"a", 1}}));
}

TEST_F(LedgerTest, SourcesAreBoundedAndTheirNamesAreSafe) {
  auto session = OpenLedger();
  ASSERT_TRUE(session);
  const std::string odd = "caf\xc3\xa9 \\\"%1/\\u0001", same = "caf_";
  ASSERT_TRUE(Send(*session, Of(odd, 0), &counts_).ok());
  ASSERT_TRUE(Send(*session, Of(same, 0), &counts_).ok());
  ASSERT_TRUE(Send(*session, Of(std::string(Ledger::kLongestSource + 1, 'x'), 0), &counts_).ok());
  for (size_t i = 0; i < Ledger::kMostSources + 10; ++i) {
    ASSERT_TRUE(Send(*session, Of("camera-" + std::to_string(i), 0), &counts_).ok());
  }
  ASSERT_TRUE(session->Disconnect().ok());
  const std::vector<std::string> marks = Short(Marks());
  EXPECT_EQ(marks[0], "caf%C3%A9 %22%251/%01 1");
  EXPECT_EQ(marks[1], "caf_ 1");
  EXPECT_EQ(marks[2], "(others) 1");
  EXPECT_EQ(marks.back(), "(others) 13");
  EXPECT_EQ(File(file_).given.size(), Ledger::kMostSources + 1);
}

TEST_F(LedgerTest, ManyThreadsGetEachNumberOnce) {
  constexpr int kThreads = 4, kMessages = 300;
  auto session = OpenLedger("queue-size=50\n");
  ASSERT_TRUE(session);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kMessages; ++i) {
        const std::string source = std::to_string(i % 3);
        EXPECT_TRUE(Send(*session, Of(source, i), &counts_).ok());
        if (i % 50 == 0) session->StatsJson();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(session->Disconnect().ok());
  std::set<std::string> different;
  for (const std::string& mark : Short(Marks())) EXPECT_TRUE(different.insert(mark).second) << mark;
  const uint64_t each = kThreads * kMessages / 3;
  EXPECT_EQ(File(file_).given,
            (std::map<std::string, uint64_t>{{"0", each}, {"1", each}, {"2", each}}));
  EXPECT_EQ(different.size(), 3 * each);
}

TEST_F(LedgerTest, TheSourceMayBeATemplate) {
  auto session = OpenLedger("ledger-source=${site:-x}/${camera}\n");
  ASSERT_TRUE(session);
  ASSERT_TRUE(Send(*session, R"({"camera":7,"sensor":{"id":"a"}})", &counts_).ok());
  ASSERT_TRUE(Send(*session, R"({"sensor":{"id":"a"}})", &counts_).ok());
  ASSERT_TRUE(session->Disconnect().ok());
  EXPECT_THAT(Short(Marks()), ElementsAre("x/7 1", "t 1"));
}

TEST_F(LedgerTest, WithoutItNothingChanges) {
  auto session = Open("ledger-file=" + file_ + "\n");
  ASSERT_TRUE(session);
  ASSERT_TRUE(Send(*session, Of("a", 0), &counts_).ok());
  EXPECT_EQ(session->StatsJson().find("ledger"), std::string::npos);
  ASSERT_TRUE(session->Disconnect().ok());
  EXPECT_THAT(Marks(), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(LedgerTest, AFileThatCannotBeWrittenIsAnErrorAtConnect) {
  file_ = folder_ + "/absent/ledger";
  EXPECT_FALSE(OpenLedger());
  EXPECT_THAT(connect_error_.message(), AllOf(HasSubstr("ledger-file="), HasSubstr(file_)));
}

TEST_F(LedgerTest, TheFileIsBoundedAndEachBeginsWithItsHead) {
  constexpr uint64_t kBound = 65536;
  int heads = 0;
  LedgerFile file(file_, kBound, 7, [&] { return "head " + std::to_string(++heads) + '\n'; });
  const std::string line = std::string(999, 'x') + '\n';
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(file.Append(line).ok());
  EXPECT_GT(heads, 4);
  for (const std::string& path : {file_, file_ + ".1"}) {
    std::string first;
    std::getline(std::ifstream(path) >> std::ws, first);
    EXPECT_THAT(first, StartsWith("head "));
    EXPECT_LE(std::filesystem::file_size(path), kBound / 2);
  }
  // Somebody else takes it away, or leaves half a line.
  std::filesystem::remove(file_);
  ASSERT_TRUE(file.Append("a\n").ok());
  file.Close();
  std::ofstream(file_, std::ios::app) << "half";
  ASSERT_TRUE(file.Append("b\n").ok());
  std::stringstream text;
  text << std::ifstream(file_).rdbuf();
  EXPECT_THAT(text.str(), MatchesRegex("head [0-9]+\na\nhalf\nhead [0-9]+\nb\n"));
}

TEST(LedgerMarkTest, OnlyAMarkIsOne) {
  const std::string good = "20260101T000000000Z-0123abcd 000000000000017 a camera";
  const std::string more = good + "\",\"x\":1}";
  const auto mark = LedgerMark::Parse(more);
  ASSERT_TRUE(mark);
  EXPECT_EQ(mark->number, 17u);
  EXPECT_EQ(mark->source, "a camera");
  EXPECT_EQ(mark->epoch, good.substr(0, 28));
  for (const std::string& bad : {std::string(), good.substr(0, 45), std::string(60, 'x'),
                                 std::string(good).replace(30, 1, "x"),
                                 std::string(good).replace(29, 15, "000000000000000")}) {
    EXPECT_FALSE(LedgerMark::Parse(bad)) << bad;
  }
}

}  // namespace
}  // namespace dsmsg
