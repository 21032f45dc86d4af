// SPDX-License-Identifier: Apache-2.0
// Real batches of which everything but pointers is altered: types, counts, sizes, ids, texts
// without an end. Whatever they contain, nothing beyond them is read (the run under
// AddressSanitizer checks it).
//
// What cannot be detected is left alone: pointers, the types of user metadata, and lists and tables
// of GLib and of C++ with their texts (of analytics only numbers are altered). Where nothing but a
// size or count itself says how much there is elsewhere in memory, it is only lowered.
// DSMSG_SEEDS=100000 tries more.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "conv_support.h"
#include "msgconv/tests/json_check.h"
#include "nvidia_findings.h"
#include "nvidia_random.h"
#include "nvmsgconv.h"
#include "sink_harness.h"
#include "support.h"

namespace dsmsg_test {
namespace {

using namespace nvidia;  // the structures

constexpr char kVideo[] = "video/x-raw,format=GRAY8,width=64,height=32,framerate=30/1";

/// What may be altered: bytes without pointers.
struct Field {
  unsigned char* at;
  size_t size;
  bool only_down = false;  // a count of 4 bytes
};

/// A batch and those of its fields that may be altered.
class Victim {
 public:
  explicit Victim(bool audio) : batch_(8, audio) {
    BatchMeta* const meta = batch_.get();
    Add(meta, 8, 4);
    Add(meta, 40, 8);
    for (const int pool : {0, 1}) {
      if (meta->pools[pool] != nullptr) Add(meta->pools[pool], 0, 20);
    }
  }
  virtual ~Victim() = default;
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;

  GstBuffer* Attach() { return batch_.Attach(Picture()); }

  void Alter(Random* random) {
    for (unsigned i = 1 + random->Upto(7); i > 0; --i) {
      const Field& field = fields_[random->Upto(static_cast<unsigned>(fields_.size()) - 1)];
      undo_.emplace_back(field.at, std::vector<unsigned char>(field.at, field.at + field.size));
      if (field.only_down) {
        uint32_t count;
        memcpy(&count, field.at, sizeof(count));
        count = count == 0 ? 0 : random->Upto(count - 1);
        memcpy(field.at, &count, sizeof(count));
      } else {
        AlterBytes(random, field);
      }
    }
  }
  /// Before the library looks at it again.
  void Undo() {
    for (auto each = undo_.rbegin(); each != undo_.rend(); ++each)
      memcpy(each->first, each->second.data(), each->second.size());
    undo_.clear();
  }

 protected:
  void Add(void* structure, size_t offset, size_t size, bool only_down = false) {
    fields_.push_back({static_cast<unsigned char*>(structure) + offset, size, only_down});
  }

  void AddClassifiers(GList* classifiers) {
    for (GList* node = classifiers; node != nullptr; node = node->next) {
      auto* const classifier = static_cast<ClassifierMeta*>(node->data);
      Add(classifier, 8, 4);
      Add(classifier, 40, 8);
      for (GList* label = classifier->label_list; label != nullptr; label = label->next) {
        Add(label->data, 8, 4);
        Add(label->data, 40, 132);
        Add(label->data, 184, 12);
      }
    }
  }

  Batch batch_;

 private:
  static void AlterBytes(Random* random, const Field& field) {
    static const uint32_t kNasty[] = {0, 1,  2,   3,          5,          6,
                                      8, 25, 127, 0x7FFFFFFF, 0x80000000, UINT32_MAX};
    switch (random->Upto(2)) {
      case 0:
        field.at[random->Upto(static_cast<unsigned>(field.size) - 1)] =
            static_cast<unsigned char>(random->Upto(255));
        break;
      case 1: {
        const uint32_t value = kNasty[random->Upto(std::size(kNasty) - 1)];
        const unsigned place = random->Upto(static_cast<unsigned>(field.size / 4) - 1) * 4;
        memcpy(field.at + place, &value, sizeof(value));
        break;
      }
      default:  // a text without an end
        memset(field.at, 'x', field.size);
    }
  }

  std::vector<Field> fields_;
  std::vector<std::pair<unsigned char*, std::vector<unsigned char>>> undo_;
};

/// Pictures with everything that is read.
class Pictures : public Victim {
 public:
  explicit Pictures(Random* random) : Victim(false) {
    AddRandomFrames(random, &batch_);
    for (GList* node = batch_.get()->frame_list; node != nullptr; node = node->next)
      AddFrame(random, static_cast<FrameMeta*>(node->data));
  }

