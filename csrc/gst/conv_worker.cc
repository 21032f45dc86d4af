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

/// The message maker that the settings ask for. `map`: the one that it uses, if it does.
Result<std::unique_ptr<msgconv::PayloadMaker>> MakerOf(
    const ConvSettings& settings, std::shared_ptr<const msgconv::ConvConfig> config,
    std::shared_ptr<const msgconv::Map>* map) {
  using Maker = std::unique_ptr<msgconv::PayloadMaker>;
  if (!settings.msg2p_lib.empty()) {
    auto library = msgconv::CustomLibrary::Load({settings.msg2p_lib, settings.config,
                                                 settings.payload_type, settings.multiple_payloads,
                                                 ConverterOptionsOf(settings).dialect});
    if (!library.ok()) return library.status();
    return Maker(std::move(library.value()));
  }
  if (!settings.map.empty()) {
    auto loaded = msgconv::Map::Load(settings.map);
    if (!loaded.ok()) return loaded.status();
    if (Status status = loaded.value()->NeedMetadata(settings.map); !status.ok()) return status;
    *map = std::move(loaded.value());
    return Maker(std::make_unique<msgconv::MapMaker>(*map, std::move(config)));
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
  std::shared_ptr<const msgconv::Map> map;
  auto maker = MakerOf(settings, config, &map);
  if (!maker.ok()) return maker.status();
  std::unique_ptr<ConvEvidence> evidence;
  std::vector<std::string> warnings = config->warnings();
  if (!settings.evidence.empty()) {
    auto made =
        ConvEvidence::Create(settings.evidence, settings.evidence_config, config, &warnings);
    if (!made.ok()) return made.status();
    evidence = std::move(made.value());
  }
  std::unique_ptr<SpaceEvents> space;
  // A map for tracks needs no lines and zones.
  const bool tracks = map != nullptr && map->wants_tracks();
  if (!settings.space.empty() || tracks) {
    // A map for objects or events makes a message of each event, as the full form does.
    const bool each = map != nullptr && map->each() != msgconv::Map::Each::kFrame;
    auto opened = SpaceEvents::Open(settings.space, each || OnePerObject(settings));
    if (!opened.ok()) return opened.status();
    space = std::move(opened.value());
  }
  counters->buffers = counters->found = counters->messages = 0;
  counters->stored = counters->stored_bytes = counters->lost = 0;
  std::unique_ptr<ConvWorker> worker(
      new ConvWorker(element, settings, counters, std::move(config), std::move(labels.value()),
                     std::move(maker.value()), std::move(evidence), std::move(space), tracks));
  for (const std::string& warning : warnings) worker->Warn(warning);
  return worker;
}

ConvWorker::ConvWorker(GstElement* element, const ConvSettings& settings, ConvCounters* counters,
                       std::shared_ptr<const msgconv::ConvConfig> config, msgconv::Labels labels,
                       std::unique_ptr<msgconv::PayloadMaker> maker,
                       std::unique_ptr<ConvEvidence> evidence, std::unique_ptr<SpaceEvents> space,
                       bool wants_tracks)
    : element_(element),
      settings_(settings),
      labels_(std::move(labels)),
      config_(std::move(config)),
      maker_(std::move(maker)),
      custom_(settings.msg2p_lib.empty() ? nullptr
                                         : static_cast<msgconv::CustomLibrary*>(maker_.get())),
      evidence_(std::move(evidence)),
      input_(settings_, labels_),
      gate_(settings.frame_interval, settings.rate),
      space_(std::move(space)),
      wants_tracks_(wants_tracks),
      counters_(*counters) {}

GstBuffer* ConvWorker::Process(GstBuffer* buffer) {
  ++counters_.buffers;
  if (evidence_ != nullptr) RenderWaiting(false);
  for (const InputFrame& frame : input_.Begin(buffer)) Convert(buffer, frame);
  if (evidence_ != nullptr) RenderWaiting(false);  // those whose pictures are lost at once
  ReportRefusal();
  ReportUnread();
  if (counters_.buffers == kPatience) ReportUnused();
  if (payloads_.empty()) return buffer;
  counters_.messages += payloads_.size();

  buffer = Attach(buffer);
  payloads_.clear();
  return buffer;
}

DsmsgPayload ConvWorker::Describe(const Payload& payload) const {
  DsmsgPayload what;
  what.payload = payload.bytes.get();
  what.component_id = payload.component;
  what.source_id = payload.source;
  what.content_type = ContentType(maker_->content());
  what.timestamp_ns = payload.time_ns;
  return what;
}

// The frames' texts belong to the buffer: everything was rendered before it may be replaced.
GstBuffer* ConvWorker::Attach(GstBuffer* buffer) {
  const void* const batch = input_.batch();
  if (batch == nullptr || !batch_payloads_.Usable(batch)) {
    buffer = gst_buffer_make_writable(buffer);
    for (const Payload& payload : payloads_)
      gst_buffer_add_dsmsg_payload_meta(buffer, Describe(payload));
    return buffer;
  }
  // The lists are newest first.
  for (size_t i = payloads_.size(); i-- > 0;) {
    batch_payloads_.Attach(batch, payloads_[i].frame_meta, Describe(payloads_[i]),
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
         !WantsEvents(which) && (!settings_.new_api || custom_->takes_metadata());
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
  Render(frame_, count, which.meta, source);
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
  emptied_ = false;
  if (settings_.new_api && (admitted || WantsEvents(which))) {
    const InputReport report = input_.AddDetections(which, &frame_);
    counters_.found += report.found;
    refused = refused || report.refused;
    ReportDetections(report);
    if (WantsEvents(which)) KeepEvents(buffer, attached, admitted);
  }
  const bool ended = wants_tracks_ && !frame_.tracks.empty();
  if (frame_.objects.empty() && !ended && (refused || !(emptied_ || WantsEmpty(which, admitted))))
    return;
  if (frame_.time_ns == 0) frame_.time_ns = FrameTime(buffer);
  if (which.scene && frame_.objects.empty()) frame_.sensor_id = frame_.source_sensor;
  ReportMissingGroups(&source);
  if (evidence_ != nullptr && evidence_->Keep(buffer, which, frame_)) return;
  RenderAll(&frame_, which.meta != nullptr ? which.meta : input_.first_frame_meta(), &source);
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

/// Makes events from the tracker's ids, lines and zones, and leaves out objects that make no
/// message.
void ConvWorker::KeepEvents(GstBuffer* buffer, size_t attached, bool admitted) {
  // A buffer without a time among others that have one is as old as the one before.
  if (GST_BUFFER_PTS_IS_VALID(buffer)) last_pts_ = GST_BUFFER_PTS(buffer);
  if (frame_.time_ns == 0) frame_.time_ns = FrameTime(buffer);
  const uint64_t now_ns = GST_CLOCK_TIME_IS_VALID(last_pts_) ? last_pts_ : FrameTime(buffer);
  bool all = settings_.events == kEventsAll && admitted;
  const bool in_picture = space_ != nullptr && !frame_.only_events;  // not a scene in space
  if (in_picture) {
    const auto outcome = space_->Apply(now_ns, ConfiguredSensor(), admitted, attached, &frame_);
    all = all || outcome.everything;
    emptied_ = outcome.changed && !OnePerObject(settings_);
    if (const std::string warning = space_->TakeWarning(); !warning.empty()) Warn(warning);
  }
  if (settings_.events != kEventsNone) tracks_.Apply(now_ns, &frame_);
  if (in_picture) space_->NameEvents(attached, &frame_);
  if (all) return;
  auto& objects = frame_.objects;
  objects.erase(std::remove_if(objects.begin() + static_cast<ptrdiff_t>(attached), objects.end(),
                               [](const msgconv::Object& object) {
                                 return object.event == msgconv::EventType::kNone &&
                                        object.event_type.empty();
                               }),
                objects.end());
}

bool ConvWorker::WantsEvents(const InputFrame& which) const {
  return settings_.events != kEventsNone || (space_ != nullptr && !which.scene);
}

std::string_view ConvWorker::ConfiguredSensor() const {
  const msgconv::SensorInfo* const sensor = config_->Sensor(frame_.source_id);
  return sensor == nullptr ? std::string_view() : sensor->id;
}

void ConvWorker::Flush() {
  tracks_ = {};
  if (space_ != nullptr) space_->Restart();
}

void ConvWorker::RenderAll(msgconv::Frame* frame, const void* frame_meta,
                           msgconv::SourceGate::Source* source) {
  const bool each = OnePerObject(settings_) && !LibraryTakesWholeFrames();
  const bool dummy = frame->objects.empty();
  if (dummy && each) frame->objects.emplace_back();
  size_t count = maker_->Count(*frame);
  // The built-in forms for a whole frame count no objects; a library or a map may make no message
  // from one.
  const bool built_in = custom_ == nullptr && settings_.map.empty();
  if (dummy && !each && built_in) count = std::max<size_t>(count, 1);
  Render(*frame, count, frame_meta, source);
}

void ConvWorker::Render(const msgconv::Frame& frame, size_t count, const void* frame_meta,
                        msgconv::SourceGate::Source* source) {
  const uint64_t now_ns =
      settings_.rate > 0 ? static_cast<uint64_t>(g_get_monotonic_time()) * 1000 : 0;
  for (size_t i = 0; i < count; ++i) {
    if (!gate_.AdmitMessage(*source, now_ns)) {
      GST_LOG_OBJECT(element_, "source %u: message left out for rate=%g (%" PRIu64 " so far)",
                     frame.source_id, settings_.rate, source->limited);
      continue;
    }
    const std::string_view bytes = maker_->Render(frame, i);
    if (bytes.empty()) continue;
    Payload payload;
    payload.bytes.reset(g_bytes_new(bytes.data(), bytes.size()));
    payload.component = settings_.comp_id;
    if (payload.component == 0 || payload.component == kDsmsgAnyComponent)
      payload.component = maker_->ComponentId(frame, i);
    payload.source = frame.source_id;
    payload.time_ns = frame.time_ns;
    payload.frame_meta = frame_meta;
    if (!settings_.debug_payload_dir.empty()) WriteDebugFile(frame, bytes);
    payloads_.push_back(std::move(payload));
  }
}

void ConvWorker::WriteDebugFile(const msgconv::Frame& frame, std::string_view payload) {
  // A frame may have further messages later: about tracks that end with it.
  const auto which = std::pair(frame.source_id, frame.number);
  const size_t index = std::exchange(debug_frame_, which) == which ? debug_index_ + 1 : 0;
  debug_index_ = index;
  char name[64];
  snprintf(name, sizeof(name), "/source%u-frame%08" PRIu64 "-%03zu.%s", frame.source_id,
           frame.number, index, Ending(maker_->content()));
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

}  // namespace dsmsg
