// SPDX-License-Identifier: Apache-2.0
#include "gst/conv_worker.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "gst/payload_meta.h"
#include "msgconv/converter.h"
#include "msgconv/map_maker.h"

GST_DEBUG_CATEGORY_EXTERN(dsmsg_conv_debug);
#define GST_CAT_DEFAULT dsmsg_conv_debug

namespace dsmsg {
namespace {

// Number of buffers without anything to convert after which the user is warned: a few seconds of
// video.
constexpr uint64_t kPatience = 100;
constexpr uint64_t kNtpToUnixSeconds = 2208988800;  // 1900 to 1970

GstCaps* TimeCaps(const char* text) {
  GstCaps* caps = gst_caps_from_string(text);
  GST_MINI_OBJECT_FLAG_SET(caps,
                           GST_MINI_OBJECT_FLAG_MAY_BE_LEAKED);  // for the life of the process
  return caps;
}

// When the frame was taken, if the source says so (rtspsrc and others can attach it); otherwise
// now.
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

/// The message maker that the settings ask for.
Result<std::unique_ptr<msgconv::PayloadMaker>> MakerOf(
    const ConvSettings& settings, std::shared_ptr<const msgconv::ConvConfig> config) {
  using Maker = std::unique_ptr<msgconv::PayloadMaker>;
  if (!settings.msg2p_lib.empty()) {
    auto library = msgconv::CustomLibrary::Load({settings.msg2p_lib, settings.config,
                                                 settings.payload_type, settings.multiple_payloads,
                                                 ConverterOptionsOf(settings).dialect});
    if (!library.ok()) return library.status();
    return Maker(std::move(library.value()));
  }
  if (!settings.map.empty()) {
    auto map = msgconv::Map::Load(settings.map);
    if (!map.ok()) return map.status();
    return Maker(std::make_unique<msgconv::MapMaker>(std::move(map.value()), std::move(config)));
  }
  return msgconv::MakeConverter(std::move(config), ConverterOptionsOf(settings));
}

DsmsgContentType ContentType(msgconv::Content content) {
  switch (content) {
    case msgconv::Content::kJson:
      return DSMSG_CONTENT_JSON;
    case msgconv::Content::kProtobuf:
      return DSMSG_CONTENT_PROTOBUF;
    case msgconv::Content::kUnknown:
      break;
  }
  return DSMSG_CONTENT_CUSTOM;
}

const char* Ending(msgconv::Content content) {
  switch (content) {
    case msgconv::Content::kJson:
      return "json";
    case msgconv::Content::kProtobuf:
      return "pb";
    case msgconv::Content::kUnknown:
      break;
  }
  return "bin";
}

}  // namespace

Result<std::unique_ptr<ConvWorker>> ConvWorker::Create(GstElement* element,
                                                       const ConvSettings& settings,
                                                       ConvCounters* counters) {
  if (Status status = CheckSettings(settings); !status.ok()) return status;
  if (Status status = CheckDebugDir(settings.debug_payload_dir); !status.ok()) return status;
  Result<msgconv::Labels> labels = msgconv::Labels::Load(settings.labels);
  if (!labels.ok()) return labels.status();
  auto config = std::make_shared<msgconv::ConvConfig>();
  // A payload library reads the file itself, in whatever form it likes.
  if (!settings.config.empty() && settings.msg2p_lib.empty()) {
    Result<msgconv::ConvConfig> loaded = msgconv::ConvConfig::Load(settings.config);
    if (!loaded.ok()) return loaded.status();
    *config = std::move(loaded.value());
  }
  auto maker = MakerOf(settings, config);
  if (!maker.ok()) return maker.status();
  counters->buffers = counters->found = counters->messages = 0;
  std::unique_ptr<ConvWorker> worker(new ConvWorker(element, settings, counters, std::move(config),
                                                    std::move(labels.value()),
                                                    std::move(maker.value())));
  for (const std::string& warning : worker->config_->warnings()) worker->Warn(warning);
  return worker;
}

ConvWorker::ConvWorker(GstElement* element, const ConvSettings& settings, ConvCounters* counters,
                       std::shared_ptr<const msgconv::ConvConfig> config, msgconv::Labels labels,
                       std::unique_ptr<msgconv::PayloadMaker> maker)
    : element_(element),
      settings_(settings),
      labels_(std::move(labels)),
      config_(std::move(config)),
      maker_(std::move(maker)),
      custom_(settings.msg2p_lib.empty() ? nullptr
                                         : static_cast<msgconv::CustomLibrary*>(maker_.get())),
      input_(settings_, labels_),
      gate_(settings.frame_interval, settings.rate),
      counters_(*counters) {}

GstBuffer* ConvWorker::Process(GstBuffer* buffer) {
  ++counters_.buffers;
  for (const InputFrame& frame : input_.Begin(buffer)) Convert(buffer, frame);
  ReportRefusal();
  ReportUnread();
  if (counters_.buffers == kPatience) ReportUnused();
  if (payloads_.empty()) return buffer;
  counters_.messages += payloads_.size();

  buffer = Attach(buffer);
  payloads_.clear();
  return buffer;
}

// The frames' texts belong to the buffer: everything was rendered before it may be replaced.
GstBuffer* ConvWorker::Attach(GstBuffer* buffer) {
  const auto describe = [this](const Payload& payload) {
    DsmsgPayload what;
    what.payload = payload.bytes.get();
    what.component_id = payload.component;
    what.source_id = payload.source;
    what.content_type = ContentType(maker_->content());
    what.timestamp_ns = payload.time_ns;
    return what;
  };
  const void* const batch = input_.batch();
  if (batch == nullptr || !batch_payloads_.Usable(batch)) {
    buffer = gst_buffer_make_writable(buffer);
    for (const Payload& payload : payloads_)
      gst_buffer_add_dsmsg_payload_meta(buffer, describe(payload));
    return buffer;
  }
  // The lists are newest first.
  for (size_t i = payloads_.size(); i-- > 0;) {
    batch_payloads_.Attach(batch, payloads_[i].frame_meta, describe(payloads_[i]),
                           static_cast<guint32>(i), ConverterNumber(element_));
  }
  return buffer;
}

/// Whether this frame's turn has come: by its own number, if the batch counts frames, so that the
/// frames of all its cameras are chosen alike. DeepStream's converter takes every scene.
bool ConvWorker::Admit(const InputFrame& which, msgconv::SourceGate::Source* source) const {
  const bool counted = gate_.AdmitFrame(*source);
  if (which.scene && settings_.dialect == kDialectDeepStream) return true;
  return which.number ? *which.number % std::max(settings_.frame_interval, 1U) == 0 : counted;
}

/// Whether the library reads DeepStream's own structures. Events from tracking ids are ours.
bool ConvWorker::PassesOn(const InputFrame& which) const {
  return custom_ != nullptr && which.in_batch && !which.scene && !custom_->takes_frames() &&
         settings_.events == kEventsNone && (!settings_.new_api || custom_->takes_metadata());
}

void ConvWorker::PassOn(GstBuffer* buffer, const InputFrame& which, bool admitted,
                        msgconv::SourceGate::Source* source) {
  size_t count = 0;
  if (!settings_.new_api) {
    input_.ListEvents(which, &events_);
    counters_.found += events_.size();
    count = custom_->CountOf(events_);
  } else if (admitted && input_.ListObjects(which, &objects_)) {
    counters_.found += objects_.size();
    count = custom_->CountOf(which.meta, input_.is_sound(), objects_);
  }
  if (count == 0) return;
  input_.Describe(which, &frame_);
  if (frame_.time_ns == 0) frame_.time_ns = FrameTime(buffer);
  Render(count, which.meta, source);
}

void ConvWorker::Convert(GstBuffer* buffer, InputFrame which) {
  msgconv::SourceGate::Source& source = gate_.Find(which.source);
  const bool admitted = Admit(which, &source);
  if (PassesOn(which)) {
    input_.Prepare(which, &frame_);
    PassOn(buffer, which, admitted, &source);
    which.in_batch.reset();  // the rest is on the buffer
    if (!which.own_events && !which.own_detections) return;
  }
  input_.Prepare(which, &frame_);
  frame_.number = source.frames - 1;
  const InputReport events = input_.AddEvents(which, &frame_);
  counters_.found += events.found;
  bool refused = events.refused;
  frame_.only_events = !settings_.new_api || which.scene;  // as DeepStream's converter has scenes
  const size_t attached = frame_.objects.size();
  if (settings_.new_api && (admitted || settings_.events != kEventsNone)) {
    const InputReport report = input_.AddDetections(which, &frame_);
    counters_.found += report.found;
    refused = refused || report.refused;
    ReportDetections(report);
    if (settings_.events != kEventsNone) KeepEvents(buffer, attached, admitted);
  }
  if (frame_.objects.empty() && (refused || !WantsEmpty(which, admitted))) return;
  if (frame_.time_ns == 0) frame_.time_ns = FrameTime(buffer);
  if (which.scene && frame_.objects.empty()) frame_.sensor_id = frame_.source_sensor;
  ReportMissingGroups(&source);
  RenderAll(which.meta != nullptr ? which.meta : input_.first_frame_meta(), &source);
}

/// Whether a frame without objects has a message.
bool ConvWorker::WantsEmpty(const InputFrame& which, bool admitted) {
  if (input_.batch() != nullptr && !which.in_batch) return false;  // the batch has no such frame
  bool wanted = WantsEmptyFrames(settings_, which.scene);
  if (custom_ != nullptr && custom_->takes_frames() && settings_.dialect == kDialectDeepStream) {
    // As without the library.
    wanted = settings_.payload_type != kPayloadFull &&
             (wanted || (LibraryTakesWholeFrames() && settings_.new_api));
  }
  return wanted && (admitted || !settings_.new_api);
}

/// Whether a library makes one message from each frame, with or without objects.
bool ConvWorker::LibraryTakesWholeFrames() const {
  const bool whole =
      settings_.payload_type == kPayloadMinimal || settings_.payload_type == kPayloadProtobuf;
  return custom_ != nullptr && custom_->takes_frames() && whole && !settings_.multiple_payloads;
}

/// Makes events from the tracker's ids, and leaves out objects that make no message.
void ConvWorker::KeepEvents(GstBuffer* buffer, size_t attached, bool admitted) {
  // A buffer without a time among others that have one is as old as the one before.
  if (GST_BUFFER_PTS_IS_VALID(buffer)) last_pts_ = GST_BUFFER_PTS(buffer);
  tracks_.Apply(GST_CLOCK_TIME_IS_VALID(last_pts_) ? last_pts_ : FrameTime(buffer), &frame_);
  if (settings_.events == kEventsAll && admitted) return;
  auto& objects = frame_.objects;
  objects.erase(std::remove_if(objects.begin() + static_cast<ptrdiff_t>(attached), objects.end(),
                               [](const msgconv::Object& object) {
                                 return object.event == msgconv::EventType::kNone;
                               }),
                objects.end());
}

void ConvWorker::RenderAll(const void* frame_meta, msgconv::SourceGate::Source* source) {
  const bool each = OnePerObject(settings_) && !LibraryTakesWholeFrames();
  const bool dummy = frame_.objects.empty();
  if (dummy && each) frame_.objects.emplace_back();
  size_t count = maker_->Count(frame_);
  // The built-in forms for a whole frame count no objects; a library or a map may make no message
  // from one.
  const bool built_in = custom_ == nullptr && settings_.map.empty();
  if (dummy && !each && built_in) count = std::max<size_t>(count, 1);
  Render(count, frame_meta, source);
}

void ConvWorker::Render(size_t count, const void* frame_meta, msgconv::SourceGate::Source* source) {
  const uint64_t now_ns =
      settings_.rate > 0 ? static_cast<uint64_t>(g_get_monotonic_time()) * 1000 : 0;
  for (size_t i = 0; i < count; ++i) {
    if (!gate_.AdmitMessage(*source, now_ns)) {
      GST_LOG_OBJECT(element_, "source %u: message left out for rate=%g (%" PRIu64 " so far)",
                     frame_.source_id, settings_.rate, source->limited);
      continue;
    }
    const std::string_view bytes = maker_->Render(frame_, i);
    if (bytes.empty()) continue;
    Payload payload;
    payload.bytes.reset(g_bytes_new(bytes.data(), bytes.size()));
    payload.component = settings_.comp_id;
    if (payload.component == 0 || payload.component == kDsmsgAnyComponent)
      payload.component = maker_->ComponentId(frame_, i);
    payload.source = frame_.source_id;
    payload.time_ns = frame_.time_ns;
    payload.frame_meta = frame_meta;
    if (!settings_.debug_payload_dir.empty()) WriteDebugFile(bytes, payloads_.size());
    payloads_.push_back(std::move(payload));
  }
}

void ConvWorker::WriteDebugFile(std::string_view payload, size_t index) {
  char name[64];
  snprintf(name, sizeof(name), "/source%u-frame%08" PRIu64 "-%03zu.%s", frame_.source_id,
           frame_.number, index, Ending(maker_->content()));
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
  const msgconv::ConvConfig& config = *config_;
  if (!settings_.msg2p_lib.empty()) return;
  if (config.origin().empty()) {
    GST_INFO_OBJECT(element_,
                    "no config: messages are sent without sensor, place and analyticsModule");
    return;
  }
  const std::string missing =
      config.Missing(frame_.source_id, settings_.payload_type != kPayloadFull);
  if (missing.empty()) return;
  Warn(config.origin() + " has no " + missing + ": messages of source " +
       std::to_string(frame_.source_id) +
       " lack what those groups would add (their number is the source id)");
}

void ConvWorker::ReportDetections(const InputReport& report) {
  if (report.without_parameters > 0 && !told_no_parameters_) {
    told_no_parameters_ = true;
    Warn("regions come without parameters (confidence, tracking id, classes)",
         "A videoconvert that changes the format, or a videoscale, drops the parameters: put the "
         "converter right after the detector, before any conversion");
  }
  if (report.unnamed_class && !told_unnamed_) {
    told_unnamed_ = true;
    Warn("labels has no name for class " + std::to_string(*report.unnamed_class) + ", only " +
         std::to_string(labels_.size()) + " names: such regions keep their own label");
  }
}

void ConvWorker::ReportRefusal() {
  if (const std::string note = input_.TakeNote(); !note.empty() && !told_note_) {
    told_note_ = true;
    GST_ELEMENT_INFO(element_, STREAM, FORMAT, ("%s", note.c_str()), ("%s", note.c_str()));
  }
  if (told_refusal_ || input_.refusal().empty()) return;
  told_refusal_ = true;
  Warn(input_.refusal());
}

void ConvWorker::ReportUnread() {
  if (told_unread_ || input_.unread().empty()) return;
  told_unread_ = true;
  // gst-launch-1.0 prints the details of an INFO, not its text.
  GST_ELEMENT_INFO(element_, STREAM, FORMAT, ("analytics metadata of unknown types is not read"),
                   ("analytics metadata of the types %s is not read: messages do not have it",
                    input_.unread().c_str()));
}

void ConvWorker::AtEnd() {
  if (counters_.buffers == 0 || counters_.messages > 0 || told_refusal_) return;
  if (counters_.found == 0) {
    ReportUnused();
  } else {
    ReportFiltered();
  }
}

void ConvWorker::ReportUnused() {
  if (counters_.found > 0 || told_unused_) return;
  told_unused_ = true;
  const uint64_t buffers = counters_.buffers;
  if (!settings_.new_api) {
    Warn("no message made from " + std::to_string(buffers) +
         (buffers == 1 ? " buffer" : " buffers") +
         ": with msg2p-newapi=false only event metadata that an application attached is converted, "
         "and there was none (set msg2p-newapi=true to convert the detected objects)");
  } else {
    // gst-launch-1.0 prints the details of an INFO, not its text.
    GST_ELEMENT_INFO(
        element_, STREAM, FAILED,
        ("no detections on the first %" PRIu64 " buffers: nothing to send so far", buffers),
        ("No detections (regions of interest, analytics metadata, DeepStream objects) on the first "
         "%" PRIu64
         " buffers. Perhaps there is nothing to see. Otherwise: is there a detector before the "
         "converter, and no videocrop or videobox (they drop regions) between them?",
         buffers));
  }
}

/// There were objects or events, but the settings left all of them out.
void ConvWorker::ReportFiltered() {
  std::string settings;
  const auto name = [&settings](bool set, const char* property) {
    if (set) settings += (settings.empty() ? "" : ", ") + std::string(property);
  };
  name(settings_.comp_id != 0 && settings_.comp_id != G_MAXUINT, "comp-id");
  name(settings_.events != kEventsNone, "events (which needs objects with a tracking id)");
  name(settings_.min_confidence > 0, "min-confidence");
  name(!settings_.msg2p_lib.empty(), "msg2p-lib");
  if (settings.empty()) return;
  const std::string text = "no message made, although " + std::to_string(counters_.found) +
                           " objects and events arrived: left out by " + settings;
  // Uncertain objects may be left out on purpose.
  if (settings == "min-confidence") {
    GST_ELEMENT_INFO(element_, STREAM, FAILED, ("%s", text.c_str()), ("%s", text.c_str()));
  } else {
    Warn(text);
  }
}

void ConvWorker::Warn(const std::string& what, const std::string& details) {
  GST_ELEMENT_WARNING(element_, RESOURCE, SETTINGS, ("%s", what.c_str()), ("%s", details.c_str()));
}

}  // namespace dsmsg
