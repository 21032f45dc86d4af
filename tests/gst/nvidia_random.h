// SPDX-License-Identifier: Apache-2.0
// Random batches made by NVIDIA's library, with what was put into them.
#ifndef DSMSG_TESTS_GST_NVIDIA_RANDOM_H_
#define DSMSG_TESTS_GST_NVIDIA_RANDOM_H_

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "nvidia.h"

namespace dsmsg_test::nvidia {

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  /// From 0 to `most`.
  unsigned Upto(unsigned most) { return std::uniform_int_distribution<unsigned>(0, most)(engine_); }
  bool Once(unsigned in) { return Upto(in - 1) == 0; }
  float Real(float least, float most) {
    return std::uniform_real_distribution<float>(least, most)(engine_);
  }
  uint64_t Bits() { return std::uniform_int_distribution<uint64_t>()(engine_); }
  /// As long as a label may be.
  std::string Text() {
    static const char* const kParts[] = {"a", "B", "7", " ", "-", "\"", "\\", "ü", "車", "{", "\t"};
    std::string text;
    const unsigned most = Once(8) ? 127 : Upto(12);
    while (true) {
      const std::string part = kParts[Upto(std::size(kParts) - 1)];
      if (text.size() + part.size() > most) return text;
      text += part;
    }
  }

 private:
  std::mt19937 engine_;
};

/// How many seeds to try: DSMSG_SEEDS, or `usual`.
inline unsigned Seeds(unsigned usual) {
  const char* const said = getenv("DSMSG_SEEDS");
  return said == nullptr ? usual : static_cast<unsigned>(strtoul(said, nullptr, 10));
}

struct WantedResult {
  std::string type;  // "": the classifier has none
  int32_t component;
  std::string value;
  std::string Name() const {
    return type.empty() ? "classifier" + std::to_string(component) : type;
  }
};
struct WantedObject {
  std::string id, label;
  float confidence = 0;
  float left = 0, top = 0, right = 0, bottom = 0;  // pixels of the camera
  Rectangle box{};                                 // pixels of the pipeline
  bool classified = false;                         // perhaps without a result
  std::vector<WantedResult> results;               // also empty ones
};
struct WantedFrame {
  uint32_t source = 0;
  int32_t number = 0;
  uint64_t ntp = 0;
  std::vector<WantedObject> objects;
};

inline WantedObject AddRandomObject(Random* random, Batch* batch, FrameMeta* frame,
                                    ObjectMeta** parent) {
  static const char* const kTypes[] = {"color", "make", "kind", "plate region"};
  WantedObject wanted;
  wanted.label = random->Text();
  ObjectMeta* const object =
      batch->AddObject(frame, wanted.label, random->Once(3) ? *parent : nullptr);
  *parent = object;
  object->id = random->Once(4) ? UINT64_MAX : random->Bits();
  wanted.id = object->id == UINT64_MAX ? "" : std::to_string(object->id);
  object->confidence = wanted.confidence = random->Once(5) ? -0.1F : random->Real(0, 1);
  object->component = static_cast<int32_t>(random->Upto(3));
  Rectangle& box = object->box;
  box.left = random->Real(0, 1900);
  box.top = random->Real(0, 1000);
  box.width = random->Real(0, 300);
  box.height = random->Real(0, 300);
  const float x =
      static_cast<float>(frame->source_width) / static_cast<float>(frame->pipeline_width);
  const float y =
      static_cast<float>(frame->source_height) / static_cast<float>(frame->pipeline_height);
  wanted.box = box;
  wanted.left = box.left * x;
  wanted.top = box.top * y;
  wanted.right = (box.left + box.width) * x;
  wanted.bottom = (box.top + box.height) * y;
  for (unsigned i = random->Upto(3); i > 0; --i) {
    const char* const type = kTypes[random->Upto(std::size(kTypes) - 1)];
    const bool named = !random->Once(4);
    const auto component = static_cast<int32_t>(random->Upto(9));
    ClassifierMeta* const classifier =
        batch->AddClassifier(object, component, named ? type : nullptr);
    wanted.classified = true;
    for (unsigned label = random->Upto(2); label > 0; --label) {
      const std::string result = random->Text();
      batch->AddLabel(classifier, result, random->Real(0, 1));
      wanted.results.push_back({named ? type : "", component, result});
    }
  }
  return wanted;
}

/// Fills the batch. `width` and `height`: the muxer's, for a batch that may be copied; 0: random.
inline std::vector<WantedFrame> AddRandomFrames(Random* random, Batch* batch, uint32_t width = 0,
                                                uint32_t height = 0) {
  std::vector<WantedFrame> frames;
  for (unsigned i = random->Upto(8); i > 0; --i) {
    WantedFrame wanted;
    wanted.source = random->Upto(3);
    wanted.number = static_cast<int32_t>(random->Upto(100000));
    FrameMeta* const frame = batch->AddFrame(wanted.source, wanted.number);
    frame->surface_index = random->Upto(3);
    wanted.ntp = frame->ntp = 1'705'314'600'000'000'000 + random->Bits() % 1'000'000'000'000'000;
    frame->source_width = 1 + random->Upto(4000);
    frame->source_height = 1 + random->Upto(3000);
    frame->pipeline_width = width > 0 ? width : 1 + random->Upto(2000);
    frame->pipeline_height = height > 0 ? height : 1 + random->Upto(1500);
    ObjectMeta* parent = nullptr;
    const unsigned objects = random->Once(20) ? 200 : random->Upto(6);
    for (unsigned object = 0; object < objects; ++object)
      wanted.objects.push_back(AddRandomObject(random, batch, frame, &parent));
    frames.push_back(std::move(wanted));
  }
  // The library cannot copy a batch that says this.
  if (width == 0 && random->Once(3)) batch->get()->max_frames = 0;
  return frames;
}

}  // namespace dsmsg_test::nvidia

#endif  // DSMSG_TESTS_GST_NVIDIA_RANDOM_H_
