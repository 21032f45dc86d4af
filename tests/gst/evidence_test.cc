// SPDX-License-Identifier: Apache-2.0
// dsmsgconv: pictures of events. Each frame shows its number in the box of its object, so that a
// test reads in the stored file which frame and which box the picture is of.
#include <gmock/gmock.h>
#include <openssl/sha.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <condition_variable>
#include <csignal>
#include <map>
#include <mutex>

#include "evidence_support.h"
#include "late_support.h"
#include "msgconv/tests/json_check.h"
#include "support/server_process.h"

namespace dsmsg_test {
namespace {

using dsmsg::testing::TemporaryFolder;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

namespace fs = std::filesystem;

std::string DigestOf(const std::string& bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  std::string text;
  char two[3];
  for (const unsigned char byte : digest) {
    snprintf(two, sizeof two, "%02x", byte);
    text += two;
  }
  return text;
}

std::string PathOf(const std::string& uri) {
  EXPECT_EQ(uri.substr(0, 7), "file://");
  return uri.substr(7);
}

/// A converter whose events have pictures. Messages come with buffers and, while there are none, in
/// events; they are kept in the order in which they leave.
class EvidenceHarness : public ConvHarness {
 public:
  explicit EvidenceHarness(const std::string& properties, const std::string& format = "GRAY8")
      : ConvHarness("payload-type=minimal msg2p-newapi=false " + properties, "dsmsgconv",
                    CapsOf(format).c_str()) {
    gst_pad_add_probe(harness()->sinkpad,
                      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER |
                                                   GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
                      &EvidenceHarness::OnProbe, this, nullptr);
  }

  void Send(GstBuffer* buffer) { gst_buffer_unref(Push(buffer)); }
  void End() { gst_harness_push_event(harness(), gst_event_new_eos()); }
  std::vector<std::string> messages() {
    const std::lock_guard lock(mutex_);
    return messages_;
  }
  /// Waits until so many have left.
  void Await(size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(
        came_.wait_for(lock, std::chrono::seconds(120), [&] { return messages_.size() >= count; }));
  }

 private:
  static GstPadProbeReturn OnProbe(GstPad*, GstPadProbeInfo* info, gpointer self) {
    auto* const harness = static_cast<EvidenceHarness*>(self);
    const bool event = (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER) == 0;
    GstBuffer* const from =
        event ? LateMessagesOf(GST_PAD_PROBE_INFO_EVENT(info)) : GST_PAD_PROBE_INFO_BUFFER(info);
    if (from == nullptr) return GST_PAD_PROBE_OK;
    const std::lock_guard lock(harness->mutex_);
    for (const DsmsgPayloadMeta* meta : MetasOf(from)) harness->messages_.push_back(TextOf(*meta));
    harness->came_.notify_all();
    return GST_PAD_PROBE_OK;
  }

