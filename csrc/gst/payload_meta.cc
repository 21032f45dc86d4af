// SPDX-License-Identifier: Apache-2.0
#include "gst/payload_meta.h"

namespace {

constexpr char kApiName[] = "DsmsgPayloadMetaAPI";
constexpr char kMetaName[] = "DsmsgPayloadMeta";

DsmsgPayloadMeta* Cast(GstMeta* meta) { return reinterpret_cast<DsmsgPayloadMeta*>(meta); }

gboolean Init(GstMeta* meta, gpointer, GstBuffer*) {
  DsmsgPayloadMeta* self = Cast(meta);
  self->payload = nullptr;
  self->component_id = kDsmsgAnyComponent;
  self->source_id = 0;
  self->content_type = DSMSG_CONTENT_JSON;
  self->partition_key = nullptr;
  self->timestamp_ns = 0;
  return TRUE;
}

void Free(GstMeta* meta, GstBuffer*) {
  DsmsgPayloadMeta* self = Cast(meta);
  g_clear_pointer(&self->payload, g_bytes_unref);
  g_clear_pointer(&self->partition_key, g_free);
}

// A message is about the whole frame, whatever happens to the pixels, so it is copied by every
// transform.
gboolean Transform(GstBuffer* to, GstMeta* meta, GstBuffer*, GQuark, gpointer) {
  const DsmsgPayloadMeta* from = Cast(meta);
  DsmsgPayload copy;
  copy.payload = from->payload;
  copy.component_id = from->component_id;
  copy.source_id = from->source_id;
  copy.content_type = from->content_type;
  copy.partition_key = from->partition_key;
  copy.timestamp_ns = from->timestamp_ns;
  return gst_buffer_add_dsmsg_payload_meta(to, copy) != nullptr;
}

}  // namespace

GType dsmsg_payload_meta_api_get_type() {
  static const GType type = [] {
    const GType known = g_type_from_name(kApiName);
    if (known != 0) return known;
    static const gchar* no_tags[] = {nullptr};
    return gst_meta_api_type_register(kApiName, no_tags);
  }();
  return type;
}

const GstMetaInfo* dsmsg_payload_meta_get_info() {
  static const GstMetaInfo* const info = [] {
    const GstMetaInfo* known = gst_meta_get_info(kMetaName);
    if (known == nullptr) {
      known = gst_meta_register(dsmsg_payload_meta_api_get_type(), kMetaName,
                                sizeof(DsmsgPayloadMeta), Init, Free, Transform);
    }
    // A different build of dsmsg with another layout would make us read past the end of its
    // structure.
    g_assert(known != nullptr && known->size == sizeof(DsmsgPayloadMeta));
    return known;
  }();
  return info;
}

DsmsgPayloadMeta* gst_buffer_add_dsmsg_payload_meta(GstBuffer* buffer, const DsmsgPayload& what) {
  g_return_val_if_fail(GST_IS_BUFFER(buffer), nullptr);
  g_return_val_if_fail(gst_buffer_is_writable(buffer), nullptr);
  g_return_val_if_fail(what.payload != nullptr, nullptr);
  DsmsgPayloadMeta* self =
      Cast(gst_buffer_add_meta(buffer, dsmsg_payload_meta_get_info(), nullptr));
  if (self == nullptr) return nullptr;
  self->payload = g_bytes_ref(what.payload);
  self->component_id = what.component_id;
  self->source_id = what.source_id;
  self->content_type = what.content_type;
  self->partition_key = g_strdup(what.partition_key);
  self->timestamp_ns = what.timestamp_ns;
  return self;
}

DsmsgPayloadMeta* gst_buffer_iterate_dsmsg_payload_meta(GstBuffer* buffer, gpointer* state) {
  return Cast(gst_buffer_iterate_meta_filtered(buffer, state, dsmsg_payload_meta_api_get_type()));
}
