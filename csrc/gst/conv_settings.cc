// SPDX-License-Identifier: Apache-2.0
#include "gst/conv_settings.h"

#include "gst/type_names.h"

namespace dsmsg {
namespace {

enum Property : guint {
  kConfig = 1,
  kPayloadType,
  kCompId,
  kMsg2pLib,
  kFrameInterval,
  kMsg2pNewApi,
  kDebugPayloadDir,
  kMultiplePayloads,
  kDummyPayload,
  kMinimalFormat,
  kLabels,
  kMinConfidence,
  kEvents,
  kRate,
  kSourceId,
  kDialect,
  kEmbeddingFilter,
  kMap,
  kEvidence,
  kEvidenceConfig,
  kSpace,
};

#ifdef DSMSG_GST_COMPAT
constexpr gint kDefaultDialect = kDialectDeepStream;
#else
constexpr gint kDefaultDialect = kDialectDsmsg;
#endif

// Read at start: a change while playing would only take effect at the next start.
constexpr auto kFlags =
    static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);

GType PayloadTypeType() {
  // The first names are DeepStream's: both they and the short ones work in gst-launch-1.0.
  static const GEnumValue values[] = {
      {kPayloadFull, "PAYLOAD_DEEPSTREAM", "deepstream"},
      {kPayloadMinimal, "PAYLOAD_DEEPSTREAM_MINIMAL", "minimal"},
      {kPayloadProtobuf, "PAYLOAD_DEEPSTREAM_PROTOBUF", "protobuf"},
      {kPayloadReserved, "PAYLOAD_RESERVED", "reserved"},
      {kPayloadCustom, "PAYLOAD_CUSTOM", "custom"},
      {0, nullptr, nullptr},
  };
  static const GType type = g_enum_register_static(DSMSG_GST_TYPE_NAME("PayloadType"), values);
  return type;
}

GType MinimalFormatType() {
  static const GEnumValue values[] = {
      {kMinimalObjects, "A JSON object for each detected object", "objects"},
      {kMinimalDelimited, "A text for each detected object, with fields separated by |",
       "delimited"},
      {kMinimalOfDialect, "delimited with dialect=deepstream, else objects", "dialect"},
      {0, nullptr, nullptr},
  };
  static const GType type = g_enum_register_static(DSMSG_GST_TYPE_NAME("MinimalFormat"), values);
  return type;
}

GType DialectType() {
  static const GEnumValue values[] = {
      {kDialectDsmsg, "Time of capture, pixels of the camera, fractions; unknown values left out",
       "dsmsg"},
      {kDialectDeepStream, "Key for key and type for type as the converter of DeepStream 9",
       "deepstream"},
      {0, nullptr, nullptr},
  };
  static const GType type = g_enum_register_static(DSMSG_GST_TYPE_NAME("Dialect"), values);
  return type;
}

GType EventsType() {
  static const GEnumValue values[] = {
      {kEventsNone, "No events of our own", "none"},
      {kEventsAll, "A message for every object, and for the events of tracked objects", "all"},
      {kEventsTrack, "Messages only when a tracked object enters, leaves, moves or stops", "track"},
      {0, nullptr, nullptr},
  };
  static const GType type = g_enum_register_static(DSMSG_GST_TYPE_NAME("Events"), values);
  return type;
}

void InstallText(GObjectClass* klass, Property id, const char* name, const char* nick,
                 const char* blurb) {
  g_object_class_install_property(klass, id,
                                  g_param_spec_string(name, nick, blurb, nullptr, kFlags));
}

void InstallFlag(GObjectClass* klass, Property id, const char* name, const char* nick,
                 const char* blurb) {
  g_object_class_install_property(klass, id,
                                  g_param_spec_boolean(name, nick, blurb, FALSE, kFlags));
}

void InstallChoice(GObjectClass* klass, Property id, const char* name, const char* nick,
                   const char* blurb, GType type, gint value) {
  g_object_class_install_property(klass, id,
                                  g_param_spec_enum(name, nick, blurb, type, value, kFlags));
}

void InstallDeepStreamProperties(GObjectClass* klass) {
  InstallText(klass, kConfig, "config", "Configuration file",
              "File (INI; YAML or CSV by its ending .yml, .csv) with the groups sensorN, placeN "
              "and analyticsN, N being the source id: what messages say about the camera. Without "
              "it, messages have no sensor, place or analyticsModule. With msg2p-lib, the file is "
              "passed to that library");
  InstallChoice(klass, kPayloadType, "payload-type", "Payload type",
                "Form of the messages: deepstream, one JSON message for each object; "
                "minimal, one JSON message for all objects of a frame; protobuf, one "
                "nv.Frame for all objects of a frame; custom (256 is the same), what "
                "the library named by msg2p-lib makes",
                PayloadTypeType(), kPayloadFull);
  g_object_class_install_property(
      klass, kCompId,
      g_param_spec_uint("comp-id", "Component id",
                        "Convert only event metadata and objects of the component with this id, "
                        "and those without a component (dialect=deepstream: events of exactly this "
                        "component, and all objects); messages carry the id for the comp-id filter "
                        "of a sink (default: all)",
                        0, G_MAXUINT, G_MAXUINT, kFlags));
  InstallText(klass, kMsg2pLib, "msg2p-lib", "Payload library",
              "Library that makes the messages with its nvds_msg2p_* functions: a path, or a name "
              "in the system's search path. Required for payload-type=custom; if set, it is used "
              "for the other types too");
  g_object_class_install_property(
      klass, kFrameInterval,
      g_param_spec_uint(
          "frame-interval", "Frame interval",
          "Make messages for every Nth frame of a source, beginning with the first. Attached event "
          "metadata and events from the tracker's ids are converted in every frame",
          1, G_MAXUINT, 30, kFlags));
  InstallFlag(klass, kMsg2pNewApi, "msg2p-newapi", "Convert detections",
              "Make messages of the detected objects: regions of interest, "
              "GStreamer's analytics metadata, objects of DeepStream. If false, only event "
              "metadata that an application attached (dsmsg_meta.h, NvDsEventMsgMeta) is "
              "converted; a warning follows after 100 buffers without any");
  InstallText(klass, kDebugPayloadDir, "debug-payload-dir", "Debug folder",
              "Existing folder where every message is also written to its own file, "
              "sourceN-frameN-N.json, .pb or .bin");
  InstallText(klass, kEmbeddingFilter, "embedding-filter", "Embedding filter",
              "Classes, with commas between them, whose boxes in space (Sparse4D) keep their "
              "embedding in the message; default: Person with dialect=deepstream, else all. Other "
              "embeddings are not filtered");
  InstallFlag(
      klass, kMultiplePayloads, "multiple-payloads", "Multiple payloads",
      "Make a message for each object even with payload types that hold all objects of a frame");
  InstallFlag(klass, kDummyPayload, "dummy-payload", "Dummy payload",
              "With msg2p-newapi=true: make a message for a frame without objects too, so that a "
              "consumer can tell a quiet camera from a dead one");
}

void InstallOurProperties(GObjectClass* klass) {
  InstallText(klass, kMap, "map", "Map",
              "YAML file that says which message is made for what, and what it contains (see "
              "docs/maps.md). It replaces payload-type; the message's time, topic and key are "
              "chosen as for other JSON messages");
  InstallText(
      klass, kEvidence, "evidence", "Evidence",
      "Where pictures of events are stored, as JPEG files: a folder, "
      "redis://host:port/database or s3://bucket/prefix. A message leaves when its pictures "
      "are safe, or says that they are not (see docs/evidence.md)");
  InstallText(klass, kEvidenceConfig, "evidence-config", "Evidence configuration",
              "Which pictures, of what, for how long: a file with the group [evidence], or "
              "key=value;key=value, for example pictures=both;max-age=168h (see docs/evidence.md)");
  InstallText(klass, kSpace, "space", "Lines and zones",
              "YAML file of lines and zones in the picture (see docs/space.md): who crosses them, "
              "enters, leaves, stays; how many. With msg2p-newapi=true. It is read again when it "
              "changes");
  InstallChoice(klass, kMinimalFormat, "minimal-format", "Minimal format",
                "With payload-type=minimal: objects as JSON, or as texts "
                "\"id|left|top|right|bottom|Label...\" for consumers of schema 4.0",
                MinimalFormatType(), kMinimalOfDialect);
  InstallChoice(klass, kDialect, "dialect", "Dialect",
                "How messages are written: dsmsg, or deepstream for consumers that were made for "
                "DeepStream's converter. With msg2p-lib, libraries that take frames "
                "(dsmsg_frame.h) are told",
                DialectType(), kDefaultDialect);
  InstallText(
      klass, kLabels, "labels", "Class names",
      "Names of the detector's class numbers: a file with one name on each line, or a list such as "
      "car,bicycle,person. They replace the label of a region that carries a class number "
      "(label_id)");
  g_object_class_install_property(
      klass, kMinConfidence,
      g_param_spec_double("min-confidence", "Minimum confidence",
                          "Leave out objects with a lower confidence and, if this is above 0, "
                          "those whose confidence is unknown",
                          0, 1, 0, kFlags));
  InstallChoice(klass, kEvents, "events", "Events",
                "Events from the tracker's ids (msg2p-newapi=true). entry: first seen; "
                "exit: not seen for 1 s; moving: the center of the box moved by a quarter of the "
                "diagonal; stopped: it stayed there for 2 s. all adds these events to the objects' "
                "messages; track sends nothing else",
                EventsType(), kEventsNone);
  g_object_class_install_property(
      klass, kRate,
      g_param_spec_double("rate", "Rate limit",
                          "Maximum number of messages per second for each source, on average; one "
                          "second's worth may be sent at once. Messages beyond that are left out "
                          "and counted in the debug log (0: no limit)",
                          0, G_MAXDOUBLE, 0, kFlags));
  g_object_class_install_property(
      klass, kSourceId,
      g_param_spec_uint(
          "source-id", "Source id",
          "Number of the camera whose frames come here: selects the groups of the "
          "configuration file. DeepStream's batches, and events with a source-id, bring their own",
          0, G_MAXUINT, 0, kFlags));
}

std::string Text(const GValue* value) {
  const gchar* text = g_value_get_string(value);
  return text == nullptr ? "" : text;
}

void SetText(GValue* value, const std::string& text) {
  g_value_set_string(value, text.empty() ? nullptr : text.c_str());
}

// The dialect means nothing to a payload library, and the JSON objects of the minimal form are the
// same in both.
bool InDeepStreamsWords(const ConvSettings& settings) {
  const bool objects =
      settings.payload_type == kPayloadMinimal && settings.minimal_format == kMinimalObjects;
  return settings.dialect == kDialectDeepStream && settings.msg2p_lib.empty() &&
         settings.map.empty() && !objects;
}

}  // namespace