  std::mutex mutex_;  // guards the following
  std::condition_variable came_;
  std::vector<std::string> messages_;
};

/// The message's first object.
const rapidjson::Value& ObjectOf(const rapidjson::Document& message) {
  return At(message, {"objects"})[0];
}

/// Checks that the picture is stored as the message says; its bytes.
std::string Stored(const rapidjson::Value& evidence, const char* which) {
  EXPECT_EQ(Text(evidence, {which, "state"}), "stored");
  const std::string bytes = BytesOf(PathOf(Text(evidence, {which, "uri"})));
  EXPECT_EQ(Number(evidence, {which, "size"}), static_cast<double>(bytes.size()));
  EXPECT_EQ(Text(evidence, {which, "digest"}), DigestOf(bytes));
  return bytes;
}

class EvidenceFormat : public testing::TestWithParam<const char*> {};

TEST_P(EvidenceFormat, ThePictureIsThatOfTheFrameAndTheBox) {
  const TemporaryFolder folder;
  EvidenceHarness h("evidence=" + folder.path() + " evidence-config=pictures=both;margin=0",
                    GetParam());
  for (unsigned number = 1; number <= 20; ++number)
    h.Send(EventPicture(number * 2749 % 65536, GetParam()));
  h.End();
  ASSERT_THAT(h.messages(), SizeIs(20));
  for (unsigned i = 0; i < 20; ++i) {
    const unsigned number = (i + 1) * 2749 % 65536;
    const auto message = ParseJson(h.messages()[i]);
    EXPECT_EQ(Text(ObjectOf(message), {"id"}), std::to_string(number)) << "in order";
    const auto& evidence = At(ObjectOf(message), {"evidence"});
    const GrayPicture crop = Decode(Stored(evidence, "crop"));
    EXPECT_EQ(crop.width, kBars * kBarWidth);
    EXPECT_EQ(crop.height, kBoxHeight);
    EXPECT_EQ(NumberIn(crop, 0, 0), static_cast<int>(number));
    const GrayPicture frame = Decode(Stored(evidence, "frame"));
    EXPECT_EQ(frame.width, kWide);
    EXPECT_EQ(NumberIn(frame, SpotOf(number).left, SpotOf(number).top), static_cast<int>(number));
  }
  EXPECT_THAT(h.Messages(), IsEmpty());
  EXPECT_THAT(FilesIn(folder.path()), SizeIs(40));
  GstStructure* stats = nullptr;
  g_object_get(h.get(), "evidence-stats", &stats, nullptr);
  guint64 stored = 0, lost = 1;
  gst_structure_get(stats, "stored", G_TYPE_UINT64, &stored, "lost", G_TYPE_UINT64, &lost, nullptr);
  gst_structure_free(stats);
  EXPECT_EQ(stored, 40U);
  EXPECT_EQ(lost, 0U);
}

INSTANTIATE_TEST_SUITE_P(Formats, EvidenceFormat,
                         testing::Values("I420", "NV12", "RGB", "BGR", "RGBA", "BGRA", "GRAY8",
                                         "YUY2", "Y42B", "BGRx"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST(ConvEvidence, OneFramePictureIsSharedByItsObjects) {
  const TemporaryFolder folder;
  EvidenceHarness h("evidence=" + folder.path() + " evidence-config=pictures=frame;max-edge=320");
  GstBuffer* const buffer = EventPicture(5);
  dsmsg_event_set_object(dsmsg_buffer_add_event(buffer, "stopped", "bus"), 8, 0.5);
  h.Send(buffer);
  h.End();
  ASSERT_THAT(h.messages(), SizeIs(1));
  const auto message = ParseJson(h.messages()[0]);
  const auto& objects = At(message, {"objects"});
  ASSERT_EQ(objects.Size(), 2U);
  EXPECT_EQ(Text(objects[0], {"evidence", "frame", "uri"}),
            Text(objects[1], {"evidence", "frame", "uri"}));
  const GrayPicture frame = Decode(Stored(At(objects[0], {"evidence"}), "frame"));
  EXPECT_EQ(frame.width, 320);
  EXPECT_EQ(frame.height, 180);
  EXPECT_EQ(NumberIn(frame, SpotOf(5).left, SpotOf(5).top, 0.5), 5);
  EXPECT_THAT(FilesIn(folder.path()), SizeIs(1));
}

TEST(ConvEvidence, ALostPictureOfAFrameCountsOnce) {
  const TemporaryFolder folder;
  EvidenceHarness h("evidence=" + folder.path() + " evidence-config=pictures=both");
  gst_harness_set_src_caps_str(h.harness(), "video/x-h264,width=640,height=360");
  GstBuffer* const buffer = EventPicture(5);
  dsmsg_event_set_object(dsmsg_buffer_add_event(buffer, "stopped", "bus"), 8, 0.5);
  h.Send(buffer);
  const auto said = h.Messages();
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_THAT(said[0].text, HasSubstr("3 pictures lost so far"));  // two crops, one frame
}

TEST(ConvEvidence, AMarginIsPartOfTheBoxAndEndsAtTheEdge) {
  const TemporaryFolder folder;
  EvidenceHarness h("evidence=" + folder.path() + " evidence-config=margin=25");
  GstBuffer* const buffer = EventPicture(0);  // at the upper left corner
  h.Send(buffer);
  h.End();
  ASSERT_THAT(h.messages(), SizeIs(1));
  const auto message = ParseJson(h.messages()[0]);
  const GrayPicture crop = Decode(Stored(At(ObjectOf(message), {"evidence"}), "crop"));
  EXPECT_EQ(crop.width, 128 + 32);
  EXPECT_EQ(crop.height, 64 + 16);
}

TEST(ConvEvidence, AMessageLeavesAlthoughNoFurtherBufferComes) {
  const TemporaryFolder folder;
  EvidenceHarness h("evidence=" + folder.path());
  h.Send(EventPicture(5));
  h.Await(1);
  const auto messages = h.messages();
  EXPECT_THAT(messages[0], HasSubstr("stored"));
}

TEST(ConvEvidence, ObjectsWithoutAnEventHaveNoPicture) {
  const TemporaryFolder folder;
  ConvHarness h("msg2p-newapi=true frame-interval=1 evidence=" + folder.path());
  const auto payloads = h.Payloads(PersonPicture());
  ASSERT_THAT(payloads, SizeIs(1));
  EXPECT_EQ(payloads[0].find("evidence"), std::string::npos);
  EXPECT_THAT(FilesIn(folder.path()), IsEmpty());
}

TEST(ConvEvidence, WhenChoosesObjects) {
  const TemporaryFolder folder;
  ConvHarness h("msg2p-newapi=true frame-interval=1 evidence=" + folder.path() +
                " evidence-config=\"when=object.confidence > 0.8\"");
  std::vector<std::string> all;
  for (const double confidence : {0.9, 0.5}) {
    GstBuffer* const buffer = Picture();
    AddRegion(buffer, "person", confidence);
    for (std::string& payload : h.Payloads(buffer)) all.push_back(std::move(payload));
  }
  gst_harness_push_event(h.harness(), gst_event_new_eos());
  EXPECT_THAT(FilesIn(folder.path()), SizeIs(1));
}

TEST(ConvEvidence, WhatIsGoneHasNoPicture) {
  const TextFile space(
      "tracks: true\nlost-after: 1\nsources:\n  0:\n    zones:\n"
      "      yard: {points: [[0, 0], [1, 0], [1, 1], [0, 1]]}\n");
  const TextFile map(
      "each: event\nmessage: {e: '${object.event} ${object.evidence.state | default:none}'}\n");
  for (const char* const when : {"", " evidence-config=\"when=object.confidence > 0.8\""}) {
    const TemporaryFolder folder;
    EvidenceHarness h("msg2p-newapi=true events=track map=" + map.path() +
                      " space=" + space.path() + " evidence=" + folder.path() + when);
    GstBuffer* const seen = NumberedPicture(0);
    AddTracking(AddRegion(seen, "person", 0.9), 5);
    h.Send(seen);
    h.Send(NumberedPicture(90));  // three seconds later
    h.End();
    EXPECT_THAT(h.messages(), testing::UnorderedElementsAre(
                                  R"({"e":"entry stored"})", R"({"e":"zone-enter stored"})",
                                  R"({"e":"zone-leave none"})", R"({"e":"track-end none"})",
                                  R"({"e":"exit none"})"));
    EXPECT_THAT(FilesIn(folder.path()), SizeIs(2));
  }
}

TEST(ConvEvidence, MessagesOfASourceStayInOrder) {
  const TemporaryFolder folder;
  EvidenceHarness h("evidence=" + folder.path() +
                    " evidence-config=\"when=object.label == \\\"car\\\"\"");
  for (unsigned number = 0; number < 60; ++number) {
    GstBuffer* const buffer = NumberedPicture(number);
    GstStructure* const event =
        dsmsg_buffer_add_event(buffer, "moving", number % 7 == 0 ? "car" : "bus");
    dsmsg_event_set_object(event, number, 0.5);
    dsmsg_event_set_box(event, 4, 4, 40, 40);
    h.Send(buffer);
  }
  h.End();
  ASSERT_THAT(h.messages(), SizeIs(60));
  for (unsigned number = 0; number < 60; ++number) {
    const auto message = ParseJson(h.messages()[number]);
    EXPECT_EQ(Text(ObjectOf(message), {"id"}), std::to_string(number));
    EXPECT_EQ(ObjectOf(message).HasMember("evidence"), number % 7 == 0);
  }
}

TEST(ConvEvidence, ReachesMapsAndEveryPayloadType) {
  const TemporaryFolder folder;
  const TextFile map(
      "each: event\nmessage: {uri: '${object.evidence.uri}', state: "
      "'${object.evidence.state}', digest: '${object.evidence.digest}'}\n");
  for (const std::string& form :
       {std::string("payload-type=deepstream"), std::string("payload-type=minimal"),
        std::string("payload-type=protobuf"),
        std::string("payload-type=minimal dialect=deepstream"),
        std::string("payload-type=deepstream dialect=deepstream"), "map=" + map.path()}) {
    EvidenceHarness h(form + " evidence=" + folder.path());
    h.Send(EventPicture(3));
    h.End();
    ASSERT_THAT(h.messages(), SizeIs(1)) << form;
    EXPECT_THAT(h.messages()[0], AllOf(HasSubstr("stored"), HasSubstr("file://" + folder.path())))
        << form;
  }
}

// ---------------------------------------------------------------- what goes wrong

/// The state and the reason of one event's picture.
std::string LostBecause(EvidenceHarness* h) {
  h->Send(EventPicture(9));
  h->End();
  EXPECT_THAT(h->messages(), SizeIs(1));
  if (h->messages().empty()) return "";
  const auto message = ParseJson(h->messages()[0]);
  EXPECT_EQ(Text(ObjectOf(message), {"evidence", "crop", "state"}), "lost");
  return Text(ObjectOf(message), {"evidence", "crop", "reason"});
}

TEST(ConvEvidence, VideoThatIsNotInSystemMemoryIsNamedOnce) {
  const TemporaryFolder folder;
  for (const auto& [caps, word] : std::map<std::string, std::string>{
           {"video/x-raw(memory:NVMM),format=NV12,width=640,height=360", "memory:NVMM"},
           {"video/x-h264,width=640,height=360", "video/x-h264"},
           {"video/x-raw,format=v210,width=640,height=360,framerate=30/1", "v210"}}) {
    EvidenceHarness h("evidence=" + folder.path());
    gst_harness_set_src_caps_str(h.harness(), caps.c_str());
    EXPECT_THAT(LostBecause(&h), HasSubstr(word));
    const auto said = h.Messages();
    ASSERT_THAT(said, SizeIs(1));
    EXPECT_THAT(said[0].text, AllOf(HasSubstr("1 picture lost so far"), HasSubstr(word)));
  }
}

/// A folder with little room: a file system of 64 KB, or, where this user may mount none, a limit
/// of the process for the size of a file.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& path)
      : path_(path), mounted_(mount("tmpfs", path.c_str(), "tmpfs", 0, "size=64k") == 0) {
    if (mounted_) return;
    before_signal_ = std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit little{1024, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &little);
  }
  ~SmallDisk() {
    if (mounted_) {
      umount2(path_.c_str(), MNT_DETACH);
      return;
    }
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, before_signal_);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  const char* error() const {
    return mounted_ ? "No space left on device (make room, or set max-bytes" : "File too large";
  }

 private:
  const std::string path_;
  const bool mounted_;
  rlimit before_{};
  void (*before_signal_)(int) = nullptr;
};

TEST(ConvEvidence, AFullDiskIsNamedAndRoomMadeIsUsed) {
  const TemporaryFolder folder;
  const SmallDisk disk(folder.path());
  EvidenceHarness h("evidence=" + folder.path() + " evidence-config=pictures=frame;quality=100");
  for (unsigned number = 0; number < 40; ++number) h.Send(EventPicture(number));
  h.End();
  ASSERT_THAT(h.messages(), SizeIs(40));
  const auto last = ParseJson(h.messages().back());
  EXPECT_EQ(Text(ObjectOf(last), {"evidence", "frame", "state"}), "lost");
  EXPECT_THAT(Text(ObjectOf(last), {"evidence", "frame", "reason"}), HasSubstr(disk.error()));
  for (const auto& file : FilesIn(folder.path()))
    EXPECT_EQ(file.extension(), ".jpg") << file << ": no half-written file stays";
}

TEST(ConvEvidence, WhatIsWrongIsSaidAtTheStart) {
  const TemporaryFolder folder;
  const std::string file = folder.Write("a.txt", "");
  const std::string config = folder.Write("e.txt", "[evidence]\nqualty = 3\n");
  const std::string wrong = folder.Write("w.txt", "[evidence]\n\nquality = 300\n");
  const auto error = [](const std::string& properties) {
    ConvElement element(properties);
    EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    const auto said = element.Messages(GST_MESSAGE_ERROR);
    return said.empty() ? std::string() : said[0].text;
  };
  EXPECT_THAT(error("evidence=/proc/none"), HasSubstr("/proc/none"));
  EXPECT_THAT(error("evidence=" + file), HasSubstr("is not a folder"));
  EXPECT_THAT(error("evidence=ftp://x/y"), HasSubstr("s3://bucket/prefix"));
  EXPECT_THAT(error("evidence-config=quality=3"), HasSubstr("without evidence"));
  EXPECT_THAT(error("evidence=" + folder.path() + " evidence-config=" + wrong),
              AllOf(HasSubstr(wrong + ":3"), HasSubstr("from 1 to 100")));
  EXPECT_THAT(error("evidence=" + folder.path() + " evidence-config=tls-verify=0"),
              HasSubstr("adaptor-config"));
  EXPECT_THAT(error("evidence=" + folder.path() + " evidence-config=\"when=object.labl == 1\""),
              AllOf(HasSubstr("object.labl"), HasSubstr("object.label")));
  EXPECT_THAT(error("evidence=" + folder.path() + " evidence-config=when=object.label"),
              HasSubstr("not a condition"));
  EXPECT_THAT(error("evidence=s3://b/c"), HasSubstr("AWS_ACCESS_KEY_ID"));
  EXPECT_THAT(error("msg2p-lib=x.so payload-type=257 evidence=" + folder.path()),
              HasSubstr("msg2p-lib"));
  ConvElement unknown("evidence=" + folder.path() + " evidence-config=" + config);
  gst_element_set_state(unknown.get(), GST_STATE_PAUSED);
  const auto said = unknown.Messages(GST_MESSAGE_WARNING);
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_THAT(said[0].text, AllOf(HasSubstr(config + ":2"), HasSubstr("quality")));
}

}  // namespace
}  // namespace dsmsg_test
