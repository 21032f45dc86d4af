// SPDX-License-Identifier: Apache-2.0
// The sink's counters as a GstStructure "dsmsgbroker-stats".
#ifndef DSMSG_GST_SINK_STATS_H_
#define DSMSG_GST_SINK_STATS_H_

#include <gst/gst.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "gst/send_engine.h"

namespace dsmsg {

/// Counted by the streaming thread, read by any.
struct RenderCounters {
  std::atomic<uint64_t> rendered{0};        // buffers
  std::atomic<uint64_t> payloads{0};        // messages found on them and queued
  std::atomic<uint64_t> filtered{0};        // left out because of comp-id
  std::atomic<uint64_t> missing_fields{0};  // rendered topics with a field missing
};

/// A new structure, owned by the caller: rendered, payloads, filtered, missing-fields, queued,
/// sent, ok, failed, pending, and for each number and text in `adaptor_json` (also one level deep)
/// a field "adaptor-<name>", beside the whole text as "adaptor-json".
GstStructure* MakeSinkStats(const RenderCounters& rendered, const SendEngine::Counters& sent,
                            const std::string& adaptor_json);

}  // namespace dsmsg

#endif  // DSMSG_GST_SINK_STATS_H_