ConvSettings DefaultConvSettings() {
  ConvSettings settings;
  settings.dialect = kDefaultDialect;
  return settings;
}

msgconv::ConverterOptions ConverterOptionsOf(const ConvSettings& settings) {
  msgconv::ConverterOptions options;
  if (settings.payload_type == kPayloadMinimal) options.type = msgconv::PayloadType::kMinimal;
  if (settings.payload_type == kPayloadProtobuf) options.type = msgconv::PayloadType::kProtobuf;
  if (settings.minimal_format == kMinimalObjects) options.format = msgconv::MinimalFormat::kObjects;
  if (settings.minimal_format == kMinimalDelimited) {
    options.format = msgconv::MinimalFormat::kDelimited;
  }
  options.one_per_object = settings.multiple_payloads;
  options.embedding_filter = settings.embedding_filter;
  if (settings.dialect == kDialectDeepStream) {
    options.dialect = msgconv::Dialect::kDeepStream;
    if (options.embedding_filter.empty()) options.embedding_filter = "Person";
  }
  return options;
}

bool OnePerObject(const ConvSettings& settings) {
  if (!settings.map.empty()) return false;
  if (settings.payload_type == kPayloadFull || !settings.msg2p_lib.empty()) return true;
  return settings.multiple_payloads && !InDeepStreamsWords(settings);
}

