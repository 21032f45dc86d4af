// SPDX-License-Identifier: Apache-2.0
// DeepStream's metadata of releases whose library is not available: a GstMeta and structures of the
// same layout, made by the test. nvidia_test.cc has NVIDIA's own.
#include <gmock/gmock.h>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "conv_support.h"
#include "dsmsg_meta.h"
#include "msgconv/meta_reader.h"
#include "msgconv/tests/json_check.h"
#include "nvmsgconv.h"
#include "sink_harness.h"
#include "support.h"

namespace dsmsg_test {
namespace {

using dsmsg::msgconv::DeepStream;
using dsmsg::msgconv::Frame;
using dsmsg::msgconv::MetaReader;
using dsmsg::msgconv::Object;
using dsmsg::msgconv::Release;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// The structures of a release, written out so that the compiler finds the offsets.
struct Base {
  void* batch = nullptr;
  int type = 0;
  void *context = nullptr, *copy = nullptr, *release = nullptr;
};
struct Pool {
  int type = 0;
  guint most = 4, element_size = 0, empty = 4, full = 0;
  GList *empty_list = nullptr, *full_list = nullptr;
};
struct Batch {
  Base base;
  guint max_frames = 4, frames = 0;
  Pool* pools[6] = {};
  GList *frame_list = nullptr, *user_list = nullptr;
  GRecMutex mutex = {};
};
struct FrameMeta {
  Base base;
  guint pad = 0, batch_id = 0;
  int number = 17;
  guint64 pts = 0, ntp = 1'705'314'600'123'000'000;
  guint source = 0;
  int surfaces = 1;
  guint source_width = 128, source_height = 64, surface_type = 0, surface_index = 0, objects = 1;
  int infer_done = 1;
  GList *object_list = nullptr, *display_list = nullptr, *user_list = nullptr;
  gint64 misc[4] = {};
  guint pipeline_width = 64, pipeline_height = 32;
  // From 8.0 on.
  guint sensor_source = 0;
  const char *sensor_uri = nullptr, *sensor_id = nullptr, *sensor_name = nullptr;
};
struct Color {
  double rgba[4] = {};
};
struct ObjectMeta {
  Base base;
  void* parent = nullptr;
  int component = 1, class_id = 2;
  guint64 id = 9;
  float detector_box[4] = {}, tracker_box[4] = {};
  float confidence = 0.5F, tracker_confidence = 1;
  struct {
    float left = 4, top = 2, width = 8, height = 6;
    guint border_width = 0;
    Color border;
    guint has_background = 0, reserved = 0;
    Color background;
    int has_color_info = 0, color_id = 0;
  } rectangle;
  struct {
    float* data = nullptr;
    guint size = 0;
    float threshold = 0;
    guint width = 0, height = 0;
  } mask;
  struct {
    char* text = nullptr;
    guint x = 0, y = 0;
    char* font = nullptr;
    guint font_size = 0;
    Color font_color;
    int has_background = 0;
    Color background;
  } text;
  char label[128] = "truck";
  GList *classifiers = nullptr, *user_list = nullptr;
};
struct Classifier {
  Base base;
  guint labels = 1;
  int component = 3;
  GList* label_list = nullptr;
  const char* type = nullptr;
};
struct Label {
  Base base;
  guint classes = 1;
  char result[128] = "blue";
  char* long_result = nullptr;
  guint class_id = 0, label_id = 0;
  float probability = 0.5F;
};
struct User {
  Base base;
  void* data = nullptr;
};
struct Payload {
  const void* bytes = nullptr;
  guint size = 0, component = 0;
};
struct GstDsMeta {
  GstMeta meta;
  void *data, *user;
  int type;
  void* functions[4];
};

const GstMetaInfo* Info() {
  static const GstMetaInfo* const info = [] {
    static const gchar* tags[] = {"nvdsmeta", nullptr};
    const GType api = gst_meta_api_type_register("FakeNvDsMetaAPI", tags);
    return gst_meta_register(
        api, "FakeNvDsMeta", sizeof(GstDsMeta),
        [](GstMeta* meta, gpointer, GstBuffer*) -> gboolean {
          std::memset(meta + 1, 0, sizeof(GstDsMeta) - sizeof(GstMeta));
          return TRUE;
        },
        [](GstMeta*, GstBuffer*) {},
        [](GstBuffer*, GstMeta*, GstBuffer*, GQuark, gpointer) -> gboolean { return TRUE; });
  }();
  return info;
}

// The sizes of the structures that the batches of a family of releases declare.
struct Sizes {
  guint frame, object;
};
constexpr Sizes k6To7{200, 544}, k8{232, 544}, k9{232, 552};

/// One batch with one frame, one object with a classifier's result, and one payload.
class FakeBatch {
 public:
  explicit FakeBatch(Sizes sizes = k6To7) {
    frame_pool.type = 2;
    frame_pool.element_size = sizes.frame;
    object_pool.type = 3;
    object_pool.element_size = sizes.object;
    batch.pools[0] = &frame_pool;
    batch.pools[1] = &object_pool;
    for (Base* base :
         {&batch.base, &frame.base, &object.base, &classifier.base, &label.base, &user.base})
      base->batch = &batch;
    batch.base.type = 1;
    frame.base.type = 2;
    object.base.type = 3;
    classifier.base.type = 5;
    label.base.type = 6;
    user.base.type = 8;
    payload.bytes = text.data();
    payload.size = static_cast<guint>(text.size());
    payload.component = 7;
    user.data = &payload;
    batch.frames = 1;
    batch.frame_list = g_list_append(nullptr, &frame);
    frame.source = 3;
    frame.object_list = g_list_append(nullptr, &object);
    frame.user_list = g_list_append(nullptr, &user);
    object.classifiers = g_list_append(nullptr, &classifier);
    classifier.label_list = g_list_append(nullptr, &label);
  }
  ~FakeBatch() {
    for (GList* list : {batch.frame_list, frame.object_list, frame.user_list, object.classifiers,
                        classifier.label_list})
      g_list_free(list);
  }
  FakeBatch(const FakeBatch&) = delete;
  FakeBatch& operator=(const FakeBatch&) = delete;

