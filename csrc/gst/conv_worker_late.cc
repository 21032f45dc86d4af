// SPDX-License-Identifier: Apache-2.0
// ConvWorker: messages that have no buffer to travel with.
#include "gst/conv_worker.h"
#include "gst/late_messages.h"

namespace dsmsg {

/// Messages whose pictures are stored, or lost.
void ConvWorker::RenderWaiting(bool at_end) {
  while (msgconv::Frame* const frame = evidence_->Next(at_end))
    RenderAll(frame, nullptr, &gate_.Find(frame->source_id));
  if (const std::string warning = evidence_->TakeWarning(); !warning.empty()) Warn(warning);
  const evidence::RecorderCounters counters = evidence_->counters();
  counters_.stored = counters.stored;
  counters_.lost = evidence_->lost();
  counters_.stored_bytes = counters.stored_bytes;
}

/// Messages about what ends with a source: its tracks, and its crowds.
void ConvWorker::EndTracks(uint32_t source) {
  const auto outcome = space_->End(source, &frame_);
  if (!outcome) return;
  space_->NameEvents(0, &frame_);
  const bool told = !frame_.objects.empty() || (wants_tracks_ && !frame_.tracks.empty()) ||
                    (outcome->changed && !OnePerObject(settings_));
  if (!told || (evidence_ != nullptr && evidence_->KeepBehind(frame_))) return;
  RenderAll(&frame_, nullptr, &gate_.Find(source));
}

/// The messages that were rendered, in an event; nullptr: there are none.
GstEvent* ConvWorker::Late() {
  if (payloads_.empty()) return nullptr;
  counters_.messages += payloads_.size();
  std::vector<DsmsgPayload> messages;
  for (const Payload& payload : payloads_) messages.push_back(Describe(payload));
  GstEvent* const late = MakeLateMessages(messages);
  payloads_.clear();
  return late;
}

GstEvent* ConvWorker::TakeLate() {
  if (evidence_ != nullptr && evidence_->waiting() > 0) RenderWaiting(false);
  return Late();
}

GstEvent* ConvWorker::AtEnd() {
  if (evidence_ != nullptr && evidence_->waiting() > 0) RenderWaiting(true);
  if (space_ != nullptr) {
    for (const uint32_t source : space_->Open()) EndTracks(source);
  }
  GstEvent* const late = Late();
  ReportNothing();
  return late;
}

GstEvent* ConvWorker::AtEndOf(uint32_t source) {
  if (space_ == nullptr) return nullptr;
  EndTracks(source);
  return Late();
}

}  // namespace dsmsg
