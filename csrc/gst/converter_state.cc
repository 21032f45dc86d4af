// SPDX-License-Identifier: Apache-2.0
#include "gst/converter_state.h"

namespace dsmsg {
namespace {

constexpr char kName[] = "dsmsg-converter";

}  // namespace

std::optional<uint64_t> MessagesOfConverter(GstPad* sink_pad) {
  GstQuery* query = gst_query_new_custom(GST_QUERY_CUSTOM, gst_structure_new_empty(kName));
  std::optional<uint64_t> messages;
  guint64 made = 0;
  if (gst_pad_peer_query(sink_pad, query) != FALSE &&
      gst_structure_get_uint64(gst_query_get_structure(query), "messages", &made) != FALSE)
    messages = made;
  gst_query_unref(query);
  return messages;
}

bool AnswerConverterQuery(GstQuery* query, const ConvCounters& counters) {
  if (GST_QUERY_TYPE(query) != GST_QUERY_CUSTOM) return false;
  const GstStructure* asked = gst_query_get_structure(query);
  if (asked == nullptr || gst_structure_has_name(asked, kName) == FALSE) return false;
  gst_structure_set(gst_query_writable_structure(query), "messages", G_TYPE_UINT64,
                    static_cast<guint64>(counters.messages.load()), nullptr);
  return true;
}

}  // namespace dsmsg
