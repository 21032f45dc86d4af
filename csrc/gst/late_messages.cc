// SPDX-License-Identifier: Apache-2.0
#include "gst/late_messages.h"

namespace dsmsg {
namespace {

constexpr char kName[] = "DsmsgLateMessages";

}  // namespace

GstEvent* MakeLateMessages(std::span<const DsmsgPayload> messages) {
  GstBuffer* const buffer = gst_buffer_new();
  for (const DsmsgPayload& message : messages) gst_buffer_add_dsmsg_payload_meta(buffer, message);
  GstStructure* const structure =
      gst_structure_new(kName, "messages", GST_TYPE_BUFFER, buffer, nullptr);
  gst_buffer_unref(buffer);
  return gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM, structure);
}

GstBuffer* LateMessagesOf(GstEvent* event) {
  if (GST_EVENT_TYPE(event) != GST_EVENT_CUSTOM_DOWNSTREAM) return nullptr;
  const GstStructure* const structure = gst_event_get_structure(event);
  if (structure == nullptr || gst_structure_has_name(structure, kName) == FALSE) return nullptr;
  const GValue* const value = gst_structure_get_value(structure, "messages");
  return value == nullptr ? nullptr : GST_BUFFER(g_value_get_boxed(value));
}

}  // namespace dsmsg
