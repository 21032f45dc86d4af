// SPDX-License-Identifier: Apache-2.0
// How the sink learns whether there is a dsmsgconv upstream, which one, and what it has done so
// far: by a custom query, which travels upstream through queues, tees and filters.
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
  // Of evidence: pictures and their bytes that are stored, pictures that messages call lost.
  std::atomic<uint64_t> stored{0}, stored_bytes{0}, lost{0};
};

/// A converter's number in this process; never 0.
inline uint64_t ConverterNumber(const void* element) {
  return reinterpret_cast<uintptr_t>(element);
}

/// How many messages the next converter upstream of this sink pad has made; nullopt if there is no
/// converter. Call it on the sink's streaming thread.
std::optional<uint64_t> MessagesOfConverter(GstPad* sink_pad);
/// The same of the converter with this number, however far upstream; nullopt: it is not there.
std::optional<uint64_t> MessagesOfConverter(GstPad* sink_pad, uint64_t converter);

/// For the converter: answers such a query. False: it is another kind of query, or for another
/// converter; pass it on. `converter`: the number of the one that answers.
bool AnswerConverterQuery(GstQuery* query, uint64_t converter, const ConvCounters& counters);

}  // namespace dsmsg

#endif  // DSMSG_GST_CONVERTER_STATE_H_
