// SPDX-License-Identifier: Apache-2.0
// Everything that a buffer says about objects, whatever its origin, as frames of the converter's
// model: an application's events, regions of interest, GStreamer's analytics metadata, DeepStream's
// batches. One thread at a time; what the frames refer to lives as long as the buffer, and until
// the next Begin().
#ifndef DSMSG_GST_FRAME_INPUT_H_
#define DSMSG_GST_FRAME_INPUT_H_

#include <gst/gst.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gst/analytics_reader.h"
#include "gst/conv_settings.h"
#include "gst/deepstream_reader.h"
#include "gst/roi_reader.h"
#include "msgconv/labels.h"
#include "msgconv/model.h"

namespace dsmsg {

struct InputReport {
  size_t found = 0;                      // events, or detections before filters
  size_t without_parameters = 0;         // of these, regions of interest without parameters
  std::optional<int64_t> unnamed_class;  // a class number that `labels` has no name for
  bool refused = false;                  // there is something that cannot be read
};

/// A frame of a buffer.
struct InputFrame {
  uint32_t source = 0;
  std::optional<size_t> in_batch{};  // its place in DeepStream's batch
  std::optional<int64_t> number{};   // counted by the batch
  const void* meta = nullptr;        // NvDsFrameMeta, if there is one
  bool scene = false;                // of a detector in space, made of all cameras
  bool own_events = false;           // events of dsmsg_meta.h about this camera belong to it
  bool own_detections = false;       // so does GStreamer's metadata
  bool has_picture = false;          // the buffer shows it, and no other frame
};

class FrameInput {
 public:
  /// Both outlive the input.
  FrameInput(const ConvSettings& settings, const msgconv::Labels& labels)
      : settings_(settings), labels_(labels) {
    deepstream_.batch().KeepEmptyResults(settings.dialect == kDialectDeepStream);
  }

  void SetCaps(const GstCaps* caps);
  /// Examines the buffer, which must not change until its last frame has been used. Returns the
  /// frames in it, at least one: those of DeepStream's batch as they are, also several of one
  /// camera; then one for each other camera that an event is about.
  const std::vector<InputFrame>& Begin(GstBuffer* buffer);
  /// DeepStream's batch (NvDsBatchMeta) on that buffer; nullptr: the buffer has no batch.
  const void* batch() { return has_batch_ ? deepstream_.batch().batch() : nullptr; }
  /// NvDsFrameMeta of its first frame; nullptr: it has none.
  const void* first_frame_meta() const { return frames_.front().meta; }
  /// Empties the frame and sets everything except its objects.
  void Prepare(const InputFrame& which, msgconv::Frame* frame);
  /// Append to a prepared frame, in this order: attached event metadata; what detectors found.
  InputReport AddEvents(const InputFrame& which, msgconv::Frame* frame);
  InputReport AddDetections(const InputFrame& which, msgconv::Frame* frame);
  /// Instead of these, of a frame of DeepStream's batch: what it is, and its own events or objects.
  void Describe(const InputFrame& which, msgconv::Frame* frame);
  void ListEvents(const InputFrame& which, std::vector<NvDsEvent>* events);
  bool ListObjects(const InputFrame& which, std::vector<const unsigned char*>* objects);
  bool is_sound() { return deepstream_.batch().is_sound(); }
  /// Why DeepStream's metadata was not read; "" if nothing was refused so far.
  const std::string& refusal() const { return deepstream_.refusal(); }
  /// What a user should know about DeepStream's metadata; "" if nothing.
  std::string TakeNote() { return deepstream_.batch().TakeNote(); }
  /// Types of analytics metadata that were there and were not read; "": none so far.
  const std::string& unread() const { return analytics_.unread(); }

 private:
  void Filter(size_t first, msgconv::Frame* frame, InputReport* report) const;
  bool OfComponent(const msgconv::Object& object, bool detection) const;
  bool Wanted(const msgconv::Object& object, bool detection) const;

  const ConvSettings& settings_;
  const msgconv::Labels& labels_;
  DeepStreamReader deepstream_;
  RoiReader regions_;
  AnalyticsReader analytics_;
  GstBuffer* buffer_ = nullptr;
  bool has_batch_ = false;
  std::vector<InputFrame> frames_;
  guint caps_width_ = 0, caps_height_ = 0;
};

}  // namespace dsmsg

#endif  // DSMSG_GST_FRAME_INPUT_H_