bool WantsEmptyFrames(const ConvSettings& settings, bool scene) {
  if (!InDeepStreamsWords(settings)) return settings.dummy_payload && settings.new_api;
  return settings.payload_type != kPayloadFull &&
         (settings.dummy_payload || settings.new_api || scene);
}

void InstallConvProperties(GObjectClass* object_class) {
  g_object_class_install_property(
      object_class, kConvEvidenceStats,
      g_param_spec_boxed("evidence-stats", "Evidence statistics",
                         "Pictures since the start: stored, their stored-bytes, and lost, which is "
                         "how many pictures messages called lost",
                         GST_TYPE_STRUCTURE,
                         static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
  InstallDeepStreamProperties(object_class);
  InstallOurProperties(object_class);
  for (const GType type : {PayloadTypeType(), MinimalFormatType(), EventsType(), DialectType()}) {
    gst_type_mark_as_plugin_api(type, static_cast<GstPluginAPIFlags>(0));
  }
}

bool SetConvProperty(ConvSettings* settings, guint id, const GValue* value) {
  switch (id) {
    case kConfig:
      return settings->config = Text(value), true;
    case kPayloadType:
      return settings->payload_type = g_value_get_enum(value), true;
    case kCompId:
      return settings->comp_id = g_value_get_uint(value), true;
    case kMsg2pLib:
      return settings->msg2p_lib = Text(value), true;
    case kFrameInterval:
      return settings->frame_interval = g_value_get_uint(value), true;
    case kMsg2pNewApi:
      return settings->new_api = g_value_get_boolean(value) != FALSE, true;
    case kDebugPayloadDir:
      return settings->debug_payload_dir = Text(value), true;
    case kMultiplePayloads:
      return settings->multiple_payloads = g_value_get_boolean(value) != FALSE, true;
    case kDummyPayload:
      return settings->dummy_payload = g_value_get_boolean(value) != FALSE, true;
    case kMinimalFormat:
      return settings->minimal_format = g_value_get_enum(value), true;
    case kLabels:
      return settings->labels = Text(value), true;
    case kMinConfidence:
      return settings->min_confidence = g_value_get_double(value), true;
    case kEvents:
      return settings->events = g_value_get_enum(value), true;
    case kRate:
      return settings->rate = g_value_get_double(value), true;
    case kSourceId:
      return settings->source_id = g_value_get_uint(value), true;
    case kDialect:
      return settings->dialect = g_value_get_enum(value), true;
    case kEmbeddingFilter:
      return settings->embedding_filter = Text(value), true;
    case kMap:
      return settings->map = Text(value), true;
    case kEvidence:
      return settings->evidence = Text(value), true;
    case kEvidenceConfig:
      return settings->evidence_config = Text(value), true;
    case kSpace:
      return settings->space = Text(value), true;
    default:
      return false;
  }
}

bool GetConvProperty(const ConvSettings& settings, guint id, GValue* value) {
  switch (id) {
    case kConfig:
      return SetText(value, settings.config), true;
    case kPayloadType:
      return g_value_set_enum(value, settings.payload_type), true;
    case kCompId:
      return g_value_set_uint(value, settings.comp_id), true;
    case kMsg2pLib:
      return SetText(value, settings.msg2p_lib), true;
    case kFrameInterval:
      return g_value_set_uint(value, settings.frame_interval), true;
    case kMsg2pNewApi:
      return g_value_set_boolean(value, settings.new_api), true;
    case kDebugPayloadDir:
      return SetText(value, settings.debug_payload_dir), true;
    case kMultiplePayloads:
      return g_value_set_boolean(value, settings.multiple_payloads), true;
    case kDummyPayload:
      return g_value_set_boolean(value, settings.dummy_payload), true;
    case kMinimalFormat:
      return g_value_set_enum(value, settings.minimal_format), true;
    case kLabels:
      return SetText(value, settings.labels), true;
    case kMinConfidence:
      return g_value_set_double(value, settings.min_confidence), true;
    case kEvents:
      return g_value_set_enum(value, settings.events), true;
    case kRate:
      return g_value_set_double(value, settings.rate), true;
    case kSourceId:
      return g_value_set_uint(value, settings.source_id), true;
    case kDialect:
      return g_value_set_enum(value, settings.dialect), true;
    case kEmbeddingFilter:
      return SetText(value, settings.embedding_filter), true;
    case kMap:
      return SetText(value, settings.map), true;
    case kEvidence:
      return SetText(value, settings.evidence), true;
    case kEvidenceConfig:
      return SetText(value, settings.evidence_config), true;
    case kSpace:
      return SetText(value, settings.space), true;
    default:
      return false;
  }
}

Status CheckSettings(const ConvSettings& settings) {
  const bool custom =
      settings.payload_type == kPayloadCustom || settings.payload_type == kPayloadReserved;
  if (custom && settings.msg2p_lib.empty()) {
    return {Code::kInvalidArgument, "payload-type=" + std::to_string(settings.payload_type) +
                                        " is made by a library: set msg2p-lib to its file, or "
                                        "payload-type to deepstream, minimal or protobuf"};
  }
  if (!settings.map.empty() && (custom || !settings.msg2p_lib.empty())) {
    return {Code::kInvalidArgument,
            "map and msg2p-lib are both set, and only one can make the messages (leave one out)"};
  }
  if (!settings.evidence.empty() && !settings.msg2p_lib.empty()) {
    return {Code::kInvalidArgument,
            "evidence and msg2p-lib are both set: messages of a library cannot say where pictures "
            "are (leave one out)"};
  }
  if (settings.evidence.empty() && !settings.evidence_config.empty()) {
    return {Code::kInvalidArgument,
            "evidence-config is set without evidence, which says where pictures are stored (for "
            "example evidence=/var/lib/pictures)"};
  }
  if (!settings.space.empty() && !settings.new_api) {
    return {Code::kInvalidArgument,
            "space is about detected objects, and with msg2p-newapi=false there are none (set "
            "msg2p-newapi=true)"};
  }
  return {};
}

}  // namespace dsmsg
