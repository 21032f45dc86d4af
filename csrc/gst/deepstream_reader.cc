// SPDX-License-Identifier: Apache-2.0
#include "gst/deepstream_reader.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string_view>
#include <utility>

#include "gst/deepstream_layout.h"

namespace dsmsg {
namespace {

namespace ds = deepstream;
using msgconv::Frame;
using msgconv::Object;
using Address = const unsigned char*;

// More cannot be a batch.
constexpr uint32_t kMostFrames = 4096;
constexpr size_t kMostElements = 1 << 16;

template <class T>
T At(Address base, size_t offset) {
  T value;
  std::memcpy(&value, base + offset, sizeof(value));
  return value;
}

bool Plausible(Address address) {
  const auto number = reinterpret_cast<uintptr_t>(address);
  return number >= 4096 && number % alignof(void*) == 0;
}

std::string_view TextAt(Address base, size_t offset) {
  const auto* text = At<const char*>(base, offset);
  return text == nullptr ? std::string_view() : text;
}

/// A text inside a structure; "" if it is not terminated.
std::string_view ArrayAt(Address base, size_t offset) {
  const auto* text = reinterpret_cast<const char*>(base + offset);
  const size_t length = strnlen(text, ds::kLabelSize);
  return length == ds::kLabelSize ? std::string_view() : std::string_view(text, length);
}

std::string WrongLayout(const std::string& what, const std::string& ignored) {
  return "DeepStream's " + what + " does not have the expected layout; its " + ignored +
         " are ignored";
}

std::string Text(ds::Release release) {
  return std::to_string(release.major) + '.' + std::to_string(release.minor);
}

}  // namespace

bool DeepStreamReader::Refuse(std::string what) {
  refusal_ = std::move(what);
  return false;
}

bool DeepStreamReader::CheckRelease(bool objects) {
  if (!deepstream_) deepstream_ = msgconv::FindDeepStream();
  // If the release is unknown, data is only checked for consistency, which is not enough for
  // objects.
  if (!deepstream_->release) {
    return !objects || Refuse(
                           "the buffer carries DeepStream objects, but the DeepStream release is "
                           "unknown, so they are ignored: set the environment variable "
                           "DSMSG_DEEPSTREAM_VERSION, for "
                           "example to 7.1");
  }
  const ds::Release release = *deepstream_->release;
  const ds::Release first = objects ? ds::kFirstObjects : ds::kFirst;
  ds::Release last = objects ? ds::kLastObjects : ds::kLast;
#ifdef DSMSG_DEEPSTREAM_MAJOR  // the build compared the layout with this release's headers
  constexpr ds::Release kBuilt{DSMSG_DEEPSTREAM_MAJOR, DSMSG_DEEPSTREAM_MINOR};
  if (release == kBuilt) last = std::max(last, kBuilt);
#endif
  if (first <= release && release <= last) return true;
  return Refuse(std::string(objects ? "objects" : "metadata") + " of DeepStream " + Text(release) +
                " are ignored: the supported releases are " + Text(first) + " to " + Text(last) +
                " (to use another, build dsmsg with -DDEEPSTREAM_ROOT=<DeepStream's folder>, which "
                "checks its layout)");
}

bool DeepStreamReader::Find(GstBuffer* buffer) {
  payloads_.clear();
  sources_.clear();
  frames_.clear();
  static const GQuark tag = g_quark_from_static_string(ds::kTag);
  gpointer state = nullptr;
  while (const GstMeta* meta = gst_buffer_iterate_meta(buffer, &state)) {
    if (gst_meta_api_type_has_tag(meta->info->api, tag) == FALSE) continue;
    if (meta->info->size < ds::kGstSize) continue;
    const auto* base = reinterpret_cast<Address>(meta);
    if (At<int32_t>(base, ds::kGstType) != ds::kBatchGstMeta) continue;
    return CheckRelease(false) && FindIn(At<Address>(base, ds::kGstData));
  }
  return false;
}

bool DeepStreamReader::IsMeta(Address meta, int32_t type) const {
  return Plausible(meta) && At<Address>(meta, ds::kBaseBatch) == batch_ &&
         At<int32_t>(meta, ds::kBaseType) == type;
}

bool DeepStreamReader::List(Address first, std::vector<Address>* elements) const {
  elements->clear();
  Address before = nullptr;
  for (Address node = first; node != nullptr; node = At<Address>(node, offsetof(GList, next))) {
    if (!Plausible(node) || elements->size() == kMostElements) return false;
    if (before != nullptr && At<Address>(node, offsetof(GList, prev)) != before) return false;
    const auto element = At<Address>(node, offsetof(GList, data));
    if (!Plausible(element) || At<Address>(element, ds::kBaseBatch) != batch_) return false;
    elements->push_back(element);
    before = node;
  }
  return true;
}

bool DeepStreamReader::FindIn(Address batch) {
  batch_ = batch;
  const auto wrong = [this](const char* what) {
    frames_.clear();
    payloads_.clear();
    sources_.clear();
    return Refuse("DeepStream's metadata does not have the layout of a supported release (" +
                  std::string(what) + ", release " +
                  (deepstream_->release ? Text(*deepstream_->release) : "unknown") +
                  "): it is ignored");
  };
  if (!IsMeta(batch, ds::kBatchMeta)) return wrong("head of the batch");
  const auto most = At<uint32_t>(batch, ds::batch::kMaxFrames);
  if (most > kMostFrames || At<uint32_t>(batch, ds::batch::kFrames) > most)
    return wrong("number of frames");
  if (!List(At<Address>(batch, ds::batch::kFrameList), &frames_)) return wrong("list of frames");
  for (const Address frame : frames_) {
    if (!IsMeta(frame, ds::kFrameMeta)) return wrong("frame");
    if (!AddPayloads(At<Address>(frame, ds::frame::kUserList))) return wrong("payload of a frame");
    const auto source = At<uint32_t>(frame, ds::frame::kSource);
    if (std::find(sources_.begin(), sources_.end(), source) == sources_.end())
      sources_.push_back(source);
  }
  if (!AddPayloads(At<Address>(batch, ds::batch::kUserList))) return wrong("payload of the batch");
  return true;
}

bool DeepStreamReader::AddPayloads(Address user_list) {
  std::vector<Address> elements;
  if (!List(user_list, &elements)) return false;
  for (const Address element : elements) {
    if (At<int32_t>(element, ds::kBaseType) != ds::kPayloadMeta) continue;
    const auto payload = At<Address>(element, ds::user::kData);
    if (!Plausible(payload)) return false;
    const DeepStreamPayload found{At<const void*>(payload, ds::payload::kBytes),
                                  At<uint32_t>(payload, ds::payload::kSize),
                                  At<uint32_t>(payload, ds::payload::kComponent)};
    if (found.data != nullptr && found.size > 0) payloads_.push_back(found);
  }
  return true;
}

// ---------------------------------------------------------------- objects and events

void DeepStreamReader::SetFrame(Frame* frame) const {
  for (const Address meta : frames_) {
    if (At<uint32_t>(meta, ds::frame::kSource) != frame->source_id) continue;
    frame->number = static_cast<uint64_t>(std::max(At<int32_t>(meta, ds::frame::kNumber), 0));
    frame->time_ns = At<uint64_t>(meta, ds::frame::kNtp);
    frame->source_width = At<uint32_t>(meta, ds::frame::kSourceWidth);
    frame->source_height = At<uint32_t>(meta, ds::frame::kSourceHeight);
    const auto width = At<uint32_t>(meta, ds::frame::kPipelineWidth);
    const auto height = At<uint32_t>(meta, ds::frame::kPipelineHeight);
    if (width > 0 && height > 0) {
      frame->width = width;
      frame->height = height;
    }
  }
}

bool DeepStreamReader::ReadObjects(Frame* frame) {
  if (!CheckRelease(true)) return false;
  names_.clear();
  SetFrame(frame);
  std::vector<Address> elements;
  for (const Address meta : frames_) {
    if (At<uint32_t>(meta, ds::frame::kSource) != frame->source_id) continue;
    if (!List(At<Address>(meta, ds::frame::kObjectList), &elements))
      return Refuse(WrongLayout("object list", "objects"));
    for (const Address element : elements) {
      if (!AddObject(element, frame)) return Refuse(WrongLayout("object", "objects"));
    }
  }
  return true;
}

bool DeepStreamReader::AddObject(Address meta, Frame* frame) {
  if (At<int32_t>(meta, ds::kBaseType) != ds::kObjectMeta) return false;
  Object object;
  const auto id = At<uint64_t>(meta, ds::object::kId);
  if (id != ds::kUntracked) object.id = id;
  object.label = ArrayAt(meta, ds::object::kLabel);
  object.label_id = At<int32_t>(meta, ds::object::kClass);
  const auto confidence = At<float>(meta, ds::object::kConfidence);
  if (confidence >= 0 && std::isfinite(confidence)) object.confidence = confidence;
  const auto box = At<std::array<float, 4>>(meta, ds::object::kBox);
  object.box = {box[0], box[1], box[2], box[3]};
  object.component_id = static_cast<uint32_t>(At<int32_t>(meta, ds::object::kComponent));
  object.first_attribute = static_cast<uint32_t>(frame->attributes.size());
  AddClassifiers(At<Address>(meta, ds::object::kClassifierList), frame);
  object.attribute_count = static_cast<uint32_t>(frame->attributes.size()) - object.first_attribute;
  frame->objects.push_back(object);
  return true;
}

void DeepStreamReader::AddClassifiers(Address list, Frame* frame) {
  std::vector<Address> classifiers, labels;
  if (!List(list, &classifiers)) return;
  for (const Address classifier : classifiers) {
    if (!List(At<Address>(classifier, ds::classifier::kLabelList), &labels)) continue;
    for (const Address label : labels) {
      std::string_view value = TextAt(label, ds::classifier::kLongResult);
      if (value.empty()) value = ArrayAt(label, ds::classifier::kResult);
      if (value.empty()) continue;
      names_.push_back("classifier" +
                       std::to_string(At<int32_t>(classifier, ds::classifier::kComponent)));
      frame->attributes.push_back(
          {names_.back(), value, At<float>(label, ds::classifier::kProbability)});
    }
  }
}

bool DeepStreamReader::ReadEvents(Frame* frame) {
  events_.clear();
  std::vector<Address> elements;
  for (const Address meta : frames_) {
    if (At<uint32_t>(meta, ds::frame::kSource) != frame->source_id) continue;
    if (!List(At<Address>(meta, ds::frame::kUserList), &elements))
      return Refuse(WrongLayout("list of events", "events"));
    for (const Address element : elements) {
      const auto data = At<Address>(element, ds::user::kData);
      if (At<int32_t>(element, ds::kBaseType) != ds::kEventMeta || !Plausible(data)) continue;
      auto* event = reinterpret_cast<NvDsEventMsgMeta*>(const_cast<unsigned char*>(data));
      events_.push_back({event->type, event});
    }
  }
  if (events_.empty()) return true;
  if (!event_reader_) {
    const auto tail = msgconv::EventTailOf(*deepstream_);
    if (!tail.ok()) return Refuse(tail.status().message());
    event_reader_.emplace(tail.value());
  }
  const uint32_t source = frame->source_id;
  const Status status = event_reader_->Read(events_, frame);
  frame->source_id = source;
  SetFrame(frame);
  return status.ok() || Refuse(status.message());
}

}  // namespace dsmsg