 private:
  void AddFrame(Random* random, FrameMeta* frame) {
    Add(frame, 8, 4);
    Add(frame, 40, 64);
    Add(frame, 160, 12);
    blob_ = {text_, sizeof(text_) - 1};
    batch_.AddUser(frame, kCustomBlob, &blob_);
    Add(&blob_, 8, 4);
    batch_.AddUser(frame, kSegmentation, &segmentation_);
    Add(&segmentation_.width, 0, 4, true);
    Add(&segmentation_.height, 0, 4, true);
    batch_.AddUser(frame, kPayload, &payload_);
    Add(&payload_.size, 0, 4, true);
    Add(&payload_.component, 0, 4);
    batch_.AddUser(frame, kFrameAnalytics, &counts_);
    Add(&counts_.zones["gate"], 0, 4);
    Add(&counts_.lines["exit"], 0, 8);
    Add(&counts_.line_totals["exit"], 0, 8);
    Add(&counts_.classes[2], 0, 4);
    AddEvent(random, frame);
    for (GList* node = frame->object_list; node != nullptr; node = node->next)
      AddObject(random, static_cast<ObjectMeta*>(node->data));
  }

  void AddObject(Random* random, ObjectMeta* object) {
    Add(object, 8, 4);
    Add(object, 48, 56);
    Add(object, offsetof(ObjectMeta, box), sizeof(Rectangle));
    Add(object, offsetof(ObjectMeta, label), 128);
    if (random->Once(2)) {
      object->mask.data = static_cast<float*>(g_malloc0(64 * sizeof(float)));
      object->mask.size = 64 * sizeof(float);
      object->mask.width = object->mask.height = 8;
    }
    Add(object, offsetof(ObjectMeta, mask.size), 4, true);
    Add(object, offsetof(ObjectMeta, mask.threshold), 12);
    batch_.AddUser(object, kConvexHull, &hull_);
    batch_.AddUser(object, kReid, &reid_);
    batch_.AddUser(object, kBox3d, numbers_.data());
    batch_.AddUser(object, kVisibility, numbers_.data());
    batch_.AddUser(object, kImageFoot, feet_.data());
    batch_.AddUser(object, kWorldFoot, feet_.data() + 2);
    Add(feet_.data(), 0, sizeof(feet_));
    Add(numbers_.data(), 0, sizeof(numbers_));
    Add(&hull_.allocated, 0, 4, true);
    Add(&hull_.count, 0, 4);
    Add(&reid_.count, 0, 4, true);
    AddClassifiers(object->classifiers);
  }

  void AddEvent(Random* random, FrameMeta* frame) {
    auto room = std::make_unique<std::array<char, 14336>>();
    room->fill(0);
    auto* const event = reinterpret_cast<NvDsEventMsgMeta*>(room->data());
    event->objType = static_cast<NvDsObjectType>(random->Upto(12));
    event->ts = event->objectId = event->sensorStr = text_;
    event->objSignature.signature = signature_.data();
    event->objSignature.size = static_cast<unsigned>(signature_.size());
    // Where 9.x has them.
    const auto set = [&room](size_t offset, const auto& value) {
      memcpy(room->data() + offset, &value, sizeof(value));
    };
    set(13848, static_cast<void*>(person_.data()));
    set(13856, 64U);
    set(13864, NvDsJoints{joints_.data(), static_cast<int>(joints_.size()), 1});
    set(13880, NvDsEmbedding{numbers_.data(), 12});
    set(13896, true);
    batch_.AddUser(frame, kEvent, event);
    Add(event, 0, 72);
    Add(event, 80, 4, true);
    Add(event, 88, 40);
    Add(event, 13856, 4, true);
    Add(event, 13872, 4, true);
    Add(event, 13876, 4);
    Add(event, 13888, 4, true);
    Add(event, 13896, 24);
    AddFindings(room->data());
    events_.push_back(std::move(room));
  }

  void AddFindings(char* event) {
    findings_.Attach(event);
    Add(event, FoundInScene::kSources, FoundInScene::kSourceBytes);
    Add(event, FoundInScene::kSourceCount, 4);
    for (const size_t count : FoundInScene::kCounts) Add(event, count, 4, true);
    for (uint32_t* count : findings_.Counts()) Add(count, 0, 4, true);
    Add(&findings_.fov.count, 0, 4);
    Add(&findings_.congestion.amount, 0, 4);
  }

