// SPDX-License-Identifier: Apache-2.0
#include "gst/conv_worker.h"

#include <gst/video/video.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "gst/payload_meta.h"

GST_DEBUG_CATEGORY_EXTERN(dsmsg_conv_debug);
#define GST_CAT_DEFAULT dsmsg_conv_debug

namespace dsmsg {
namespace {

// Buffers without anything to convert after which the user is told: a few seconds of video.
constexpr uint64_t kPatience = 100;
constexpr uint64_t kNtpToUnixSeconds = 2208988800;  // 1900 to 1970

GstCaps* TimeCaps(const char* text) {
  GstCaps* caps = gst_caps_from_string(text);
  GST_MINI_OBJECT_FLAG_SET(caps,
                           GST_MINI_OBJECT_FLAG_MAY_BE_LEAKED);  // for the life of the process
  return caps;
}

// When the frame was taken, as far as the source says (rtspsrc and others can attach it); else now.
uint64_t FrameTime(GstBuffer* buffer) {
  static GstCaps* const unix_time = TimeCaps("timestamp/x-unix");
  static GstCaps* const ntp_time = TimeCaps("timestamp/x-ntp");
  if (const auto* meta = gst_buffer_get_reference_timestamp_meta(buffer, unix_time))
    return meta->timestamp;
  if (const auto* meta = gst_buffer_get_reference_timestamp_meta(buffer, ntp_time)) {
    const uint64_t offset = kNtpToUnixSeconds * GST_SECOND;
    if (meta->timestamp >= offset) return meta->timestamp - offset;
  }
  return static_cast<uint64_t>(g_get_real_time()) * 1000;
}

Status CheckDebugDir(const std::string& dir) {
  if (dir.empty() ||
      (g_file_test(dir.c_str(), G_FILE_TEST_IS_DIR) && access(dir.c_str(), W_OK) == 0))
    return {};
  return {Code::kInvalidArgument, "cannot write payloads to debug-payload-dir " + dir +
                                      ": no such folder, or not writable (create it first)"};
}

msgconv::ConverterOptions OptionsOf(const ConvSettings& settings) {
  msgconv::ConverterOptions options;
  if (settings.payload_type == kPayloadMinimal) options.type = msgconv::PayloadType::kMinimal;
  if (settings.minimal_format == kMinimalDelimited)
    options.format = msgconv::MinimalFormat::kDelimited;
  options.one_per_object = settings.multiple_payloads;
  return options;
}

}  // namespace

Result<std::unique_ptr<ConvWorker>> ConvWorker::Create(GstElement* element,
                                                       const ConvSettings& settings) {
  if (Status status = CheckSupported(settings); !status.ok()) return status;
  if (Status status = CheckDebugDir(settings.debug_payload_dir); !status.ok()) return status;
  Result<msgconv::Labels> labels = msgconv::Labels::Load(settings.labels);
  if (!labels.ok()) return labels.status();
  auto config = std::make_shared<msgconv::ConvConfig>();
  if (!settings.config.empty()) {
    Result<msgconv::ConvConfig> loaded = msgconv::ConvConfig::Load(settings.config);
    if (!loaded.ok()) return loaded.status();
    *config = std::move(loaded.value());
  }
  std::unique_ptr<ConvWorker> worker(
      new ConvWorker(element, settings, std::move(config), std::move(labels.value())));
  for (const std::string& warning : worker->converter_.config().warnings()) worker->Warn(warning);
  return worker;
}

ConvWorker::ConvWorker(GstElement* element, const ConvSettings& settings,
                       std::shared_ptr<const msgconv::ConvConfig> config, msgconv::Labels labels)
    : element_(element),
      settings_(settings),
      labels_(std::move(labels)),
      converter_(std::move(config), OptionsOf(settings)),
      gate_(settings.frame_interval, settings.rate) {}

void ConvWorker::SetCaps(const GstCaps* caps) {
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

GstBuffer* ConvWorker::Process(GstBuffer* buffer) {
  ++buffers_;
  msgconv::SourceGate::Source& source = gate_.Find(settings_.source_id);
  if (gate_.AdmitFrame(source) && settings_.new_api) Convert(buffer, &source);
  if (buffers_ == kPatience) ReportUnused();
  if (payloads_.empty()) return buffer;

  DsmsgPayload what;
  what.component_id = settings_.comp_id;
  what.source_id = settings_.source_id;
  what.content_type = DSMSG_CONTENT_JSON;
  what.timestamp_ns = frame_.time_ns;
  buffer = gst_buffer_make_writable(buffer);
  for (const Bytes& payload : payloads_) {
    what.payload = payload.get();
    gst_buffer_add_dsmsg_payload_meta(buffer, what);
  }
  payloads_.clear();
  return buffer;
}

void ConvWorker::Convert(GstBuffer* buffer, msgconv::SourceGate::Source* source) {
  frame_.Clear();
  frame_.source_id = settings_.source_id;
  frame_.number = source->frames - 1;
  frame_.width = caps_width_;
  frame_.height = caps_height_;
  if (const GstVideoMeta* video = gst_buffer_get_video_meta(buffer)) {
    frame_.width = video->width;
    frame_.height = video->height;
  }
  const RoiReport report = ReadRegions(buffer, {&labels_, settings_.min_confidence}, &frame_);
  regions_ += report.regions;
  ReportRegions(report);
  if (frame_.objects.empty()) return;
  frame_.time_ns = FrameTime(buffer);
  ReportMissingGroups(source);
  // The texts in frame_ are the buffer's: all is rendered before Process may replace the buffer.
  RenderAll(source);
  frame_.Clear();
}

void ConvWorker::RenderAll(msgconv::SourceGate::Source* source) {
  const uint64_t now_ns =
      settings_.rate > 0 ? static_cast<uint64_t>(g_get_monotonic_time()) * 1000 : 0;
  const size_t count = converter_.Count(frame_);
  for (size_t i = 0; i < count; ++i) {
    if (!gate_.AdmitMessage(*source, now_ns)) {
      GST_LOG_OBJECT(element_, "source %u: message left out for rate=%g (%" PRIu64 " so far)",
                     settings_.source_id, settings_.rate, source->limited);
      continue;
    }
    const std::string_view payload = converter_.Render(frame_, i);
    payloads_.emplace_back(g_bytes_new(payload.data(), payload.size()));
    if (!settings_.debug_payload_dir.empty()) WriteDebugFile(payload, i);
  }
}

void ConvWorker::WriteDebugFile(std::string_view payload, size_t index) {
  char name[64];
  snprintf(name, sizeof(name), "/source%u-frame%08" PRIu64 "-%03zu.json", settings_.source_id,
           frame_.number, index);
  const std::string path = settings_.debug_payload_dir + name;
  FILE* file = fopen(path.c_str(), "wb");
  bool written =
      file != nullptr && fwrite(payload.data(), 1, payload.size(), file) == payload.size();
  if (file != nullptr && fclose(file) != 0) written = false;
  if (written || told_debug_) return;
  told_debug_ = true;
  Warn("cannot write the payload to " + path + ": " + strerror(errno) +
       " (the pipeline goes on; later failures are not reported)");
}

void ConvWorker::ReportMissingGroups(msgconv::SourceGate::Source* source) {
  if (source->reported) return;
  source->reported = true;
  const msgconv::ConvConfig& config = converter_.config();
  if (config.origin().empty()) {
    GST_INFO_OBJECT(element_, "no config: messages go without sensor, place and analyticsModule");
    return;
  }
  const std::string missing =
      config.Missing(settings_.source_id, settings_.payload_type == kPayloadMinimal);
  if (missing.empty()) return;
  Warn(config.origin() + " has no " + missing + ": messages of source " +
       std::to_string(settings_.source_id) +
       " go without what those groups say (their number is the source id)");
}

void ConvWorker::ReportRegions(const RoiReport& report) {
  if (report.without_parameters > 0 && !told_no_parameters_) {
    told_no_parameters_ = true;
    Warn("regions come without parameters (confidence, tracking id, classes)",
         "A videoconvert that changes the format, or a videoscale, drops them: put the converter "
         "right after the "
         "detector, before any conversion");
  }
  if (report.unnamed_class && !told_unnamed_) {
    told_unnamed_ = true;
    Warn("labels has no name for class " + std::to_string(*report.unnamed_class) + ", it has " +
         std::to_string(labels_.size()) + " names: such regions keep their own label");
  }
}

void ConvWorker::ReportUnused() {
  if (!settings_.new_api) {
    Warn("no message made of " + std::to_string(kPatience) +
         " buffers: with msg2p-newapi=false only event metadata that an application attached is "
         "converted, and "
         "there was none (set msg2p-newapi=true to convert the detected objects)");
  } else if (regions_ == 0) {
    // gst-launch-1.0 prints the details of an INFO, not its text.
    GST_ELEMENT_INFO(
        element_, STREAM, FAILED,
        ("no regions of interest on the first %" PRIu64 " buffers: nothing to send so far",
         kPatience),
        ("No regions of interest on the first %" PRIu64
         " buffers. There may be nothing to see; else: is a detector before the converter, and no "
         "videocrop or videobox, which drop regions, between them?",
         kPatience));
  }
}

void ConvWorker::Warn(const std::string& what, const std::string& details) {
  GST_ELEMENT_WARNING(element_, RESOURCE, SETTINGS, ("%s", what.c_str()), ("%s", details.c_str()));
}

}  // namespace dsmsg
