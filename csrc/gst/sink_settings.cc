// SPDX-License-Identifier: Apache-2.0
#include "gst/sink_settings.h"

#include "gst/type_names.h"

namespace dsmsg {
namespace {

GType OnErrorType() {
  static const GType type = [] {
    static const GEnumValue values[] = {
        {static_cast<gint>(OnError::kWarn),
         "Post a warning on the bus, at most one in 5 seconds, and go on", "warn"},
        {static_cast<gint>(OnError::kError), "Post an error and end the stream", "error"},
        {static_cast<gint>(OnError::kDrop), "Count it in the statistics and go on", "drop"},
        {0, nullptr, nullptr}};
    return g_enum_register_static(DSMSG_GST_TYPE_NAME("BrokerOnError"), values);
  }();
  return type;
}

// Read at start; changes made in READY take effect from PAUSED on.
constexpr auto kFlags =
    static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);

void Text(GObjectClass* c, guint id, const char* name, const char* nick, const char* blurb) {
  g_object_class_install_property(c, id, g_param_spec_string(name, nick, blurb, nullptr, kFlags));
}

void Number(GObjectClass* c, guint id, const char* name, const char* nick, const char* blurb,
            guint value) {
  g_object_class_install_property(
      c, id, g_param_spec_uint(name, nick, blurb, 0, G_MAXUINT, value, kFlags));
}

std::string ToString(const GValue* value) {
  const gchar* text = g_value_get_string(value);
  return text == nullptr ? std::string() : std::string(text);
}

void FromString(GValue* value, const std::string& text) {
  g_value_set_string(value, text.empty() ? nullptr : text.c_str());
}

}  // namespace

void InstallSinkProperties(GObjectClass* c) {
  const SinkSettings defaults;
  Text(c, kPropProtoLib, "proto-lib", "Protocol library",
       "Path or file name of the adaptor, libnvds_<name>_proto.so, ours or "
       "DeepStream's; this or adaptor is required");
  Text(c, kPropAdaptor, "adaptor", "Adaptor",
       "Short name of the adaptor, for example kafka: found beside the plugin, in DSMSG_LIB_DIR "
       "and in DeepStream's lib folder");
  Text(c, kPropConnStr, "conn-str", "Connection string",
       "Where the broker is: host;port, host;port;topic, host:port,host:port "
       "or a URL such as mqtts://host:8883; this or config is required. "
       "Passwords belong in the environment or in a file");
  Text(c, kPropConfig, "config", "Configuration file",
       "INI file of the adaptor, group [message-broker]; this or conn-str is "
       "required. With share-connection=1 in it, sinks of one process that use the same broker "
       "share one connection");
  Text(c, kPropTopic, "topic", "Topic",
       "Topic to send to; default: that of conn-str or of the configuration file. One of the three "
       "is required if the protocol has topics");
  Text(c, kPropTopicTemplate, "topic-template", "Topic template",
       "Topic made from each JSON payload, for example events/${sensor.id}; "
       "${topic} is the property topic, ${field:-text} has a default for a "
       "missing field");
  Number(c, kPropCompId, "comp-id", "Component id",
         "Send only payloads of the converter with this comp-id (and those without); 0: all",
         defaults.comp_id);
  g_object_class_install_property(
      c, kPropNewApi,
      g_param_spec_boolean("new-api", "New API",
                           "Accepted for compatibility with DeepStream's pipelines; has no effect",
                           defaults.new_api, kFlags));
  Number(c, kPropSleepTime, "sleep-time", "Sleep time",
         "Milliseconds between two calls of the adaptor's do_work while messages "
         "are pending; 0 is right for dsmsg's adaptors, which wait inside do_work. For a shared "
         "connection, the value of its first sink counts",
         defaults.sleep_ms);
  g_object_class_install_property(
      c, kPropOnError,
      g_param_spec_enum("on-error", "On error",
                        "What to do when a message cannot be delivered for good (an outage of "
                        "the broker does not count: the adaptor keeps the messages)",
                        OnErrorType(), static_cast<gint>(defaults.on_error), kFlags));
  Number(c, kPropFlushTimeout, "flush-timeout", "Flush timeout",
         "Milliseconds to wait at end of stream, and again at stop, for messages in flight",
         defaults.flush_timeout_ms);
  Number(c, kPropStatsInterval, "stats-interval", "Statistics interval",
         "How often to post the statistics as an element message dsmsgbroker-stats, in "
         "milliseconds; 0: never",
         defaults.stats_interval_ms);
  g_object_class_install_property(
      c, kPropStats,
      g_param_spec_boxed("stats", "Statistics",
                         "Counters of the sink since its start (rendered, payloads, filtered, "
                         "missing-fields, queued, sent, ok, failed, pending) and, where the "
                         "adaptor has them, its own as adaptor-<name>",
                         GST_TYPE_STRUCTURE,
                         static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
  gst_type_mark_as_plugin_api(OnErrorType(), static_cast<GstPluginAPIFlags>(0));
}

bool SetSinkProperty(SinkSettings* s, guint id, const GValue* value) {
  switch (id) {
    case kPropProtoLib:
      s->proto_lib = ToString(value);
      return true;
    case kPropConnStr:
      s->conn_str = ToString(value);
      return true;
    case kPropConfig:
      s->config = ToString(value);
      return true;
    case kPropTopic:
      s->topic = ToString(value);
      return true;
    case kPropAdaptor:
      s->adaptor = ToString(value);
      return true;
    case kPropTopicTemplate:
      s->topic_template = ToString(value);
      return true;
    case kPropCompId:
      s->comp_id = g_value_get_uint(value);
      return true;
    case kPropNewApi:
      s->new_api = g_value_get_boolean(value) != FALSE;
      return true;
    case kPropSleepTime:
      s->sleep_ms = g_value_get_uint(value);
      return true;
    case kPropOnError:
      s->on_error = static_cast<OnError>(g_value_get_enum(value));
      return true;
    case kPropFlushTimeout:
      s->flush_timeout_ms = g_value_get_uint(value);
      return true;
    case kPropStatsInterval:
      s->stats_interval_ms = g_value_get_uint(value);
      return true;
    default:
      return false;
  }
}

bool GetSinkProperty(const SinkSettings& s, guint id, GValue* value) {
  switch (id) {
    case kPropProtoLib:
      FromString(value, s.proto_lib);
      return true;
    case kPropConnStr:
      FromString(value, s.conn_str);
      return true;
    case kPropConfig:
      FromString(value, s.config);
      return true;
    case kPropTopic:
      FromString(value, s.topic);
      return true;
    case kPropAdaptor:
      FromString(value, s.adaptor);
      return true;
    case kPropTopicTemplate:
      FromString(value, s.topic_template);
      return true;
    case kPropCompId:
      g_value_set_uint(value, s.comp_id);
      return true;
    case kPropNewApi:
      g_value_set_boolean(value, s.new_api ? TRUE : FALSE);
      return true;
    case kPropSleepTime:
      g_value_set_uint(value, s.sleep_ms);
      return true;
    case kPropOnError:
      g_value_set_enum(value, static_cast<gint>(s.on_error));
      return true;
    case kPropFlushTimeout:
      g_value_set_uint(value, s.flush_timeout_ms);
      return true;
    case kPropStatsInterval:
      g_value_set_uint(value, s.stats_interval_ms);
      return true;
    default:
      return false;
  }
}

}  // namespace dsmsg
