// SPDX-License-Identifier: Apache-2.0
// The sink's properties: their table, and the values as a plain structure that start() copies.
#ifndef DSMSG_GST_SINK_SETTINGS_H_
#define DSMSG_GST_SINK_SETTINGS_H_

#include <gst/gst.h>

#include <string>

namespace dsmsg {

enum class OnError { kWarn = 0, kError = 1, kDrop = 2 };

/// A value. The element guards its copy with the object lock.
struct SinkSettings {
  std::string proto_lib, adaptor, conn_str, config, topic, topic_template;
  guint comp_id = 0;  // all, as G_MAXUINT
  bool new_api = false;
  guint sleep_ms = 0;
  OnError on_error = OnError::kWarn;
  guint flush_timeout_ms = 10000;
  guint stats_interval_ms = 0;  // off

  bool operator==(const SinkSettings&) const = default;
};

/// Ids of the properties that InstallSinkProperties() installs; `stats` is answered by the element.
enum SinkProperty : guint {
  kPropProtoLib = 1,
  kPropConnStr,
  kPropConfig,
  kPropTopic,
  kPropCompId,
  kPropNewApi,
  kPropSleepTime,
  kPropAdaptor,
  kPropOnError,
  kPropTopicTemplate,
  kPropFlushTimeout,
  kPropStatsInterval,
  kPropStats,
};

/// Called once, from class_init.
void InstallSinkProperties(GObjectClass* object_class);
/// Both answer false for an id that is not a setting. The caller holds the object lock.
bool SetSinkProperty(SinkSettings* settings, guint id, const GValue* value);
bool GetSinkProperty(const SinkSettings& settings, guint id, GValue* value);

}  // namespace dsmsg

#endif  // DSMSG_GST_SINK_SETTINGS_H_
