// SPDX-License-Identifier: Apache-2.0
// MetaReader: objects, and what is attached to them and to frames.
#include <algorithm>
#include <array>
#include <cmath>

#include "msgconv/box3d_reader.h"
#include "msgconv/deepstream_analytics.h"
#include "msgconv/deepstream_memory.h"
#include "msgconv/findings_reader.h"
#include "msgconv/meta_reader.h"

namespace dsmsg::msgconv {

namespace ds = deepstream;
using ds::Address;
using ds::At;
using ds::Plausible;

namespace {

// More cannot be meant.
constexpr uint32_t kMostNumbers = 1 << 16;  // of an embedding, of points
constexpr uint32_t kMostPixels = 1 << 24;   // of a mask
constexpr uint32_t kLongestText = 1 << 24;  // of a custom message

template <class T>
Range Append(Address values, uint32_t count, std::vector<T>* list) {
  const Range range{static_cast<uint32_t>(list->size()), count};
  list->resize(list->size() + count);
  if (count > 0) std::memcpy(list->data() + range.first, values, count * sizeof(T));
  return range;
}

/// The tracker's knowledge about the object, made on first use.
Track3d& TrackOf(Frame* to, Object* object) {
  if (object->track3d.count == 0) {
    object->track3d = {static_cast<uint32_t>(to->tracks3d.size()), 1};
    to->tracks3d.emplace_back();
  }
  return to->tracks3d[object->track3d.first];
}

Range AddHull(Address data, Frame* to) {
  const auto points = At<Address>(data, ds::hull::kPoints);
  const Range range{static_cast<uint32_t>(to->points.size()), At<uint32_t>(data, ds::hull::kCount)};
  for (size_t i = 0; i < range.count; ++i) {
    const auto xy = At<std::array<int32_t, 2>>(points, i * 2 * sizeof(int32_t));
    to->points.push_back({static_cast<float>(xy[0]), static_cast<float>(xy[1])});
  }
  return range;
}

bool HullLooksRight(Address data) {
  const auto count = At<uint32_t>(data, ds::hull::kCount);
  return count <= kMostNumbers && count <= At<uint32_t>(data, ds::hull::kAllocated) &&
         (count == 0 || At<Address>(data, ds::hull::kPoints) != nullptr);
}

bool AddReid(Address data, Frame* to, Object* object) {
  const auto count = At<uint32_t>(data, ds::reid::kCount);
  const auto values = At<Address>(data, ds::reid::kValues);
  if (count > kMostNumbers) return false;
  if (values != nullptr) object->embedding = Append<float>(values, count, &to->numbers);
  return true;
}

/// In the batch's embeddings, at the place that the object has.
bool AddReidOf(Address batch, Address place, Frame* to, Object* object) {
  if (batch == nullptr) return true;
  const auto index = At<int32_t>(place, 0);
  const auto count = At<uint32_t>(batch, ds::reid::kCount);
  const auto values = At<Address>(batch, ds::reid::kValues);
  if (index < 0 || values == nullptr) return true;
  if (count > kMostNumbers ||
      static_cast<uint32_t>(index) >= At<uint32_t>(batch, ds::reid::kObjects))
    return false;
  const size_t first = static_cast<size_t>(index) * count * sizeof(float);
  object->embedding = Append<float>(values + first, count, &to->numbers);
  return true;
}

bool AddSegmentation(Address data, Frame* to) {
  const auto width = At<uint32_t>(data, ds::segmentation::kWidth);
  const auto height = At<uint32_t>(data, ds::segmentation::kHeight);
  const auto classes = At<Address>(data, ds::segmentation::kClasses);
  if (classes == nullptr || width == 0 || height == 0) return true;
  const uint64_t pixels = uint64_t{width} * height;
  if (pixels > kMostPixels) return false;
  const auto count = static_cast<uint32_t>(pixels);
  to->segmentation = {width, height, Append<int32_t>(classes, count, &to->classes), {}};
  return true;
}

Range AddBox3d(const Box3d& box, Frame* to) {
  to->boxes3d.push_back(box);
  return {static_cast<uint32_t>(to->boxes3d.size() - 1), 1};
}

}  // namespace

Status MetaReader::ReadObjects(size_t index, Frame* frame) {
  Describe(index, frame);
  if (layout_ == nullptr) return UnknownSize("objects", object_size_);
  const size_t first = frame->objects.size();
  Status status;
  if (!scenes_.empty()) {
    status = AddScene(index, frame);
  } else {
    const Address meta = frames_[index];
    status = audio_ ? AddSound(meta, frame) : AddObjects(index, frame);
    if (status.ok()) status = AddFrameUsers(meta, frame);
  }
  if (status.ok()) return {};
  frame->objects.resize(first);
  frame->counts.clear();
  frame->custom_messages = {};
  frame->segmentation.reset();
  frame->sources.clear();
  return status;
}

Status MetaReader::ListObjects(size_t index, std::vector<Address>* objects) const {
  objects->clear();
  if (audio_ || !scenes_.empty()) return {};
  const Address frame = frames_[index];
  if (!ds::ReadList(At<Address>(frame, ds::frame::kObjectList), batch_, objects))
    return Wrong("the list of objects is not valid");
  const auto said = At<uint32_t>(frame, ds::frame::kObjects);
  if (said != objects->size()) {
    return Wrong("a frame says " + std::to_string(said) + " objects, its list has " +
                 std::to_string(objects->size()));
  }
  std::reverse(objects->begin(), objects->end());  // newest first until now
  return {};
}

Status MetaReader::AddObjects(size_t index, Frame* to) {
  if (Status status = ListObjects(index, &elements_); !status.ok()) return status;
  for (const Address element : elements_) {
    if (Status status = ReadObject(element, to); !status.ok()) return status;
  }
  return {};
}

Status MetaReader::ReadObject(const void* object_meta, Frame* frame) {
  if (layout_ == nullptr) return UnknownSize("objects", object_size_);
  const auto meta = static_cast<Address>(object_meta);
  if (!ds::IsMeta(meta, batch_, ds::kObjectMeta)) return Wrong("an object has another type");
  const auto label = ds::ArrayAt(meta, layout_->label);
  if (!label) return Wrong("an object's label has no end");
  Object& object = frame->objects.emplace_back();
  object.label = *label;
  const auto id = At<uint64_t>(meta, ds::object::kId);
  if (id != ds::kUntracked) object.id = id;
  object.label_id = At<int32_t>(meta, ds::object::kClass);
  const auto confidence = At<float>(meta, ds::object::kConfidence);
  if (std::isfinite(confidence)) object.confidence = confidence;
  const auto box = At<std::array<float, 4>>(meta, ds::object::kBox);
  object.box = {box[0], box[1], box[2], box[3]};
  if (layout_->rotation != ds::kNotThere) object.rotation = At<float>(meta, layout_->rotation);
  object.component_id = static_cast<uint32_t>(At<int32_t>(meta, ds::object::kComponent));
  Status status = AddClassifiers(At<Address>(meta, layout_->classifiers), frame, &object);
  if (status.ok()) status = AddMask(meta, frame, &object);
  if (status.ok()) status = AddObjectUsers(meta, frame, &object);
  if (!status.ok()) frame->objects.pop_back();
  return status;
}

Status MetaReader::AddClassifiers(Address list, Frame* to, Object* object) {
  object->first_attribute = static_cast<uint32_t>(to->attributes.size());
  if (!ds::ReadList(list, batch_, &classifiers_))
    return Wrong("a list of classifiers is not valid");
  object->classified = !classifiers_.empty();
  for (auto each = classifiers_.rbegin(); each != classifiers_.rend(); ++each) {
    const Address classifier = *each;
    if (!ds::IsMeta(classifier, batch_, ds::kClassifierMeta))
      return Wrong("a classifier has another type");
    if (!ds::ReadList(At<Address>(classifier, ds::classifier::kLabelList), batch_, &labels_))
      return Wrong("a classifier's list of labels is not valid");
    std::string_view name = ds::TextAt(classifier, ds::classifier::kType);
    const bool made_up = name.empty();
    if (made_up) {
      const auto component = At<int32_t>(classifier, ds::classifier::kComponent);
      name = names_.emplace_back("classifier" + std::to_string(component));
    }
    for (auto label = labels_.rbegin(); label != labels_.rend(); ++label) {
      if (!ds::IsMeta(*label, batch_, ds::kLabelInfoMeta))
        return Wrong("a classifier's label has another type");
      std::string_view value = ds::TextAt(*label, ds::classifier::kLongResult);
      const auto result = ds::ArrayAt(*label, ds::classifier::kResult);
      if (value.empty() && !result) return Wrong("a classifier's label has no end");
      if (value.empty()) value = *result;
      if (value.empty() && !keep_empty_results_) continue;
      to->attributes.push_back(
          {name, value, At<float>(*label, ds::classifier::kProbability), made_up});
    }
  }
  object->attribute_count = static_cast<uint32_t>(to->attributes.size()) - object->first_attribute;
  return {};
}

Status MetaReader::AddMask(Address object_meta, Frame* to, Object* object) const {
  const Address mask = object_meta + layout_->mask;
  const auto data = At<Address>(mask, ds::mask::kData);
  const auto width = At<uint32_t>(mask, ds::mask::kWidth);
  const auto height = At<uint32_t>(mask, ds::mask::kHeight);
  if (data == nullptr || width == 0 || height == 0) return {};
  const uint64_t pixels = uint64_t{width} * height;
  if (pixels > kMostPixels || pixels * sizeof(float) > At<uint32_t>(mask, ds::mask::kSize)) {
    return Wrong("an object's mask of " + std::to_string(width) + " x " + std::to_string(height) +
                 " is larger than its size says");
  }
  const auto threshold = At<float>(mask, ds::mask::kThreshold);  // DeepStream draws what is above
  Mask runs{width, height, {static_cast<uint32_t>(to->runs.size()), 0}};
  bool inside = false;
  uint32_t length = 0;
  for (size_t i = 0; i < pixels; ++i) {
    if ((At<float>(data, i * sizeof(float)) > threshold) != inside) {
      to->runs.push_back(length);
      inside = !inside;
      length = 0;
    }
    ++length;
  }
  to->runs.push_back(length);
  runs.runs.count = static_cast<uint32_t>(to->runs.size()) - runs.runs.first;
  object->mask = {static_cast<uint32_t>(to->masks.size()), 1};
  to->masks.push_back(runs);
  return {};
}

// ---------------------------------------------------------------- user metadata

Status MetaReader::AddObjectUsers(Address object_meta, Frame* to, Object* object) const {
  std::vector<Address> elements;
  if (!ds::ReadList(At<Address>(object_meta, layout_->object_users), batch_, &elements))
    return Wrong("an object's list of user metadata is not valid");
  for (const Address element : elements) {
    const auto type = At<int32_t>(element, ds::kBaseType);
    const auto data = At<Address>(element, ds::user::kData);
    if (ds::Readable(data) && !AddObjectUser(type, data, to, object))
      return Wrong("an object's metadata of type " + std::to_string(type) + " does not look right");
  }
  return {};
}

bool MetaReader::AddObjectUser(int32_t type, Address data, Frame* to, Object* object) const {
  if (type == types_.object_analytics)
    return Plausible(data) && ds::ReadObjectAnalytics(data, types_.state, to, object);
  const bool track = type >= ds::type::kVisibility && type <= ds::type::kConvexHull;
  if ((track && !types_.track) || (type == ds::type::kBox3d && !types_.space)) return true;
  switch (type) {
    case ds::type::kReid:
      if (types_.reid == ds::Reid::kPlace) return AddReidOf(embeddings_, data, to, object);
      return types_.reid == ds::Reid::kNone || AddReid(data, to, object);
    case ds::type::kVisibility:
      TrackOf(to, object).visibility = At<float>(data, 0);
      return true;
    case ds::type::kImageFoot:
      TrackOf(to, object).feet = At<Point>(data, 0);
      return true;
    case ds::type::kWorldFoot:
      TrackOf(to, object).ground = At<Point>(data, 0);
      return true;
    case ds::type::kConvexHull:
      if (!HullLooksRight(data)) return false;
      TrackOf(to, object).hull = AddHull(data, to);
      return true;
    case ds::type::kBox3d: {
      Box3d box;
      box.values = At<std::array<float, 12>>(data, 0);
      box.confidence = object->confidence.value_or(0);
      object->box3d = AddBox3d(box, to);
      return true;
    }
    default:
      return true;
  }
}

Status MetaReader::AddFrameUsers(Address frame, Frame* to) {
  if (!ds::ReadList(UserList(frame), batch_, &elements_))
    return Wrong("a list of user metadata is not valid");
  to->custom_messages = {static_cast<uint32_t>(to->texts.size()), 0};
  for (auto element = elements_.rbegin(); element != elements_.rend(); ++element) {
    const auto type = At<int32_t>(*element, ds::kBaseType);
    const auto data = At<Address>(*element, ds::user::kData);
    if (!Plausible(data)) continue;
    if (type == types_.blob) {
      const auto* text = At<const char*>(data, ds::blob::kText);
      const auto size = At<uint32_t>(data, ds::blob::kSize);
      if (size > kLongestText)
        return Wrong("a custom message of " + std::to_string(size) + " bytes");
      // As DeepStream has it, a NUL ends it, too.
      if (text != nullptr) to->texts.emplace_back(text, strnlen(text, size));
    }
    if (type == ds::type::kSegmentation && !AddSegmentation(data, to))
      return Wrong("a frame's segmentation does not look right");
    if (type == types_.frame_analytics && !ds::ReadFrameAnalytics(data, &names_, to))
      return Wrong("a frame's analytics do not look right");
  }
  to->custom_messages.count = static_cast<uint32_t>(to->texts.size()) - to->custom_messages.first;
  return {};
}

// ---------------------------------------------------------------- sound and scenes

/// A frame of sound is one object: what it sounds like.
Status MetaReader::AddSound(Address frame, Frame* to) {
  Object object;
  const auto label = ds::ArrayAt(frame, ds::audio::kLabel);
  if (!label) return Wrong("a label has no end");
  object.label = *label;
  object.label_id = At<int32_t>(frame, ds::audio::kClass);
  const auto confidence = At<float>(frame, ds::audio::kConfidence);
  if (std::isfinite(confidence)) object.confidence = confidence;
  Status status = AddClassifiers(At<Address>(frame, ds::audio::kClassifierList), to, &object);
  if (status.ok() && (!label->empty() || object.attribute_count > 0)) to->objects.push_back(object);
  return status;
}

Status MetaReader::AddScene(size_t index, Frame* to) {
  const Address end = SceneEnd(index);
  const auto count = At<uint32_t>(end, ds::scene::kCount);
  if (count > ds::scene::kMost)
    return Wrong("a scene says " + std::to_string(count) + " objects, it has room for " +
                 std::to_string(ds::scene::kMost));
  for (uint32_t i = 0; i < count; ++i) {
    Object& object = to->objects.emplace_back();
    if (!ReadBox3d(scenes_[index] + i * layout_->box3d, layout_->box3d, &names_, to, &object))
      return Wrong("an object of a scene does not look right");
  }
  if (!ReadSources(end + ds::scene::kSources, At<int32_t>(end, ds::scene::kSourceCount), to))
    return Wrong("a scene's list of sources does not look right");
  return {};
}

}  // namespace dsmsg::msgconv
