// SPDX-License-Identifier: Apache-2.0
// The converter's properties: their table, and the values as a plain structure that start() copies.
#ifndef DSMSG_GST_CONV_SETTINGS_H_
#define DSMSG_GST_CONV_SETTINGS_H_

#include <gst/gst.h>

#include <string>

#include "core/base/status.h"
#include "msgconv/converter.h"

namespace dsmsg {

/// Values of `payload-type`, fixed by DeepStream.
enum : gint {
  kPayloadFull = 0,
  kPayloadMinimal = 1,
  kPayloadProtobuf = 2,
  kPayloadReserved = 256,
  kPayloadCustom = 257,
};
enum : gint { kMinimalObjects = 0, kMinimalDelimited = 1, kMinimalOfDialect = 2 };
enum : gint { kDialectDsmsg = 0, kDialectDeepStream = 1 };
enum : gint { kEventsNone = 0, kEventsAll = 1, kEventsTrack = 2 };

/// A value. The element guards its copy with the object lock.
struct ConvSettings {
  std::string config, msg2p_lib, debug_payload_dir, labels, embedding_filter, map, space;
  std::string evidence, evidence_config;
  gint payload_type = kPayloadFull, minimal_format = kMinimalOfDialect, events = kEventsNone;
  gint dialect = kDialectDsmsg;
  guint comp_id = G_MAXUINT;  // all
  guint frame_interval = 30, source_id = 0;
  bool new_api = false, multiple_payloads = false, dummy_payload = false;
  gdouble min_confidence = 0, rate = 0;

  bool operator==(const ConvSettings&) const = default;
};

/// Not a setting: what became of the pictures of `evidence`, as a structure.
inline constexpr guint kConvEvidenceStats = 100;

/// Those of the element under the name that this is compiled for.
ConvSettings DefaultConvSettings();
/// What the built-in converter needs of them.
msgconv::ConverterOptions ConverterOptionsOf(const ConvSettings& settings);
/// Messages hold one object each.
bool OnePerObject(const ConvSettings& settings);
/// A frame without objects has a message, too. `scene`: a frame in space.
bool WantsEmptyFrames(const ConvSettings& settings, bool scene);

/// Called once, from class_init.
void InstallConvProperties(GObjectClass* object_class);
/// Both answer false for an id that is not a setting. The caller holds the object lock.
bool SetConvProperty(ConvSettings* settings, guint id, const GValue* value);
bool GetConvProperty(const ConvSettings& settings, guint id, GValue* value);

/// An error names settings that contradict each other, and what to change.
Status CheckSettings(const ConvSettings& settings);

}  // namespace dsmsg

#endif  // DSMSG_GST_CONV_SETTINGS_H_
