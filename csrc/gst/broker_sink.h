// SPDX-License-Identifier: Apache-2.0
// What the element dsmsgbroker does, as a C++ class; dsmsgbroker.cc is the GObject around it.
#ifndef DSMSG_GST_BROKER_SINK_H_
#define DSMSG_GST_BROKER_SINK_H_

#include <gst/base/gstbasesink.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "core/options/topic_template.h"
#include "gst/deepstream_reader.h"
#include "gst/input_check.h"
#include "gst/payload_meta.h"
#include "gst/send_engine.h"
#include "gst/sink_reporter.h"
#include "gst/sink_settings.h"
#include "gst/sink_stats.h"

namespace dsmsg {

/// Threads: properties (SetProperty, GetProperty, Stats) from any thread; Unlock and UnlockStop
/// from the thread that changes the state; Start and Stop likewise, when there is no streaming
/// thread; Render, RenderLate, DrainAtEos and SetCaps on the streaming thread, with GStreamer's
/// preroll lock held. The element's object lock guards settings_, engine_, counters_ and
/// last_stats_ as pointers; it is never held while an adaptor is called or a message posted.
class BrokerSink {
 public:
  explicit BrokerSink(GstBaseSink* element) : element_(element) {}
  ~BrokerSink();
  BrokerSink(const BrokerSink&) = delete;
  BrokerSink& operator=(const BrokerSink&) = delete;

  /// False: no such setting. `*late`: it was changed, but only takes effect at the next start.
  bool SetProperty(guint id, const GValue* value, bool* late);
  bool GetProperty(guint id, GValue* value);

  bool Start();
  bool Stop();
  /// On the way from READY to PAUSED: starts again if settings were changed since Start.
  bool Renew();
  void SetCaps(const GstCaps* caps) {
    input_.SetCaps(caps);
    foreign_.clear();  // what is upstream may have changed
  }
  void Unlock();
  void UnlockStop();
  /// Called before the change from PLAYING to PAUSED and after the change from PAUSED to PLAYING.
  void Pausing();
  void Playing();
  void Preroll();
  GstFlowReturn Render(GstBuffer* buffer);
  /// Messages that came without a frame (late_messages.h).
  GstFlowReturn RenderLate(GstBuffer* messages);
  /// At end of stream: waits for the messages in flight, at most flush-timeout. False: flushing.
  bool DrainAtEos();

 private:
  bool Check(const SinkSettings& settings);
  bool MakeTemplate(const SinkSettings& settings);
  bool Connect(const SinkSettings& settings);
  GstFlowReturn SendPayloads(GstBuffer* buffer, uint64_t* found);
  GstFlowReturn SendDeepStreamPayloads(GstBuffer* buffer, uint64_t* found);
  bool OfAnotherBranch(uint64_t converter);
  bool Filtered(uint32_t component);
  GstFlowReturn SendOwnBytes(GstBuffer* buffer);
  GstFlowReturn Send(OutPayload payload);
  void RenderTopic(OutPayload* payload);
  std::shared_ptr<SendEngine> Engine() const;
  GstStructure* Stats() const;

  GstBaseSink* const element_;
  SinkSettings settings_;
  std::shared_ptr<SendEngine> engine_;
  std::shared_ptr<RenderCounters> counters_ = std::make_shared<RenderCounters>();
  GstStructure* last_stats_ = nullptr;  // after Stop

  // Set by Start, read by the streaming thread.
  SinkSettings started_with_;
  std::unique_ptr<SinkReporter> reporter_;
  std::optional<Template> template_;
  std::string topic_;
  guint comp_id_ = 0;
  std::chrono::milliseconds flush_timeout_{0};

  // Of the streaming thread.
  InputCheck input_{GST_ELEMENT(element_)};
  bool said_refusal_ = false;
  DeepStreamReader deepstream_;
  std::unordered_map<uint64_t, bool> foreign_;  // by converter: OfAnotherBranch()
  std::chrono::steady_clock::time_point next_template_warning_;
};

}  // namespace dsmsg

#endif  // DSMSG_GST_BROKER_SINK_H_
