// SPDX-License-Identifier: Apache-2.0
#include "gst/source_end.h"

namespace dsmsg {
namespace {

// GST_NVEVENT_PAD_DELETED and GST_NVEVENT_STREAM_EOS of gst-nvevent.h.
constexpr unsigned kFlags = GST_EVENT_TYPE_DOWNSTREAM | GST_EVENT_TYPE_SERIALIZED;
constexpr unsigned kPadDeleted = GST_EVENT_MAKE_TYPE(401, kFlags);
constexpr unsigned kStreamEnd = GST_EVENT_MAKE_TYPE(402, kFlags);

}  // namespace

std::optional<uint32_t> EndedSource(GstEvent* event) {
  const auto type = static_cast<unsigned>(GST_EVENT_TYPE(event));
  if (type != kPadDeleted && type != kStreamEnd) return std::nullopt;
  const GstStructure* const structure = gst_event_get_structure(event);
  guint source = 0;
  if (structure == nullptr || !gst_structure_get_uint(structure, "source-id", &source))
    return std::nullopt;
  return source;
}

}  // namespace dsmsg
