// SPDX-License-Identifier: Apache-2.0
// How the sink learns whether there is a dsmsgconv upstream, and what it has done so far: by a
// custom query, which travels upstream through queues, tees and filters.
#ifndef DSMSG_GST_CONVERTER_STATE_H_
#define DSMSG_GST_CONVERTER_STATE_H_

#include <gst/gst.h>

#include <atomic>
#include <cstdint>
#include <optional>

namespace dsmsg {

/// Written by the converter's streaming thread, read by any.
struct ConvCounters {
  std::atomic<uint64_t> buffers{0};
  std::atomic<uint64_t> found{0};     // objects and events, before filters
  std::atomic<uint64_t> messages{0};  // attached to buffers
};

/// How many messages the next converter upstream of this sink pad has made; nullopt if there is no
/// converter. Call it on the sink's streaming thread.
std::optional<uint64_t> MessagesOfConverter(GstPad* sink_pad);

/// For the converter: answers such a query. False: it is another kind of query.
bool AnswerConverterQuery(GstQuery* query, const ConvCounters& counters);

}  // namespace dsmsg

#endif  // DSMSG_GST_CONVERTER_STATE_H_
