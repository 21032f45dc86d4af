// SPDX-License-Identifier: Apache-2.0
#include "msgconv/box3d_reader.h"

#include <cstring>

#include "msgconv/deepstream_memory.h"
#include "msgconv/model_parts.h"

namespace dsmsg::msgconv {
namespace {

namespace ds = deepstream;
using ds::Address;
using ds::At;

constexpr uint32_t kMostFeatures = 1 << 16;  // more cannot be meant

bool AddFeatures(Address features, Frame* frame, Box3d* box) {
  const auto* values = At<const float*>(features, ds::embedding::kValues);
  const auto count = At<uint32_t>(features, ds::embedding::kCount);
  if (count > kMostFeatures) return false;
  if (values == nullptr) return true;
  box->embedding = {static_cast<uint32_t>(frame->numbers.size()), count};
  frame->numbers.resize(frame->numbers.size() + count);
  if (count > 0)
    std::memcpy(frame->numbers.data() + box->embedding.first, values, count * sizeof(float));
  return true;
}

}  // namespace

bool ReadBox3d(const void* from, size_t size, std::deque<std::string>* names, Frame* frame,
               Object* object) {
  const auto data = static_cast<Address>(from);
  Box3d box;
  std::memcpy(box.values.data(), data, sizeof(box.values));
  box.confidence = At<float>(data, ds::box3d::kScore);
  object->id = At<uint32_t>(data, ds::box3d::kId);
  if (const auto label = ds::TextAt(data, ds::box3d::kLabel); !label.empty()) object->label = label;
  object->confidence = box.confidence;
  object->first_attribute = static_cast<uint32_t>(frame->attributes.size());
  const std::string& confidence =
      names->emplace_back(std::to_string(At<float>(data, ds::box3d::kConfidence)));
  frame->attributes.push_back({"classConfidence", confidence, {}});
  if (size > ds::box3d::kText) {
    if (const auto text = ds::TextAt(data, ds::box3d::kText); !text.empty())
      frame->attributes.push_back({"ocrId", text, {}});
  }
  object->attribute_count =
      static_cast<uint32_t>(frame->attributes.size()) - object->first_attribute;
  const auto features = At<Address>(data, ds::box3d::kFeatures);
  const bool wanted = ds::Plausible(features) &&
                      IsNamed(ds::TextAt(data, ds::box3d::kEmbeddingFilter), object->label);
  if (wanted && !AddFeatures(features, frame, &box)) return false;
  object->box3d = {static_cast<uint32_t>(frame->boxes3d.size()), 1};
  frame->boxes3d.push_back(box);
  return true;
}

}  // namespace dsmsg::msgconv
