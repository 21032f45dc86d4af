// SPDX-License-Identifier: Apache-2.0
// Pictures without a pipeline: names, settings, the folder and what is deleted in it, the queue.
#include <gmock/gmock.h>
#include <gst/gst.h>

#include <condition_variable>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <thread>

#include "evidence/adaptor_store.h"
#include "evidence/folder_store.h"
#include "evidence/picture_name.h"
#include "evidence/recorder.h"
#include "support/server_process.h"

namespace dsmsg::evidence {
namespace {

using dsmsg::testing::Environment;
using dsmsg::testing::TemporaryFolder;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

namespace fs = std::filesystem;

constexpr uint64_t kSecond = 1'000'000'000;

EvidenceSettings Read(const std::string& destination, const std::string& config = "") {
  std::vector<std::string> warnings;
  const auto settings = ReadEvidenceSettings(destination, config, &warnings);
  EXPECT_TRUE(settings.ok()) << settings.status().message();
  EXPECT_THAT(warnings, IsEmpty());
  return settings.ok() ? settings.value() : EvidenceSettings();
}

std::string Mistake(const std::string& destination, const std::string& config = "") {
  std::vector<std::string> warnings;
  const auto settings = ReadEvidenceSettings(destination, config, &warnings);
  EXPECT_FALSE(settings.ok());
  return settings.ok() ? "" : settings.status().message();
}

/// A gray picture of so many pixels in width and height.
Recorder::TicketPtr TakeGray(Recorder* recorder, const std::string& name, guint edge,
                             int* copied = nullptr) {
  return recorder->Take(name, edge * edge, [&]() -> Result<Recorder::PicturePtr> {
    if (copied != nullptr) ++*copied;
    auto picture = std::make_shared<RawPicture>();
    gst_video_info_set_format(&picture->info, GST_VIDEO_FORMAT_GRAY8, edge, edge);
    picture->bytes = std::make_unique<uint8_t[]>(picture->size());
    return Recorder::PicturePtr(std::move(picture));
  });
}

// ---------------------------------------------------------------- names

TEST(PictureNames, SortByTimeAndAreKnownAgain) {
  PictureName name;
  name.time_ns = 1'705'314'600'123'456'789;
  name.source = 2;
  name.frame = 41;
  name.object = 7;
  name.converter = 0x1a2b;
  EXPECT_EQ(TextOf(name), "2024-01-15/103000.123-s2-f41-o7-crop-00001a2b.jpg");
  name.object.reset();
  EXPECT_EQ(TextOf(name), "2024-01-15/103000.123-s2-f41-frame-00001a2b.jpg");
  EXPECT_TRUE(IsDay("2024-01-15"));
  EXPECT_TRUE(IsPicture("103000.123-s2-f41-o7-crop-00001a2b.jpg"));
  EXPECT_TRUE(IsPicture("103000.123-s2-f41-frame-00001a2b.jpg"));
  EXPECT_TRUE(IsPart(".103000.123-s2-f41-frame-00001a2b.jpg.part"));
  for (const char* other : {"", "holiday.jpg", "103000.123-s2-f41-frame-00001a2b.jpg.txt",
                            "x103000.123-s2-f41-frame-00001a2b.jpg", "103000.123-s-f41-frame.jpg",
                            "103000.123-s2-f41-frame-00001A2B.jpg"})
    EXPECT_FALSE(IsPicture(other)) << other;
  EXPECT_FALSE(IsDay("2024-01-15x"));
  EXPECT_FALSE(IsPart(".part"));
}

// ---------------------------------------------------------------- settings

TEST(EvidenceSettingsTest, DestinationsAndOptions) {
  EXPECT_EQ(Read("/var/lib/p/").folder, "/var/lib/p");
  EXPECT_EQ(Read("file:///var/lib/p%20q").folder, "/var/lib/p q");
  EXPECT_EQ(Read("/p", "max-age=168h;fsync=0").max_age, std::chrono::hours(7 * 24));
  const EvidenceSettings redis = Read("redis://me:secret@cache:6380/2", "ttl=60;prefix=cam:");
  EXPECT_EQ(redis.public_address, "redis://cache:6380/2");
  EXPECT_EQ(redis.ttl, std::chrono::minutes(1));
  EXPECT_EQ(redis.prefix, "cam:");
  const EvidenceSettings s3 =
      Read("s3://bucket/site/north",
           "endpoint=http://minio:9000/;access-key=A+B;secret-key=s/e;region=eu-west-1");
  EXPECT_EQ(s3.bucket, "bucket");
  EXPECT_EQ(s3.prefix, "site/north/");
  EXPECT_EQ(s3.public_address, "http://minio:9000");
  EXPECT_EQ(s3.address, "http://A%2BB:s%2Fe@minio:9000");
  const Environment access("AWS_ACCESS_KEY_ID", "key"), secret("AWS_SECRET_ACCESS_KEY", "word");
  const EvidenceSettings amazon = Read("s3://bucket", "region=eu-west-1");
  EXPECT_EQ(amazon.public_address, "https://s3.eu-west-1.amazonaws.com");
  EXPECT_EQ(amazon.prefix, "");
}

TEST(EvidenceSettingsTest, MistakesSayWhatIsAllowedAndNoSecret) {
  EXPECT_THAT(Mistake("/p", "pictures=crop;quality=0"),
              AllOf(StartsWith("evidence-config: quality = 0"), HasSubstr("from 1 to 100")));
  EXPECT_THAT(Mistake("/p", "pictures=all"), HasSubstr("crop, frame, both"));
  EXPECT_THAT(Mistake("/p", "/none/e.txt"), HasSubstr("/none/e.txt"));
  EXPECT_THAT(Mistake("/p", "queue-size=4"),
              AllOf(HasSubstr("queue-size"), HasSubstr("adaptor-config")));
  EXPECT_THAT(Mistake("s3://", "access-key=a;secret-key=b"), HasSubstr("s3://bucket"));
  EXPECT_THAT(Mistake("s3://b", "access-key=a;secret-key=hidden;endpoint=minio:9000"),
              AllOf(HasSubstr("http://host:port"), Not(HasSubstr("hidden"))));
  EXPECT_THAT(Mistake("gs://b"), HasSubstr("redis://host:port"));
}

TEST(EvidenceSettingsTest, TheAdaptorsFileKeepsItsLines) {
  const TemporaryFolder folder;
  const std::string file = folder.Write("a.txt", "[message-broker]\ntls-verify = 0\n");
  const EvidenceSettings settings = Read("redis://h");
  const auto text = AdaptorConfig(settings, file);
  ASSERT_TRUE(text.ok());
  EXPECT_THAT(text.value(),
              AllOf(StartsWith("[message-broker]\ntls-verify = 0\n"), HasSubstr("command = set\n"),
                    HasSubstr("expire = 86400000ms\n")));
  const std::string wrong = folder.Write("b.txt", "[message-broker]\n\ncommand = xadd\n");
  const auto refused = AdaptorConfig(settings, wrong);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.status().message(), AllOf(HasSubstr("b.txt:3"), HasSubstr("command")));
}

TEST(EvidenceSettingsTest, TheManualListsThem) {
  std::ifstream file(DSMSG_DOCS_DIR "/evidence.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  std::string table;
  for (const OptionSpec& option : EvidenceOptions()) {
    table += "| `" + std::string(option.name) + "` | " +
             (*option.deflt == '\0' ? "" : "`" + std::string(option.deflt) + "`") + " | " +
             option.doc + " |\n";
  }
  EXPECT_NE(page.find(table), page.npos) << "docs/evidence.md should have:\n" << table;
}

// ---------------------------------------------------------------- the folder

Status Put(FolderStore* store, uint64_t seconds, size_t size = 1000) {
  PictureName name;
  name.time_ns = seconds * kSecond;
  Status answer(Code::kInternal, "no answer");
  store->Put(TextOf(name), std::string(size, 'x'), [&](const Status& status) { answer = status; });
  return answer;
}

size_t FilesIn(const std::string& folder) {
  size_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    count += entry.is_regular_file() ? 1 : 0;
  return count;
}

std::shared_ptr<FolderStore> Open(const TemporaryFolder& folder, const std::string& config) {
  auto store = FolderStore::Open(Read(folder.path(), config));
  EXPECT_TRUE(store.ok()) << store.status().message();
  return store.value();
}

TEST(FolderStoreTest, KeepsWithinItsBytesAndDeletesTheOldestFirst) {
  const TemporaryFolder folder;
  const auto store = Open(folder, "max-bytes=10000;fsync=0");
  for (uint64_t second = 1; second <= 200; ++second)
    ASSERT_TRUE(Put(store.get(), second * 3600).ok());
  EXPECT_LE(FilesIn(folder.path()), 10U);
  EXPECT_GE(FilesIn(folder.path()), 9U);
  EXPECT_TRUE(fs::exists(folder.path() + "/1970-01-09/080000.000-s0-f0-frame-00000000.jpg"));
  EXPECT_FALSE(fs::exists(folder.path() + "/1970-01-01"));
}

TEST(FolderStoreTest, DeletesWhatIsTooOld) {
  const TemporaryFolder folder;
  const auto store = Open(folder, "max-age=1h;fsync=0");
  const auto now = static_cast<uint64_t>(time(nullptr));
  for (const uint64_t age : {10U * 24 * 3600, 2U * 24 * 3600, 3700U, 3500U, 5U})
    ASSERT_TRUE(Put(store.get(), now - age).ok());
  store->Tend();
  EXPECT_EQ(FilesIn(folder.path()), 2U);
}

TEST(FolderStoreTest, NeverDeletesWhatOthersPutThere) {
  const TemporaryFolder folder;
  const auto store = Open(folder, "max-age=1h;max-bytes=1;fsync=0");
  ASSERT_TRUE(Put(store.get(), 1000).ok());
  const std::string day = folder.path() + "/1970-01-01/";
  const std::vector<std::string> others = {day + "notes.txt", day + "holiday.jpg",
                                           folder.path() + "/x.jpg",
                                           day + "000000.000-s0-f0-frame-00000000.jpg.bak"};
  for (const std::string& name : others) std::ofstream(name) << "mine";
  // A link with a picture's name is no picture of ours.
  const std::string link = day + "000001.000-s0-f0-frame-00000000.jpg";
  fs::create_symlink(folder.path() + "/x.jpg", link);
  store->Tend();
  ASSERT_TRUE(Put(store.get(), static_cast<uint64_t>(time(nullptr))).ok());
  store->Tend();
  for (const std::string& name : others) EXPECT_TRUE(fs::exists(name)) << name;
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_FALSE(fs::exists(day + "001640.000-s0-f0-frame-00000000.jpg"));
}

TEST(FolderStoreTest, AFolderThatWasRemovedIsMadeAgain) {
  const TemporaryFolder folder;
  const auto store = Open(folder, "");
  ASSERT_TRUE(Put(store.get(), 1).ok());
  fs::remove_all(folder.path() + "/1970-01-01");
  EXPECT_TRUE(Put(store.get(), 2).ok());
}

// ---------------------------------------------------------------- the queue

/// A store that holds every picture until it is let go.
class GatedStore final : public PictureStore {
 public:
  std::string Uri(const std::string& name) const override { return "gate:" + name; }
  void Put(const std::string&, const std::string&, Done done) override {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    lock.unlock();
    done(Status());
  }
  void Stop(Deadline) override { Open(); }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void AwaitArrival() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return arrived_ > 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t arrived_ = 0;
  bool open_ = false;
};

TEST(RecorderTest, ASlowStoreLosesPicturesAndNeverWaits) {
  const auto store = std::make_shared<GatedStore>();
  auto started = Recorder::Start(Read("/p", "queue-bytes=1M"), store);
  ASSERT_TRUE(started.ok()) << started.status().message();
  Recorder& recorder = *started.value();
  std::vector<Recorder::TicketPtr> tickets{TakeGray(&recorder, "0", 512)};
  store->AwaitArrival();
  int copied = 0;
  for (int i = 1; i < 10; ++i)
    tickets.push_back(TakeGray(&recorder, std::to_string(i), 512, &copied));
  EXPECT_GE(recorder.counters().lost, 5U);  // there is room for 1 MiB
  EXPECT_EQ(copied, 9 - static_cast<int>(recorder.counters().lost));
  EXPECT_THAT(recorder.Of(*tickets.back()).reason,
              AllOf(HasSubstr("no room"), HasSubstr("queue-bytes")));
  EXPECT_EQ(recorder.Of(*tickets.back()).uri, "");
  EXPECT_THAT(recorder.Wait(*tickets.front(), Clock::now()).reason, HasSubstr("not stored within"));
  recorder.GiveUp(*tickets[2]);
  store->Open();
  const Deadline soon = Clock::now() + std::chrono::seconds(60);
  EXPECT_EQ(recorder.Wait(*tickets[0], soon).state, Outcome::State::kStored);
  EXPECT_EQ(recorder.Wait(*tickets[1], soon).state, Outcome::State::kStored);
  EXPECT_THAT(recorder.Wait(*tickets[2], soon).reason, HasSubstr("given up"));
  const RecorderCounters counters = recorder.counters();
  EXPECT_EQ(counters.waiting + counters.stored + counters.lost, 10U);
}

TEST(RecorderTest, APictureThatCannotBeCopiedIsLostWithItsReason) {
  auto started = Recorder::Start(Read("/p"), std::make_shared<GatedStore>());
  ASSERT_TRUE(started.ok());
  const auto ticket = started.value()->Take(
      "0", 64, []() -> Result<Recorder::PicturePtr> { return Status(Code::kNotSupported, "odd"); });
  EXPECT_EQ(started.value()->Of(*ticket).state, Outcome::State::kLost);
  EXPECT_EQ(started.value()->Of(*ticket).reason, "odd");
  EXPECT_EQ(started.value()->counters().waiting, 0U);
}

TEST(RecorderTest, NothingWaitsOnceThePipelineStops) {
  const auto store = std::make_shared<GatedStore>();
  auto started = Recorder::Start(Read("/p"), store);
  ASSERT_TRUE(started.ok());
  Recorder& recorder = *started.value();
  const auto ticket = TakeGray(&recorder, "0", 64);
  std::thread waiting([&] {
    const Outcome outcome = recorder.Wait(*ticket, Clock::now() + std::chrono::hours(1));
    EXPECT_EQ(outcome.state, Outcome::State::kLost);
  });
  recorder.StopWaiting();
  waiting.join();
}

TEST(RecorderTest, WhatIsUnderWayAtTheEndIsLost) {
  const auto store = std::make_shared<GatedStore>();
  auto started = Recorder::Start(Read("/p"), store);
  ASSERT_TRUE(started.ok());
  TakeGray(started.value().get(), "0", 64);
  store->AwaitArrival();
  TakeGray(started.value().get(), "1", 64);
  started.value().reset();  // returns
}

}  // namespace
}  // namespace dsmsg::evidence

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  gst_init(&argc, &argv);
  return RUN_ALL_TESTS();
}
