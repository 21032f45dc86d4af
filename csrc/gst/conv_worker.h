// SPDX-License-Identifier: Apache-2.0
// What dsmsgconv does between start and stop: reads the detections of each buffer, renders
// messages, attaches them. Created and destroyed by the thread that changes the element's state;
// the rest is called by the streaming thread only (GStreamer never lets the two overlap). Warnings
// go to the element's bus.
#ifndef DSMSG_GST_CONV_WORKER_H_
#define DSMSG_GST_CONV_WORKER_H_

#include <gst/gst.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"
#include "gst/conv_settings.h"
#include "gst/roi_reader.h"
#include "msgconv/converter.h"
#include "msgconv/labels.h"
#include "msgconv/source_gate.h"

namespace dsmsg {

class ConvWorker {
 public:
  /// Reads the files that `settings` name and checks what must be there. `element` outlives the
  /// worker.
  static Result<std::unique_ptr<ConvWorker>> Create(GstElement* element,
                                                    const ConvSettings& settings);

  void SetCaps(const GstCaps* caps);
  /// Takes the buffer and gives it back with its messages attached: the same one, or a copy that
  /// shares its memory where others hold it too and there is something to attach.
  GstBuffer* Process(GstBuffer* buffer);

 private:
  struct BytesUnref {
    void operator()(GBytes* bytes) const { g_bytes_unref(bytes); }
  };
  using Bytes = std::unique_ptr<GBytes, BytesUnref>;

  ConvWorker(GstElement* element, const ConvSettings& settings,
             std::shared_ptr<const msgconv::ConvConfig> config, msgconv::Labels labels);

  void Convert(GstBuffer* buffer, msgconv::SourceGate::Source* source);
  void RenderAll(msgconv::SourceGate::Source* source);
  void WriteDebugFile(std::string_view payload, size_t index);
  void ReportMissingGroups(msgconv::SourceGate::Source* source);
  void ReportRegions(const RoiReport& report);
  void ReportUnused();
  void Warn(const std::string& what, const std::string& details = {});

  GstElement* const element_;
  const ConvSettings settings_;
  const msgconv::Labels labels_;
  msgconv::Converter converter_;
  msgconv::SourceGate gate_;
  guint caps_width_ = 0, caps_height_ = 0;
  msgconv::Frame frame_;         // kept for its memory
  std::vector<Bytes> payloads_;  // of the buffer at hand
  uint64_t buffers_ = 0, regions_ = 0;
  // Each is said once.
  bool told_no_parameters_ = false, told_unnamed_ = false, told_debug_ = false;
};

}  // namespace dsmsg

#endif  // DSMSG_GST_CONV_WORKER_H_