  GstBuffer* Buffer() {
    GstBuffer* buffer = Picture();
    auto* meta = reinterpret_cast<GstDsMeta*>(gst_buffer_add_meta(buffer, Info(), nullptr));
    meta->type = 4097;
    meta->data = &batch;
    return buffer;
  }

  Pool frame_pool, object_pool;
  Batch batch;
  FrameMeta frame;
  ObjectMeta object;
  Classifier classifier;
  Label label;
  User user;
  Payload payload;
  std::string text = std::string("{\"theirs\": 1}\0x", 15);
};

constexpr char kVideo[] = "video/x-raw,format=GRAY8,width=64,height=32,framerate=30/1";
constexpr char kEveryFrame[] = "msg2p-newapi=true frame-interval=1 ";

TEST(DeepStream, TheSinkSendsPayloadsOfTheOtherConverter) {
  Fake fake;
  FakeBatch batch;
  SinkHarness h(fake.proto_lib() + " conn-str=h;1 comp-id=7", kVideo);
  ASSERT_EQ(h.Push(batch.Buffer()), GST_FLOW_OK);
  batch.payload.component = 8;
  ASSERT_EQ(h.Push(batch.Buffer()), GST_FLOW_OK);
  ASSERT_TRUE(h.PushEos());
  ASSERT_EQ(fake.Sent(), 1U);
  EXPECT_EQ(fake.With([](fake::State& c) { return c.messages[0].payload; }), batch.text);
  EXPECT_EQ(Stat(h.sink(), "filtered"), 1U);
}

void ObjectsBecomeMessages(Sizes sizes, const char* note) {
  FakeBatch batch(sizes);
  ConvHarness h(kEveryFrame);
  GstBuffer* out = h.Push(batch.Buffer());
  const auto metas = MetasOf(out);
  ASSERT_THAT(metas, SizeIs(1));
  EXPECT_EQ(metas[0]->source_id, 3U);
  EXPECT_EQ(metas[0]->component_id, 1U);
  const auto document = ParseJson(TextOf(*metas[0]));
  EXPECT_EQ(Text(document, {"object", "id"}), "9");
  EXPECT_EQ(Text(document, {"object", "vehicle", "type"}), "truck");
  EXPECT_THAT(TextOf(*metas[0]), HasSubstr("blue"));
  EXPECT_EQ(Text(document, {"@timestamp"}), "2024-01-15T10:30:00.123Z");
  // Scaled to the camera's own size.
  EXPECT_EQ(Number(document, {"object", "bbox", "topleftx"}), 8);
  EXPECT_EQ(Number(document, {"object", "bbox", "bottomrighty"}), 16);
  gst_buffer_unref(out);
  const auto said = h.Messages();
  ASSERT_THAT(said, SizeIs(note == nullptr ? 0 : 1));
  if (note == nullptr) return;
  EXPECT_EQ(said[0].type, GST_MESSAGE_INFO);
  EXPECT_THAT(said[0].text, HasSubstr(note));
}
TEST(DeepStream, ObjectsOf6And7BecomeMessages) { ObjectsBecomeMessages(k6To7, nullptr); }
TEST(DeepStream, ObjectsOf8BecomeMessagesWithAWarning) {
  ObjectsBecomeMessages(k8, "DeepStream 8.0, which was never tested");
}

TEST(DeepStream, AttachedEventsAreConvertedWithoutTheNewApi) {
  for (const Sizes sizes : {k6To7, k8, k9}) {
    FakeBatch batch(sizes);
    // As long as the longest of all releases; everything after the common head stays empty.
    std::vector<char> room(16384);
    auto* event = reinterpret_cast<NvDsEventMsgMeta*>(room.data());
    char label[] = "car", time[] = "2024-01-15T10:30:00.123Z";
    event->type = NVDS_EVENT_STOPPED;
    event->objType = NVDS_OBJECT_TYPE_VEHICLE;
    event->bbox.left = 4;
    event->trackingId = 77;
    event->objectId = label;
    event->ts = time;
    batch.user.base.type = 9;
    batch.user.data = event;
    ConvHarness h("");
    GstBuffer* out = h.Push(batch.Buffer());
    const auto metas = MetasOf(out);
    ASSERT_THAT(metas, SizeIs(1)) << sizes.frame << " " << sizes.object;
    EXPECT_EQ(metas[0]->source_id, 3U);
    const auto document = ParseJson(TextOf(*metas[0]));
    EXPECT_EQ(Text(document, {"event", "type"}), "stopped");
    EXPECT_EQ(Text(document, {"object", "id"}), "77");
    EXPECT_TRUE(At(document, {"object"}).HasMember("vehicle"));
    EXPECT_EQ(Text(document, {"@timestamp"}), time);
    gst_buffer_unref(out);
  }
}

TEST(DeepStream, TheSensorOfAnEventIsThatOfItsFrameOnly) {
  ConvHarness h("payload-type=minimal");
  {
    FakeBatch batch;
    std::vector<char> room(16384);
    auto* event = reinterpret_cast<NvDsEventMsgMeta*>(room.data());
    std::string sensor = "a sensor with a name that is long enough for memory of its own";
    event->sensorStr = sensor.data();
    batch.user.base.type = 9;
    batch.user.data = event;
    const auto payloads = h.Payloads(batch.Buffer());
    ASSERT_THAT(payloads, SizeIs(1));
    EXPECT_EQ(Text(ParseJson(payloads[0]), {"sensorId"}), sensor);
  }
  GstBuffer* buffer = Picture();
  dsmsg_buffer_add_event(buffer, "entry", "car");
  const auto payloads = h.Payloads(buffer);
  ASSERT_THAT(payloads, SizeIs(1));
  EXPECT_EQ(Text(ParseJson(payloads[0]), {"sensorId"}), "0");
}

TEST(DeepStream, UntrackedAndUnsureObjects) {
  FakeBatch batch;
  batch.object.id = G_MAXUINT64;
  batch.object.confidence = -0.1F;
  ConvHarness h(kEveryFrame);
  EXPECT_EQ(Text(ParseJson(h.Payloads(batch.Buffer()).at(0)), {"object", "id"}), "");
  ConvHarness sure(std::string(kEveryFrame) + "min-confidence=0.1");
  EXPECT_THAT(sure.Payloads(batch.Buffer()), IsEmpty());
}

TEST(DeepStream, UnknownSizesAreRefusedAndNamed) {
  {
    FakeBatch batch({232, 560});
    ConvHarness h(kEveryFrame);
    for (int i = 0; i < 3; ++i) EXPECT_THAT(h.Payloads(batch.Buffer()), IsEmpty());
    const auto said = h.Messages(GST_MESSAGE_WARNING);
    ASSERT_THAT(said, SizeIs(1));
    EXPECT_THAT(said[0].text, AllOf(HasSubstr("objects have 560 bytes"), HasSubstr("6.0 to 7.1")));
    // Payloads do not depend on the objects' layout.
    Fake fake;
    SinkHarness sink(fake.proto_lib() + " conn-str=h;1", kVideo);
    ASSERT_EQ(sink.Push(batch.Buffer()), GST_FLOW_OK);
    ASSERT_TRUE(sink.PushEos());
    EXPECT_EQ(fake.Sent(), 1U);
  }
  Fake fake;
  FakeBatch batch({240, 552});
  SinkHarness h(fake.proto_lib() + " conn-str=h;1", kVideo);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(h.Push(batch.Buffer()), GST_FLOW_OK);
  EXPECT_THAT(h.Text(GST_MESSAGE_WARNING, 0).text, HasSubstr("frames have 240 bytes"));
  EXPECT_FALSE(h.Text(GST_MESSAGE_WARNING, 0));
  EXPECT_EQ(fake.Sent(), 0U);
}

// ---------------------------------------------------------------- user metadata of each release

struct Reid {
  guint count;
  const float *host, *device;
};
struct ReidBatch {
  guint count, objects;
  const float *host, *device;
  void* context;
};
// nvdsanalytics of an object, without the state that follows from 6.3 on.
struct Analytics {
  std::vector<std::string> zones, crowded_zones, lines;
  std::string direction;
  guint id = 0;
};
struct AnalyticsWithState : Analytics {
  std::string state;
};

/// What a batch of this release has beside its objects, attached under the release's numbers.
class Attached {
 public:
  Attached(int blob_type, int reid_type, const void* reid) {
    batch_.user.base.type = blob_type;
    batch_.user.data = &blob_;
    Add(reid_type, reid, &batch_.object.user_list);
    Add(20, &visibility_, &batch_.object.user_list);
    Add(8201, &analytics_, &batch_.object.user_list);
    Add(16, &embeddings_, &batch_.batch.user_list);
    analytics_.zones = {"dock"};
    analytics_.direction = "South";
    analytics_.state = "waiting";
  }
  ~Attached() {
    g_list_free(batch_.object.user_list);
    g_list_free(batch_.batch.user_list);
  }
  Attached(const Attached&) = delete;
  Attached& operator=(const Attached&) = delete;