  struct Segmentation {
    uint32_t classes, width, height;
    const int32_t* map;
    float* probabilities;
    void* context;
    int32_t id;
  };
  struct FrameAnalytics {
    std::unordered_map<std::string, bool> crowded;
    std::unordered_map<std::string, uint32_t> zones;
    std::unordered_map<std::string, uint64_t> lines, line_totals;
    unsigned id;
    std::unordered_map<int, uint32_t> classes;
  };
  struct Hull {
    int* points;
    uint32_t allocated, count;
  };
  struct Reid {
    uint32_t count;
    float *host, *device;
  };

  std::vector<std::unique_ptr<std::array<char, 14336>>> events_;
  char text_[16] = "a text";
  CustomBlob blob_{};
  std::array<int32_t, 12> map_ = {0, 1, -1};
  Segmentation segmentation_ = {3, 4, 3, map_.data(), nullptr, nullptr, 1};
  char digits_[8] = "1234567";  // JSON, however much is cut off
  Payload payload_ = {digits_, 7, 0};
  FrameAnalytics counts_ = {{{"gate", true}}, {{"gate", 3}}, {{"exit", 2}}, {{"exit", 40}}, 0,
                            {{2, 5}}};
  FoundInScene findings_;
  std::array<float, 4> feet_{};
  std::array<int, 8> points_{};
  Hull hull_{points_.data(), 4, 2};
  std::array<float, 12> numbers_{};
  Reid reid_{12, numbers_.data(), nullptr};
  std::array<double, 4> signature_{};
  std::array<NvDsJoint, 34> joints_{};
  // NULL where a structure of another class would have its mask.
  std::array<char*, 9> person_{text_, text_, text_};
};

/// Sound.
class Sounds : public Victim {
 public:
  explicit Sounds(Random* random) : Victim(true) {
    for (unsigned i = random->Upto(4); i > 0; --i) {
      AudioFrameMeta* const frame = batch_.AddSound(random->Upto(3), random->Text());
      ClassifierMeta* const classifier = Get().acquire_classifier_meta_from_pool(batch_.get());
      batch_.AddLabel(classifier, random->Text());
      Get().add_classifier_meta_to_audio_frame(frame, classifier);
      Add(frame, 8, 4);
      Add(frame, 40, 196);
      AddClassifiers(frame->classifiers);
    }
  }
};

/// A scene in space, as a detector leaves it on the batch.
class Scene : public Victim {
 public:
  explicit Scene(Random* random) : Victim(false), room_(71240) {
    for (unsigned i = random->Upto(3); i > 0; --i) batch_.AddFrame(i);
    const uint32_t count = random->Upto(5);
    memcpy(room_.data() + 57600, &count, sizeof(count));
    batch_.AddUser(batch_.get(), kSparse4d, room_.data());
    Add(room_.data(), 0, 52);
    Add(room_.data(), 72, 8);
    Add(room_.data(), 57600, 24);
  }

 private:
  std::vector<char> room_;
};

std::unique_ptr<Victim> Make(Random* random) {
  if (random->Once(8)) return std::make_unique<Sounds>(random);
  if (random->Once(8)) return std::make_unique<Scene>(random);
  return std::make_unique<Pictures>(random);
}

TEST(NvidiaFuzz, NothingBeyondABatchIsReadWhateverItSays) {
  std::vector<std::unique_ptr<ConvHarness>> converters;
  for (const char* type : {"deepstream", "minimal", "protobuf"}) {
    for (const char* api : {"true", "false"}) {
      for (const char* dialect : {"dsmsg", "deepstream"}) {
        converters.push_back(
            std::make_unique<ConvHarness>(std::string("frame-interval=1 payload-type=") + type +
                                          " msg2p-newapi=" + api + " dialect=" + dialect));
      }
    }
  }
  Fake fake;
  SinkHarness sink(fake.proto_lib() + " conn-str=h;1", kVideo);
  const unsigned seeds = Seeds(300);
  size_t messages = 0;
  for (unsigned seed = 0; seed < seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const std::unique_ptr<Victim> victim = Make(&random);
    GstBuffer* buffer = victim->Attach();
    victim->Alter(&random);
    for (const auto& converter : converters) buffer = converter->Push(buffer);
    for (const DsmsgPayloadMeta* meta : MetasOf(buffer)) {
      ++messages;
      if (meta->content_type == DSMSG_CONTENT_JSON) ParseJson(TextOf(*meta));
    }
    gst_buffer_ref(buffer);
    ASSERT_EQ(sink.Push(buffer), GST_FLOW_OK);
    victim->Undo();
    gst_buffer_unref(buffer);
    if (HasFailure()) return;
  }
  EXPECT_GT(messages, seeds);  // most alterations leave the rest readable
}

}  // namespace
}  // namespace dsmsg_test
