// SPDX-License-Identifier: Apache-2.0
// A message on a buffer: what dsmsgconv makes and dsmsgbroker sends. A buffer may carry several.
//
// Ownership: the meta holds one reference to its payload and owns its key; buffer copies share the
// payload. Threads: as for any GstMeta: add only to a writable buffer; reading is free while one
// holds the buffer. The type is found by name, so several of our plugins in one process use the
// same one (the layout is therefore fixed: a changed one needs a new name).
#ifndef DSMSG_GST_PAYLOAD_META_H_
#define DSMSG_GST_PAYLOAD_META_H_

#include <gst/gst.h>

/// What the payload's bytes are.
enum DsmsgContentType {
  DSMSG_CONTENT_JSON = 0,
  DSMSG_CONTENT_PROTOBUF = 1,
  DSMSG_CONTENT_CUSTOM = 2,  // made by a payload library: unknown to us
};

/// Component id that the sink's `comp-id` filter always lets through: "not set".
inline constexpr guint kDsmsgAnyComponent = G_MAXUINT;

struct DsmsgPayloadMeta {
  GstMeta meta;
  GBytes* payload;     // never NULL
  guint component_id;  // comp-id of the converter, kDsmsgAnyComponent when not set
  guint source_id;     // camera number, group number of the converter's configuration
  DsmsgContentType content_type;
  gchar* partition_key;  // UTF-8, or NULL: the sink's own key option decides
  guint64 timestamp_ns;  // UTC of the frame, nanoseconds since 1970; 0: unknown
};

/// What to attach. `payload` is borrowed (the meta takes its own reference), the key is copied.
struct DsmsgPayload {
  GBytes* payload = nullptr;
  guint component_id = kDsmsgAnyComponent;
  guint source_id = 0;
  DsmsgContentType content_type = DSMSG_CONTENT_JSON;
  const gchar* partition_key = nullptr;
  guint64 timestamp_ns = 0;
};

/// The meta's API type, for gst_buffer_iterate_meta_filtered and the like.
GType dsmsg_payload_meta_api_get_type();
/// Registers on first use. Call it once from class_init or plugin_init, where GStreamer or GObject
/// hold a process-wide lock: two plugins registering at the same moment is then impossible.
const GstMetaInfo* dsmsg_payload_meta_get_info();

/// Attaches one more payload to a writable buffer. NULL only if the arguments are wrong.
DsmsgPayloadMeta* gst_buffer_add_dsmsg_payload_meta(GstBuffer* buffer, const DsmsgPayload& what);

/// The next payload of the buffer in the order they were added, NULL after the last; `*state` is
/// NULL at the start. Do not add or remove metas while iterating.
DsmsgPayloadMeta* gst_buffer_iterate_dsmsg_payload_meta(GstBuffer* buffer, gpointer* state);

#endif  // DSMSG_GST_PAYLOAD_META_H_