  /// As it is read where DeepStream is of this release.
  Frame Read(std::optional<Release> release) {
    reader_.emplace(DeepStream{true, k6To7.frame, k6To7.object, release, "test", 8200, 8201});
    Frame frame;
    EXPECT_TRUE(reader_->Open(&batch_.batch).ok());
    const dsmsg::Status status = reader_->ReadObjects(0, &frame);
    EXPECT_TRUE(status.ok()) << status.message();
    return frame;
  }

 private:
  void Add(int type, const void* data, GList** list) {
    User& user = users_.emplace_back();
    user.base.batch = &batch_.batch;
    user.base.type = type;
    user.data = const_cast<void*>(data);
    *list = g_list_append(*list, &user);
  }

  FakeBatch batch_;
  std::deque<User> users_;
  Payload blob_ = {"a message", 9, 0};
  float visibility_ = 0.5F;
  AnalyticsWithState analytics_;
  const float numbers_[4] = {1, 2, 3, 4};
  ReidBatch embeddings_ = {2, 2, numbers_, nullptr, nullptr};
  std::optional<MetaReader> reader_;
};

TEST(DeepStream, UserMetadataHasTheNumbersOfItsRelease) {
  const gint32 second = 1;
  const float own[] = {7, 8, 9};
  const Reid reid = {3, own, nullptr};
  struct Case {
    Release release;
    int blob;
    size_t embedding;  // numbers of it
    bool track, state;
  };
  for (const Case& c : {Case{{6, 0}, 20, 0, false, false}, Case{{6, 2}, 20, 0, false, false},
                        Case{{6, 3}, 22, 2, false, true}, Case{{6, 4}, 28, 2, true, true},
                        Case{{7, 0}, 28, 3, true, true}, Case{{7, 1}, 28, 3, true, true}}) {
    SCOPED_TRACE(dsmsg::msgconv::Text(c.release));
    Attached attached(c.blob, 17,
                      c.release < Release{7, 0} ? static_cast<const void*>(&second) : &reid);
    const Frame frame = attached.Read(c.release);
    EXPECT_THAT(Frame::Part(frame.texts, frame.custom_messages), ElementsAre("a message"));
    const Object& object = frame.objects.at(0);
    const auto embedding = Frame::Part(frame.numbers, object.embedding);
    ASSERT_THAT(embedding, SizeIs(c.embedding));
    if (c.embedding > 0) {
      EXPECT_EQ(embedding[0], c.embedding == 2 ? 3 : 7);
    }
    EXPECT_EQ(object.track3d.count, c.track ? 1U : 0U);
    EXPECT_THAT(Frame::Part(frame.texts, object.zones), ElementsAre("dock"));
    EXPECT_EQ(object.heading, "South");
    EXPECT_EQ(object.state, c.state ? "waiting" : "");
  }
  // Nothing whose number may mean something else.
  Attached attached(20, 17, &reid);
  for (const std::optional<Release> unknown :
       {std::optional<Release>(), std::optional<Release>({9, 1})}) {
    const Frame frame = attached.Read(unknown);
    EXPECT_EQ(frame.custom_messages.count, 0U);
    EXPECT_EQ(frame.objects.at(0).embedding.count + frame.objects[0].track3d.count, 0U);
    EXPECT_EQ(frame.objects[0].heading, "South");
    EXPECT_EQ(frame.objects[0].state, "");
  }
}

// Environment variables cannot change what is read.
TEST(DeepStream, AnEnvironmentVariableChangesNothing) {
  setenv("DSMSG_DEEPSTREAM_VERSION", "9.1", 1);
  FakeBatch batch;
  ConvHarness h(kEveryFrame);
  EXPECT_THAT(h.Payloads(batch.Buffer()).at(0), HasSubstr("truck"));
  unsetenv("DSMSG_DEEPSTREAM_VERSION");
}

TEST(DeepStream, WhatDoesNotLookRightIsNotTouched) {
  const std::function<void(FakeBatch&)> breaks[] = {
      [](FakeBatch& b) { b.batch.base.batch = &b.frame; },
      [](FakeBatch& b) { b.batch.base.type = 2; },
      [](FakeBatch& b) { b.batch.frames = 9; },
      [](FakeBatch& b) { b.batch.frames = 0; },
      [](FakeBatch& b) { b.batch.pools[0] = nullptr; },
      [](FakeBatch& b) { b.batch.pools[1] = nullptr; },
      [](FakeBatch& b) { b.frame_pool.type = 3; },
      [](FakeBatch& b) { b.frame.base.batch = nullptr; },
      [](FakeBatch& b) { b.frame.base.type = 3; },
      [](FakeBatch& b) { b.batch.frame_list->data = reinterpret_cast<void*>(8); },
      [](FakeBatch& b) { b.user.base.batch = &b.frame; },
      [](FakeBatch& b) { b.user.data = reinterpret_cast<void*>(3); },
  };
  int number = 0;
  for (const auto& change : breaks) {
    Fake fake;
    FakeBatch batch;
    change(batch);
    SinkHarness h(fake.proto_lib() + " conn-str=h;1", kVideo);
    ASSERT_EQ(h.Push(batch.Buffer()), GST_FLOW_OK);
    EXPECT_THAT(h.Text(GST_MESSAGE_WARNING, 0).text,
                HasSubstr("contradicts itself or does not have"))
        << number;
    EXPECT_EQ(fake.Sent(), 0U) << number;
    ++number;
  }
}

}  // namespace
}  // namespace dsmsg_test
