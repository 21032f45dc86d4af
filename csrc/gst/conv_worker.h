// SPDX-License-Identifier: Apache-2.0
// dsmsgconv's work between start and stop: reads the detections of each buffer, renders messages
// and attaches them. Created and destroyed by the thread that changes the element's state; the rest
// is called under the sink pad's stream lock, by the streaming thread or LateSender's (GStreamer
// never lets the two kinds overlap). Warnings go to the element's bus.
#ifndef DSMSG_GST_CONV_WORKER_H_
#define DSMSG_GST_CONV_WORKER_H_

#include <gst/gst.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/status.h"
#include "gst/batch_payloads.h"
#include "gst/conv_evidence.h"
#include "gst/conv_settings.h"
#include "gst/converter_state.h"
#include "gst/frame_input.h"
#include "gst/space_events.h"
#include "gst/track_events.h"
#include "msgconv/conv_config.h"
#include "msgconv/custom_library.h"
#include "msgconv/labels.h"
#include "msgconv/payload_maker.h"
#include "msgconv/source_gate.h"

namespace dsmsg {

class ConvWorker {
 public:
  /// Reads the files that `settings` name and checks what must exist. `element` and `counters`,
  /// which are reset, outlive the worker.
  static Result<std::unique_ptr<ConvWorker>> Create(GstElement* element,
                                                    const ConvSettings& settings,
                                                    ConvCounters* counters);

  void SetCaps(const GstCaps* caps) {
    input_.SetCaps(caps);
    if (evidence_ != nullptr) evidence_->SetCaps(caps);
  }
  /// Takes the buffer and returns it with its messages attached: the same one, or, if others hold
  /// it too and there is something to attach, a copy that shares its memory. Messages of a buffer
  /// with a batch of DeepStream's are attached to that, and the buffer is never copied.
  GstBuffer* Process(GstBuffer* buffer);
  /// After a seek: forgets all tracks.
  void Flush();
  /// At the end of the stream: says why there was no message, however few buffers arrived. Messages
  /// that wait for pictures wait no longer than their time, and are then returned in an event,
  /// followed by those about tracks that end with the stream. It goes downstream in front of the
  /// end (late_messages.h); nullptr: there are none.
  GstEvent* AtEnd();
  /// At the end of one of the sources in the stream: the messages about its tracks, likewise.
  GstEvent* AtEndOf(uint32_t source);
  /// The pipeline stops: AtEnd returns soon. Any thread.
  void StopWaiting() {
    if (evidence_ != nullptr) evidence_->StopWaiting();
  }
  /// Whether there may be something for TakeLate.
  bool has_evidence() const { return evidence_ != nullptr; }
  /// The messages that need not wait for pictures any more, while no buffer comes, likewise.
  GstEvent* TakeLate();

 private:
  struct BytesUnref {
    void operator()(GBytes* bytes) const { g_bytes_unref(bytes); }
  };
  struct Payload {
    std::unique_ptr<GBytes, BytesUnref> bytes;
    uint32_t component = 0, source = 0;
    uint64_t time_ns = 0;
    const void* frame_meta = nullptr;  // the frame of DeepStream's batch that it is about
  };

  ConvWorker(GstElement* element, const ConvSettings& settings, ConvCounters* counters,
             std::shared_ptr<const msgconv::ConvConfig> config, msgconv::Labels labels,
             std::unique_ptr<msgconv::PayloadMaker> maker, std::unique_ptr<ConvEvidence> evidence,
             std::unique_ptr<SpaceEvents> space, bool wants_tracks);

  void Convert(GstBuffer* buffer, InputFrame which);
  bool PassesOn(const InputFrame& which) const;
  void PassOn(GstBuffer* buffer, const InputFrame& which, bool admitted,
              msgconv::SourceGate::Source* source);
  bool Admit(const InputFrame& which, msgconv::SourceGate::Source* source) const;
  bool WantsEmpty(const InputFrame& which, bool admitted);
  bool LibraryTakesWholeFrames() const;
  bool WantsEvents(const InputFrame& which) const;
  void KeepEvents(GstBuffer* buffer, size_t attached, bool admitted);
  std::string_view ConfiguredSensor() const;
  GstBuffer* Attach(GstBuffer* buffer);
  void RenderAll(msgconv::Frame* frame, const void* frame_meta,
                 msgconv::SourceGate::Source* source);
  void Render(const msgconv::Frame& frame, size_t count, const void* frame_meta,
              msgconv::SourceGate::Source* source);
  void RenderWaiting(bool at_end);
  void EndTracks(uint32_t source);
  GstEvent* Late();
  DsmsgPayload Describe(const Payload& payload) const;
  void WriteDebugFile(const msgconv::Frame& frame, std::string_view payload);
  void ReportMissingGroups(msgconv::SourceGate::Source* source);
  void ReportDetections(const InputReport& report);
  void ReportRefusal();
  void ReportUnread();
  void ReportNothing();
  void ReportUnused();
  void ReportFiltered();
  void Warn(const std::string& what, const std::string& details = {});

  GstElement* const element_;
  const ConvSettings settings_;
  const msgconv::Labels labels_;
  const std::shared_ptr<const msgconv::ConvConfig> config_;
  const std::unique_ptr<msgconv::PayloadMaker> maker_;
  msgconv::CustomLibrary* const custom_;          // the maker, if it is one
  const std::unique_ptr<ConvEvidence> evidence_;  // null: no pictures
  FrameInput input_;
  msgconv::SourceGate gate_;
  TrackEvents tracks_;
  const std::unique_ptr<SpaceEvents> space_;  // nullptr: no lines, no zones
  const bool wants_tracks_;                   // the map has messages of tracks that ended
  bool emptied_ = false;                      // the frame at hand has news, perhaps without objects
  GstClockTime last_pts_ = GST_CLOCK_TIME_NONE;
  BatchPayloads batch_payloads_;
  msgconv::Frame frame_;           // kept for its memory
  std::vector<Payload> payloads_;  // of the buffer at hand
  std::vector<NvDsEvent> events_;  // of DeepStream's frame at hand, as its objects
  std::vector<const unsigned char*> objects_;
  ConvCounters& counters_;
  std::pair<uint32_t, uint64_t> debug_frame_;  // what the last debug file was about
  size_t debug_index_ = SIZE_MAX;              // of its messages; at first the next one is 0
  // Each is said once.
  bool told_no_parameters_ = false, told_unnamed_ = false, told_debug_ = false,
       told_refusal_ = false, told_unread_ = false, told_unused_ = false, told_note_ = false;
};

}  // namespace dsmsg

#endif  // DSMSG_GST_CONV_WORKER_H_
