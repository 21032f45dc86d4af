// SPDX-License-Identifier: Apache-2.0
// DeepStream's events about one of the sources that share a stream. Plain function; any thread.
#ifndef DSMSG_GST_SOURCE_END_H_
#define DSMSG_GST_SOURCE_END_H_

#include <gst/gst.h>

#include <cstdint>
#include <optional>

namespace dsmsg {

/// The source that ends with this event: nvstreammux sends one when a source's stream ends, and one
/// when its pad is removed. nullopt: it is another event.
std::optional<uint32_t> EndedSource(GstEvent* event);

}  // namespace dsmsg

#endif  // DSMSG_GST_SOURCE_END_H_
