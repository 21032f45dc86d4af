// SPDX-License-Identifier: Apache-2.0
// Messages that leave the converter without a buffer, in events.
#ifndef DSMSG_TESTS_GST_LATE_SUPPORT_H_
#define DSMSG_TESTS_GST_LATE_SUPPORT_H_

#include <string>
#include <vector>

#include "conv_support.h"

namespace dsmsg_test {

/// What carries the messages of this event; borrowed. nullptr: it is another event.
inline GstBuffer* LateMessagesOf(GstEvent* event) {
  const GstStructure* const structure = gst_event_get_structure(event);
  if (GST_EVENT_TYPE(event) != GST_EVENT_CUSTOM_DOWNSTREAM || structure == nullptr) return nullptr;
  const GValue* const value = gst_structure_get_value(structure, "messages");
  return value == nullptr ? nullptr : GST_BUFFER(g_value_get_boxed(value));
}

/// Pushes the event, which it takes; the payloads of what came out in front of it.
inline std::vector<std::string> PayloadsBefore(ConvHarness* h, GstEvent* event) {
  const GstEventType type = GST_EVENT_TYPE(event);
  EXPECT_TRUE(gst_harness_push_event(h->harness(), event));
  std::vector<std::string> payloads;
  for (bool last = false; !last;) {
    GstEvent* const out = gst_harness_pull_event(h->harness());
    if (out == nullptr) {
      ADD_FAILURE() << "the event did not come out";
      break;
    }
    if (GstBuffer* const late = LateMessagesOf(out)) {
      for (const DsmsgPayloadMeta* meta : MetasOf(late)) payloads.push_back(TextOf(*meta));
    }
    last = GST_EVENT_TYPE(out) == type;
    gst_event_unref(out);
  }
  return payloads;
}

}  // namespace dsmsg_test

#endif  // DSMSG_TESTS_GST_LATE_SUPPORT_H_
