// SPDX-License-Identifier: Apache-2.0
#include "gst/converter_state.h"

namespace dsmsg {
namespace {

constexpr char kName[] = "dsmsg-converter";
constexpr char kWanted[] = "wanted", kMessages[] = "messages";

}  // namespace

std::optional<uint64_t> MessagesOfConverter(GstPad* sink_pad) {
  return MessagesOfConverter(sink_pad, 0);
}

std::optional<uint64_t> MessagesOfConverter(GstPad* sink_pad, uint64_t converter) {
  GstQuery* query = gst_query_new_custom(
      GST_QUERY_CUSTOM, gst_structure_new(kName, kWanted, G_TYPE_UINT64, converter, nullptr));
  std::optional<uint64_t> messages;
  guint64 made = 0;
  if (gst_pad_peer_query(sink_pad, query) != FALSE &&
      gst_structure_get_uint64(gst_query_get_structure(query), kMessages, &made) != FALSE)
    messages = made;
  gst_query_unref(query);
  return messages;
}

bool AnswerConverterQuery(GstQuery* query, uint64_t converter, const ConvCounters& counters) {
  if (GST_QUERY_TYPE(query) != GST_QUERY_CUSTOM) return false;
  const GstStructure* asked = gst_query_get_structure(query);
  if (asked == nullptr || gst_structure_has_name(asked, kName) == FALSE) return false;
  guint64 wanted = 0;
  gst_structure_get_uint64(asked, kWanted, &wanted);
  if (wanted != 0 && wanted != converter) return false;
  gst_structure_set(gst_query_writable_structure(query), kMessages, G_TYPE_UINT64,
                    static_cast<guint64>(counters.messages.load()), nullptr);
  return true;
}

}  // namespace dsmsg
