// SPDX-License-Identifier: Apache-2.0
// MetaReader: the batch, its frames and what they hold.
#include "msgconv/meta_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "msgconv/deepstream_memory.h"

namespace dsmsg::msgconv {

namespace ds = deepstream;
using ds::Address;
using ds::At;
using ds::IsMeta;
using ds::Plausible;

namespace {

std::string Releases() {
  std::string text;
  for (const ds::Layout& layout : ds::kLayouts) {
    text += (text.empty() ? "" : ", ") + Text(layout.first);
    if (layout.first != layout.last) text += " to " + Text(layout.last);
  }
  return text;
}

bool KnownFrameSize(size_t size) {
  return std::any_of(std::begin(ds::kLayouts), std::end(ds::kLayouts),
                     [size](const ds::Layout& layout) { return layout.frame_size == size; });
}

/// The type of a pool's elements and their size; nullopt: not a pool.
std::optional<std::pair<int32_t, size_t>> PoolOf(Address batch, size_t offset) {
  const auto pool = At<Address>(batch, offset);
  if (!Plausible(pool)) return std::nullopt;
  return std::pair{At<int32_t>(pool, ds::pool::kType),
                   size_t{At<uint32_t>(pool, ds::pool::kElementSize)}};
}

}  // namespace

Status MetaReader::Wrong(const std::string& what) const {
  const std::string release =
      layout_ == nullptr ? "" : " of DeepStream " + Text(layout_->first) + " or later";
  return {Code::kNotSupported,
          "DeepStream's metadata contradicts itself or does not have the layout" + release + ": " +
              what + "; it is ignored"};
}

Status MetaReader::UnknownSize(const char* what, size_t size) const {
  return {Code::kNotSupported, "DeepStream's metadata is ignored: its " + std::string(what) +
                                   " have " + std::to_string(size) +
                                   " bytes, which is not the size in any supported release (" +
                                   Releases() + "); please report this size and your release"};
}

Status MetaReader::FindLayout() {
  audio_ = false;
  layout_ = nullptr;
  frame_size_ = object_size_ = 0;
  if (!Plausible(batch_) || At<Address>(batch_, ds::kBaseBatch) != batch_)
    return Wrong("the batch does not refer to itself");
  const auto frames = PoolOf(batch_, ds::batch::kFramePool);
  const auto type = At<int32_t>(batch_, ds::kBaseType);
  if (!frames || frames->first != int64_t{type} + 1)
    return Wrong("the batch has no pool of its frames");
  if (type != ds::kBatchMeta) return FindAudioLayout(type, frames->second);
  const auto objects = PoolOf(batch_, ds::batch::kObjectPool);
  if (!objects || objects->first != ds::kObjectMeta)
    return Wrong("the batch has no pool of objects");
  frame_size_ = frames->second;
  object_size_ = objects->second;
  if (!KnownFrameSize(frame_size_)) return UnknownSize("frames", frame_size_);
  layout_ = ds::LayoutOf(frame_size_, object_size_);
  FindTypes();
  if (layout_ != nullptr && !layout_->tested) {
    note_ = "reading metadata with the layout of DeepStream " + Text(layout_->first) +
            ", which was never tested with its own library";
  }
  return {};
}

const DeepStream& MetaReader::Here() {
  if (!deepstream_) deepstream_ = FindDeepStream();
  return *deepstream_;
}

/// From 8.0 on the layout says it, before that the release decides.
void MetaReader::FindTypes() {
  types_ = {};
  embeddings_ = nullptr;
  if (layout_ == nullptr) return;
  if (layout_->first.major >= 8) {
    types_ = ds::UserTypesOf(layout_->first);
    return;
  }
  const std::optional<Release>& release = Here().release;
  const bool right = release && layout_->first <= *release && *release <= layout_->last;
  types_ = ds::UserTypesOf(right ? release : std::nullopt);
  types_.frame_analytics = Here().frame_analytics.value_or(ds::kNoType);
  types_.object_analytics = Here().object_analytics.value_or(ds::kNoType);
}

/// The number of the batch's type moved with the releases; frames of sound are numbered one more.
Status MetaReader::FindAudioLayout(int32_t type, size_t frame_size) {
  const auto* const types =
      std::find_if(std::begin(ds::kUserTypes), std::end(ds::kUserTypes),
                   [type](const ds::UserTypes& each) { return each.audio_batch == type; });
  if (types == std::end(ds::kUserTypes))
    return Wrong("type " + std::to_string(type) + " is not that of a batch");
  if (frame_size != ds::audio::kSize) return UnknownSize("frames of sound", frame_size);
  audio_ = true;
  types_ = *types;
  embeddings_ = nullptr;
  const bool recent = types->first.major >= 8;
  layout_ = recent ? &ds::kLayouts[std::size(ds::kLayouts) - 1] : &ds::kLayouts[0];
  frame_size_ = layout_->frame_size;
  object_size_ = layout_->object_size;
  return {};
}

Status MetaReader::Open(const void* batch) {
  batch_ = static_cast<Address>(batch);
  frames_.clear();
  scenes_.clear();
  Status status = FindLayout();
  if (status.ok() && !ds::ReadList(At<Address>(batch_, ds::batch::kFrameList), batch_, &frames_))
    status = Wrong("the list of frames is not valid");
  const size_t said = status.ok() ? At<uint32_t>(batch_, ds::batch::kFrames) : 0;
  if (status.ok() && said != frames_.size()) {
    status = Wrong("the batch says " + std::to_string(said) + " frames, its list has " +
                   std::to_string(frames_.size()));
  }
  const int32_t type = audio_ ? At<int32_t>(batch_, ds::kBaseType) + 1 : ds::kFrameMeta;
  for (const Address frame : frames_) {
    if (status.ok() && !IsMeta(frame, batch_, type)) status = Wrong("a frame has another type");
  }
  if (status.ok()) status = FindBatchUsers();
  if (!status.ok()) {
    frames_.clear();
    scenes_.clear();
  }
  return status;
}

Status MetaReader::OpenFrame(const void* frame) {
  frames_.clear();
  scenes_.clear();
  const auto address = static_cast<Address>(frame);
  batch_ = Plausible(address) ? At<Address>(address, ds::kBaseBatch) : nullptr;
  if (Status status = FindLayout(); !status.ok()) return status;
  if (!IsMeta(address, batch_, audio_ ? At<int32_t>(batch_, ds::kBaseType) + 1 : ds::kFrameMeta))
    return Wrong("the frame has another type");
  frames_.assign(1, address);
  return {};
}

Status MetaReader::FindBatchUsers() {
  if (!types_.space && types_.reid != ds::Reid::kPlace) return {};
  if (!ds::ReadList(At<Address>(batch_, ds::batch::kUserList), batch_, &elements_))
    return Wrong("the batch's list of user metadata is not valid");
  for (const Address element : elements_) {
    const auto data = At<Address>(element, ds::user::kData);
    const auto type = At<int32_t>(element, ds::kBaseType);
    if (!Plausible(data)) continue;
    if (types_.space && type == ds::type::kSparse4d) scenes_.push_back(data);
    if (types_.reid == ds::Reid::kPlace && type == ds::type::kBatchReid) embeddings_ = data;
  }
  std::reverse(scenes_.begin(), scenes_.end());  // newest first until now
  return {};
}

MetaReader::Address MetaReader::SceneEnd(size_t index) const {
  return scenes_[index] + ds::scene::kMost * layout_->box3d;
}

uint32_t MetaReader::Source(size_t index) const {
  return scenes_.empty() ? At<uint32_t>(frames_[index], ds::frame::kSource)
                         : At<uint32_t>(SceneEnd(index), ds::scene::kCamera);
}

int64_t MetaReader::Number(size_t index) const {
  return scenes_.empty() ? At<int32_t>(frames_[index], ds::frame::kNumber)
                         : At<int32_t>(SceneEnd(index), ds::scene::kNumber);
}

const void* MetaReader::FrameMeta(size_t index) const {
  return scenes_.empty() ? frames_[index] : nullptr;
}

void MetaReader::Describe(size_t index, Frame* frame) {
  names_.clear();
  frame->source_id = Source(index);
  frame->number = static_cast<uint64_t>(std::max<int64_t>(Number(index), 0));
  if (!scenes_.empty()) {
    const Address end = SceneEnd(index);
    frame->time_ns = At<uint64_t>(end, ds::scene::kTime);
    frame->source_sensor = ds::TextAt(end, ds::scene::kSensor);
    return;
  }
  const Address meta = frames_[index];
  frame->time_ns = At<uint64_t>(meta, ds::frame::kNtp);
  if (audio_) return;
  frame->source_width = At<uint32_t>(meta, ds::frame::kSourceWidth);
  frame->source_height = At<uint32_t>(meta, ds::frame::kSourceHeight);
  const auto width = At<uint32_t>(meta, ds::frame::kPipelineWidth);
  const auto height = At<uint32_t>(meta, ds::frame::kPipelineHeight);
  if (width > 0 && height > 0) {
    frame->width = width;
    frame->height = height;
  }
  if (layout_ == nullptr || layout_->sensor == ds::kNotThere) return;
  frame->source_sensor = ds::TextAt(meta + layout_->sensor, ds::sensor::kId);
  frame->source_name = ds::TextAt(meta + layout_->sensor, ds::sensor::kName);
}

Address MetaReader::UserList(Address frame) const {
  return At<Address>(frame, audio_ ? ds::audio::kUserList : ds::frame::kUserList);
}

// ---------------------------------------------------------------- payloads and events

Status MetaReader::AddPayloads(Address user_list, std::vector<AttachedPayload>* payloads) const {
  std::vector<Address> elements;
  if (!ds::ReadList(user_list, batch_, &elements))
    return Wrong("a list of user metadata is not valid");
  for (const Address element : elements) {
    if (At<int32_t>(element, ds::kBaseType) != ds::kPayloadMeta) continue;
    const auto payload = At<Address>(element, ds::user::kData);
    if (!Plausible(payload)) return Wrong("a payload is not where it should be");
    const AttachedPayload found{At<const void*>(payload, ds::payload::kBytes),
                                At<uint32_t>(payload, ds::payload::kSize),
                                At<uint32_t>(payload, ds::payload::kComponent), element};
    if (found.data != nullptr && found.size > 0) payloads->push_back(found);
  }
  return {};
}

Status MetaReader::ReadPayloads(std::vector<AttachedPayload>* payloads) const {
  for (const Address frame : frames_) {
    if (Status status = AddPayloads(UserList(frame), payloads); !status.ok()) return status;
  }
  return AddPayloads(At<Address>(batch_, ds::batch::kUserList), payloads);
}

EventReader& MetaReader::Events() {
  if (!event_reader_ || events_frame_size_ != frame_size_ || events_object_size_ != object_size_) {
    events_frame_size_ = frame_size_;
    events_object_size_ = object_size_;
    DeepStream here = Here();
    here.present = true;
    here.frame_size = frame_size_;
    here.object_size = object_size_;
    event_reader_.emplace(EventTailOf(here).value());  // no error where the sizes are known
  }
  return *event_reader_;
}

Status MetaReader::ListEvents(size_t index, std::vector<NvDsEvent>* events) const {
  events->clear();
  if (!scenes_.empty()) return {};
  std::vector<Address> elements;
  if (!ds::ReadList(UserList(frames_[index]), batch_, &elements))
    return Wrong("a list of user metadata is not valid");
  for (const Address element : elements) {
    if (At<int32_t>(element, ds::kBaseType) != ds::kEventMeta) continue;
    const auto data = At<Address>(element, ds::user::kData);
    if (!Plausible(data)) return Wrong("an event is not where it should be");
    auto* meta = reinterpret_cast<NvDsEventMsgMeta*>(const_cast<unsigned char*>(data));
    NvDsEvent& event = events->emplace_back();
    std::memcpy(&event.eventType, data, sizeof(event.eventType));  // may be any number
    event.metadata = meta;
  }
  std::reverse(events->begin(), events->end());  // newest first until now
  return {};
}

Status MetaReader::ReadEvents(size_t index, Frame* frame) {
  if (Status status = ListEvents(index, &events_); !status.ok()) return status;
  const Status status = Events().Read(events_, frame);
  Describe(index, frame);
  return status;
}

}  // namespace dsmsg::msgconv
