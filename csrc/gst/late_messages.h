// SPDX-License-Identifier: Apache-2.0
// Messages that travel without a frame: those that waited for pictures when no further buffer came.
// A custom downstream event carries them, which every element passes on, in order with the buffers.
// Plain functions; an event may be read by any thread.
#ifndef DSMSG_GST_LATE_MESSAGES_H_
#define DSMSG_GST_LATE_MESSAGES_H_

#include <gst/gst.h>

#include <span>

#include "gst/payload_meta.h"

namespace dsmsg {

/// An event with these messages, in this order.
GstEvent* MakeLateMessages(std::span<const DsmsgPayload> messages);
/// The buffer that the event carries, without bytes, whose messages are its metadata; borrowed.
/// nullptr: it is another event.
GstBuffer* LateMessagesOf(GstEvent* event);

}  // namespace dsmsg

#endif  // DSMSG_GST_LATE_MESSAGES_H_
