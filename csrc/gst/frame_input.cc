// SPDX-License-Identifier: Apache-2.0
#include "gst/frame_input.h"

#include <gst/video/video.h>

#include <algorithm>

#include "gst/attached_events.h"

namespace dsmsg {

using msgconv::Frame;
using msgconv::Object;

void FrameInput::SetCaps(const GstCaps* caps) {
  caps_width_ = caps_height_ = 0;
  if (caps == nullptr || gst_caps_is_any(caps) || gst_caps_is_empty(caps)) return;
  const GstStructure* structure = gst_caps_get_structure(caps, 0);
  gint width = 0, height = 0;
  if (gst_structure_get_int(structure, "width", &width) &&
      gst_structure_get_int(structure, "height", &height)) {
    caps_width_ = static_cast<guint>(MAX(width, 0));
    caps_height_ = static_cast<guint>(MAX(height, 0));
  }
}

const std::vector<InputFrame>& FrameInput::Begin(GstBuffer* buffer) {
  buffer_ = buffer;
  has_batch_ = deepstream_.Find(buffer);
  frames_.clear();
  const size_t count = has_batch_ ? deepstream_.batch().size() : 0;
  for (size_t i = 0; i < count; ++i) {
    const msgconv::MetaReader& batch = deepstream_.batch();
    frames_.push_back(
        {batch.Source(i), i, batch.Number(i), batch.FrameMeta(i), batch.has_scenes()});
  }
  if (frames_.empty()) frames_.push_back({settings_.source_id});
  // What belongs to the whole buffer goes to one frame: GStreamer's metadata to that of the only
  // camera, events to the first of their camera.
  const auto of = [this](uint32_t source) {
    return std::find_if(frames_.begin(), frames_.end(),
                        [source](const InputFrame& frame) { return frame.source == source; });
  };
  if (frames_.size() == 1) {
    frames_.front().own_detections = true;
  } else if (const auto frame = of(settings_.source_id); frame != frames_.end()) {
    frame->own_detections = true;
  }
  for (const uint32_t source : EventSources(buffer, settings_.source_id)) {
    if (of(source) == frames_.end()) frames_.push_back({source});
    of(source)->own_events = true;
  }
  for (InputFrame& frame : frames_)
    frame.has_picture = !has_batch_ || (count == 1 && frame.in_batch);
  return frames_;
}

void FrameInput::Prepare(const InputFrame& which, Frame* frame) {
  frame->Clear();
  frame->source_id = which.source;
  frame->time_ns = 0;
  frame->width = caps_width_;
  frame->height = caps_height_;
  frame->source_width = frame->source_height = 0;
  // Otherwise it would hold those of the previous frame, whose text is gone.
  frame->sensor_id = frame->video_path = {};
  if (const GstVideoMeta* video = gst_buffer_get_video_meta(buffer_)) {
    frame->width = video->width;
    frame->height = video->height;
  }
}

InputReport FrameInput::AddEvents(const InputFrame& which, Frame* frame) {
  InputReport report;
  if (which.in_batch && !settings_.new_api) {
    msgconv::MetaReader& batch = deepstream_.batch();
    // A scene is converted in any case. Events fill the frame anew.
    const Status status = batch.has_scenes() ? batch.ReadObjects(*which.in_batch, frame)
                                             : batch.ReadEvents(*which.in_batch, frame);
    report.refused = !deepstream_.Accept(status);
  }
  if (which.own_events) ReadEvents(buffer_, settings_.source_id, frame);
  report.found = frame->objects.size();
  auto& objects = frame->objects;
  objects.erase(std::remove_if(objects.begin(), objects.end(),
                               [this](const Object& object) { return !Wanted(object, false); }),
                objects.end());
  return report;
}

InputReport FrameInput::AddDetections(const InputFrame& which, Frame* frame) {
  InputReport report;
  const size_t first = frame->objects.size();
  if (which.in_batch) {
    const Status status = deepstream_.batch().ReadObjects(*which.in_batch, frame);
    report.refused = !deepstream_.Accept(status);
  }
  if (which.own_detections) {
    const size_t first_region = frame->objects.size();
    report.without_parameters = regions_.Read(buffer_, frame).without_parameters;
    report.without_parameters -= analytics_.Read(buffer_, first_region, frame);
  }
  report.found = frame->objects.size() - first;
  Filter(first, frame, &report);
  return report;
}

void FrameInput::Describe(const InputFrame& which, Frame* frame) {
  deepstream_.batch().Describe(*which.in_batch, frame);
}

void FrameInput::ListEvents(const InputFrame& which, std::vector<NvDsEvent>* events) {
  if (!deepstream_.Accept(deepstream_.batch().ListEvents(*which.in_batch, events))) {
    return events->clear();
  }
  const auto unwanted = [this](const NvDsEvent& event) {
    Object object;
    object.event_meta.count = 1;
    const int component = event.metadata->componentId;
    if (component > 0) object.component_id = static_cast<uint32_t>(component);
    return !OfComponent(object, false);
  };
  events->erase(std::remove_if(events->begin(), events->end(), unwanted), events->end());
}

bool FrameInput::ListObjects(const InputFrame& which, std::vector<const unsigned char*>* objects) {
  return deepstream_.Accept(deepstream_.batch().ListObjects(*which.in_batch, objects));
}

/// DeepStream's converter asks its events for exactly this component, and detected objects for
/// none.
bool FrameInput::OfComponent(const Object& object, bool detection) const {
  if (settings_.comp_id == 0 || settings_.comp_id == G_MAXUINT) return true;
  if (object.component_id == settings_.comp_id) return true;
  const bool of_none = object.component_id == msgconv::kAnyComponent;
  if (settings_.dialect != kDialectDeepStream) return of_none;
  return detection || (of_none && object.event_meta.count == 0);
}

bool FrameInput::Wanted(const Object& object, bool detection) const {
  if (!OfComponent(object, detection)) return false;
  // Compared as floats; otherwise 0.7 would be less than 0.7.
  const auto least = static_cast<float>(settings_.min_confidence);
  return !detection || least <= 0 || object.confidence.value_or(-1.0F) >= least;
}

void FrameInput::Filter(size_t first, Frame* frame, InputReport* report) const {
  auto& objects = frame->objects;
  const auto begin = objects.begin() + static_cast<ptrdiff_t>(first);
  objects.erase(std::remove_if(begin, objects.end(),
                               [this](const Object& object) { return !Wanted(object, true); }),
                objects.end());
  if (labels_.empty()) return;
  for (size_t i = first; i < objects.size(); ++i) {
    if (!objects[i].label_id) continue;
    const std::string_view name = labels_.Name(objects[i].label_id);
    if (name.empty()) report->unnamed_class = objects[i].label_id;
    if (!name.empty()) objects[i].label = name;
  }
}

}  // namespace dsmsg
