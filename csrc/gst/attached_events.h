// SPDX-License-Identifier: Apache-2.0
// Reads the event metadata that an application attached (include/dsmsg_meta.h) into the converter's
// model. Any thread; the texts in the frame belong to the buffer and live as long as it does;
// numbers are copied.
#ifndef DSMSG_GST_ATTACHED_EVENTS_H_
#define DSMSG_GST_ATTACHED_EVENTS_H_

#include <gst/gst.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "msgconv/model.h"

namespace dsmsg {

/// The cameras that events of this buffer are about, each once, in order. `default_source`: for
/// events that name none.
std::vector<uint32_t> EventSources(GstBuffer* buffer, uint32_t default_source);

/// Appends the events about `frame->source_id` to the frame. If `frame->time_ns` is 0, it is set to
/// the `time` of an event. Returns the number of events.
size_t ReadEvents(GstBuffer* buffer, uint32_t default_source, msgconv::Frame* frame);

/// "entry" and the like; kNone for another word.
msgconv::EventType EventTypeOf(std::string_view name);

}  // namespace dsmsg

#endif  // DSMSG_GST_ATTACHED_EVENTS_H_
