// SPDX-License-Identifier: Apache-2.0
#include "pipeline.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <vector>

namespace dsmsg_demo {
namespace {

using dsmsg::Code;
using dsmsg::Result;
using dsmsg::Status;

// What the detector can do at some 15 frames a second, and where it still finds people.
constexpr char kFit[] =
    "videoscale ! video/x-raw,width=[64,768],height=[64,576],pixel-aspect-ratio=1/1 ! ";

std::string Line(const DemoOptions& options, const Target& target, const std::string& topic) {
  return "filesrc name=file ! decodebin ! videoconvert ! " + std::string(options.fit ? kFit : "") +
         options.detector +
         " name=detect"
         " ! dsmsgconv name=conv msg2p-newapi=true payload-type=1 frame-interval=1"
         " ! dsmsgbroker name=broker adaptor=" +
         target.adaptor + " topic=" + topic + " conn-str=" + target.conn_str();
}

Status ErrorOf(GstMessage* message) {
  GError* error = nullptr;
  gchar* debug = nullptr;
  gst_message_parse_error(message, &error, &debug);
  Status status(Code::kInternal, std::string(GST_OBJECT_NAME(message->src)) + ": " +
                                     error->message +
                                     (debug == nullptr ? "" : std::string(" (") + debug + ")"));
  g_clear_error(&error);
  g_free(debug);
  return status;
}

void PrintWarning(GstMessage* message) {
  GError* error = nullptr;
  gst_message_parse_warning(message, &error, nullptr);
  std::fprintf(stderr, "warning: %s: %s\n", GST_OBJECT_NAME(message->src), error->message);
  g_clear_error(&error);
}

uint64_t Field(const GstStructure* stats, const char* name) {
  guint64 value = 0;
  gst_structure_get_uint64(stats, name, &value);
  return value;
}

void SetText(GstElement* pipeline, const char* element, const char* property,
             const std::string& value) {
  GstElement* found = gst_bin_get_by_name(GST_BIN(pipeline), element);
  g_object_set(found, property, value.c_str(), nullptr);
  gst_object_unref(found);
}

}  // namespace

void UseBuildTreePlugins() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string build = program.parent_path().parent_path().string();
  std::string path = build + "/lib/gstreamer:" + build + "/lib/demo";
  if (const char* before = std::getenv("GST_PLUGIN_PATH"); before != nullptr && *before != '\0') {
    path += std::string(":") + before;
  }
  setenv("GST_PLUGIN_PATH", path.c_str(), 1);
  setenv("GST_REGISTRY", (build + "/gstreamer-registry.bin").c_str(),
         0);  // the user's own stays as it is
}

Result<std::unique_ptr<DemoPipeline>> DemoPipeline::Start(const DemoOptions& options,
                                                          const Target& target,
                                                          const std::string& topic,
                                                          Outage& outage) {
  GError* error = nullptr;
  GstElement* pipeline = gst_parse_launch(Line(options, target, topic).c_str(), &error);
  if (error != nullptr) {
    Status status(Code::kInternal,
                  std::string("cannot make the pipeline: ") + error->message +
                      " (is a GStreamer package missing? scripts/setup demo installs them)");
    g_clear_error(&error);
    if (pipeline != nullptr) gst_object_unref(pipeline);
    return status;
  }
  std::unique_ptr<DemoPipeline> self(new DemoPipeline(pipeline, options.frames, outage));
  SetText(pipeline, "file", "location", options.video);
  SetText(pipeline, "conv", "config", options.source + "/demo/msgconv.txt");
  if (!options.events.empty()) {
    SetText(pipeline, "conv", "space", options.source + "/demo/space.yaml");
    SetText(pipeline, "conv", "evidence", PictureFolder(options));
    SetText(pipeline, "conv", "evidence-config", "pictures=both");
  }
  GstElement* detect = gst_bin_get_by_name(GST_BIN(pipeline), "detect");
  GstPad* pad = gst_element_get_static_pad(detect, "sink");
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, &OnFrame, self.get(), nullptr);
  gst_object_unref(pad);
  gst_object_unref(detect);
  gst_element_set_state(pipeline, GST_STATE_PLAYING);  // a failure is on the bus
  return self;
}

DemoPipeline::~DemoPipeline() {
  gst_element_set_state(pipeline_, GST_STATE_NULL);
  gst_object_unref(pipeline_);
}

/// Lets `frames_` frames through; then, and after RequestEnd(), drops those that were decoded
/// ahead.
GstPadProbeReturn DemoPipeline::OnFrame(GstPad*, GstPadProbeInfo*, gpointer data) {
  auto* self = static_cast<DemoPipeline*>(data);
  if (self->ending_.load()) return GST_PAD_PROBE_DROP;
  const unsigned seen = ++self->seen_;
  if (self->frames_ != 0 && seen > self->frames_) {
    self->ending_.store(true);
    return GST_PAD_PROBE_DROP;
  }
  self->outage_.OnFrame(seen);
  return GST_PAD_PROBE_OK;
}

void DemoPipeline::RequestEnd() { ending_.store(true); }

Result<bool> DemoPipeline::Poll(std::chrono::milliseconds budget) {
  if (ending_.load() && !end_sent_) {
    end_sent_ = true;
    gst_element_send_event(pipeline_, gst_event_new_eos());
  }
  GstBus* bus = gst_element_get_bus(pipeline_);
  GstMessage* message = gst_bus_timed_pop_filtered(
      bus, static_cast<GstClockTime>(budget.count()) * GST_MSECOND,
      static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_WARNING));
  gst_object_unref(bus);
  if (message == nullptr) return false;
  Result<bool> result = false;
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS) result = true;
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING) PrintWarning(message);
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) result = ErrorOf(message);
  gst_message_unref(message);
  return result;
}

DemoPipeline::Counts DemoPipeline::counts() const {
  GstElement* broker = gst_bin_get_by_name(GST_BIN(pipeline_), "broker");
  GstStructure* stats = nullptr;
  g_object_get(broker, "stats", &stats, nullptr);
  const Counts counts = {Field(stats, "rendered"), Field(stats, "payloads"), Field(stats, "ok"),
                         Field(stats, "failed")};
  gst_structure_free(stats);
  gst_object_unref(broker);
  return counts;
}

DemoPipeline::Size DemoPipeline::size() const {
  Size size;
  GstElement* detect = gst_bin_get_by_name(GST_BIN(pipeline_), "detect");
  GstPad* pad = gst_element_get_static_pad(detect, "sink");
  if (GstCaps* caps = gst_pad_get_current_caps(pad)) {
    const GstStructure* video = gst_caps_get_structure(caps, 0);
    gst_structure_get_int(video, "width", &size.width);
    gst_structure_get_int(video, "height", &size.height);
    gst_caps_unref(caps);
  }
  gst_object_unref(pad);
  gst_object_unref(detect);
  return size;
}

}  // namespace dsmsg_demo
