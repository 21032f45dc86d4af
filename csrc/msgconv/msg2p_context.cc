// SPDX-License-Identifier: Apache-2.0
#include "msgconv/msg2p_context.h"

#include <glib.h>

#include <algorithm>
#include <cstring>

#include "core/base/fork.h"

namespace dsmsg::msgconv {
namespace {

Result<ConverterOptions> OptionsOf(int type, const ConvConfig& config) {
  ConverterOptions options;
  switch (type) {
    case NVDS_PAYLOAD_DEEPSTREAM:
    case NVDS_PAYLOAD_DEEPSTREAM_MINIMAL:
    case NVDS_PAYLOAD_DEEPSTREAM_PROTOBUF:
      options.type = static_cast<PayloadType>(type);
      options.format = config.minimal_format();
      return options;
    case NVDS_PAYLOAD_RESERVED:
    case NVDS_PAYLOAD_CUSTOM:
      return Status(Code::kNotSupported,
                    "payload type " + std::to_string(type) +
                        " (custom) is made by your own library: name it with the converter's "
                        "property msg2p-lib (this library makes the types 0, 1 and 2)");
    default:
      return Status(Code::kInvalidArgument, "unknown payload type " + std::to_string(type) +
                                                ": 0 is full (JSON), 1 minimal (JSON), 2 protobuf");
  }
}

// Logs what a user should know about a release before looking for missing fields.
void TellRelease(const DeepStream& deepstream, const EventTail& tail) {
  if (!deepstream.present) return;
  const std::string release = deepstream.release ? std::to_string(deepstream.release->major) + "." +
                                                       std::to_string(deepstream.release->minor)
                                                 : std::string("of an unknown release");
  if (tail.video_path == kNotThere) {
    Msg2pLog().Warn("the events of DeepStream " + release + " (" + deepstream.how +
                    ") are only partly known: videoPath, otherAttrs, the class's own fields "
                    "(extMsg), pose and embedding are not read");
  } else {
    Msg2pLog().Info("reading events as DeepStream " + release + " has them (" + deepstream.how +
                    ")");
  }
}

}  // namespace

Logger& Msg2pLog() {
  static PerProcess<Logger> logger;
  return logger.Get("MSGCONV");
}

NvDsPayload* MakePayload(std::string_view bytes, uint32_t component_id) {
  auto* const payload = static_cast<NvDsPayload*>(g_malloc0(sizeof(NvDsPayload)));
  auto* const copy = static_cast<char*>(g_malloc(bytes.size() + 1));
  std::memcpy(copy, bytes.data(), bytes.size());
  copy[bytes.size()] = '\0';
  payload->payload = copy;
  payload->payloadSize = static_cast<unsigned>(bytes.size());
  payload->componentId = component_id == kAnyComponent ? 0 : component_id;
  return payload;
}

void FreePayload(NvDsPayload* payload) {
  if (payload == nullptr) return;
  g_free(payload->payload);
  g_free(payload);
}

Result<std::unique_ptr<Msg2pContext>> Msg2pContext::Create(const char* file, int type) {
  auto config = std::make_shared<ConvConfig>();
  if (file != nullptr && *file != '\0') {
    Result<ConvConfig> loaded = ConvConfig::Load(file);
    if (!loaded.ok()) return loaded.status();
    *config = std::move(loaded.value());
  }
  const Result<ConverterOptions> options = OptionsOf(type, *config);
  if (!options.ok()) return options.status();
  const DeepStream deepstream = FindDeepStream();
  const Result<EventTail> tail = EventTailOf(deepstream);
  if (!tail.ok()) return tail.status();
  for (const std::string& warning : config->warnings()) Msg2pLog().Warn(warning);
  TellRelease(deepstream, tail.value());
  return std::unique_ptr<Msg2pContext>(
      new Msg2pContext(std::move(config), options.value(), tail.value()));
}

Msg2pContext::Msg2pContext(std::shared_ptr<const ConvConfig> config,
                           const ConverterOptions& options, const EventTail& tail)
    : config_(std::move(config)),
      options_(options),
      full_(options.type == PayloadType::kFull),
      deepstream_dialect_(config_->dialect().value_or(Dialect::kDeepStream)),
      events_(tail) {
  metas_.KeepEmptyResults(deepstream_dialect_ == Dialect::kDeepStream);
}

PayloadMaker* Msg2pContext::MakerOf(Dialect dialect) {
  std::unique_ptr<PayloadMaker>& maker = makers_[static_cast<size_t>(dialect)];
  if (maker == nullptr) {
    ConverterOptions options = options_;
    options.dialect = dialect;
    maker = MakeConverter(config_, options);
  }
  return maker.get();
}

void Msg2pContext::Append(PayloadMaker* maker, Want want, Payloads* payloads) {
  // A host that passes a frame without objects wants a message; a full one needs an object.
  const size_t count = std::max<size_t>(maker->Count(frame_), full_ ? 0 : 1);
  const size_t last = want == Want::kOne ? std::min<size_t>(count, 1) : count;
  if (last < count) {
    Msg2pLog().Limited(LogLevel::kWarn, "one of many",
                       "only the first of " + std::to_string(count) +
                           " objects goes into the message: a full message holds one; call "
                           "nvds_msg2p_generate_multiple() or nvds_msg2p_generate_multiple_new()");
  }
  for (size_t i = 0; i < last; ++i) {
    const std::string_view bytes = maker->Render(frame_, i);
    payloads->push_back(MakePayload(bytes, maker->ComponentId(frame_, i)));
  }
}

Result<Msg2pContext::Payloads> Msg2pContext::FromEvents(std::span<const NvDsEvent> events,
                                                        Want want) {
  const std::lock_guard lock(mutex_);
  Payloads payloads;
  // A message that holds several objects names one sensor: the events of each go together.
  std::vector<NvDsEvent> sorted(events.begin(), events.end());
  const bool together = want == Want::kOne;
  const auto sensor_of = [](const NvDsEvent& event) {
    return event.metadata == nullptr ? 0 : event.metadata->sensorId;
  };
  if (!together && !full_) {
    std::stable_sort(sorted.begin(), sorted.end(), [&](const NvDsEvent& a, const NvDsEvent& b) {
      return sensor_of(a) < sensor_of(b);
    });
  }
  for (size_t first = 0; first < sorted.size();) {
    size_t end = together ? sorted.size() : first + 1;
    while (!full_ && end < sorted.size() && sensor_of(sorted[end]) == sensor_of(sorted[first])) {
      ++end;
    }
    const std::span part(sorted.data() + first, end - first);
    if (Status status = events_.Read(part, &frame_); !status.ok()) {
      for (NvDsPayload* payload : payloads) FreePayload(payload);
      return status;
    }
    frame_.only_events = true;
    Append(MakerOf(deepstream_dialect_), want, &payloads);
    first = end;
  }
  if (const std::string note = events_.TakeNote(); !note.empty()) {
    Msg2pLog().Limited(LogLevel::kWarn, note, note);
  }
  return payloads;
}

Result<Msg2pContext::Payloads> Msg2pContext::FromNoEvents(const NvDsEvent& head) {
  const std::lock_guard lock(mutex_);
  if (Status status = events_.Read({&head, 1}, &frame_); !status.ok()) return status;
  frame_.objects.clear();
  frame_.only_events = true;
  Payloads payloads;
  Append(MakerOf(deepstream_dialect_), Want::kOne, &payloads);
  return payloads;
}

Result<Msg2pContext::Payloads> Msg2pContext::FromFrame(const DsmsgFrame* frame, Want want) {
  const std::lock_guard lock(mutex_);
  if (Status status = ReadFrame(frame, &frame_); !status.ok()) return status;
  const Dialect host = DialectOf(*frame).value_or(Dialect::kDsmsg);
  Payloads payloads;
  Append(MakerOf(config_->dialect().value_or(host)), want, &payloads);
  return payloads;
}

Result<Msg2pContext::Payloads> Msg2pContext::FromMetaInfo(const NvDsMsg2pMetaInfo& info,
                                                          Want want) {
  if (info.frameMeta == nullptr) {
    return Status(Code::kNotSupported,
                  "NvDsMsg2pMetaInfo has no frame: data maps of DeepStream's ds3d elements are not "
                  "read by this library");
  }
  const std::lock_guard lock(mutex_);
  frame_ = {};
  if (Status status = metas_.OpenFrame(info.frameMeta); !status.ok()) return status;
  frame_.source_id = metas_.Source(0);
  if (Status status = metas_.ReadObjects(0, &frame_); !status.ok()) return status;
  if (full_ && info.objMeta != nullptr) {  // the frame's own messages stay
    frame_.objects.clear();
    if (Status status = metas_.ReadObject(info.objMeta, &frame_); !status.ok()) return status;
  }
  Payloads payloads;
  Append(MakerOf(deepstream_dialect_), want, &payloads);
  return payloads;
}

}  // namespace dsmsg::msgconv
