// SPDX-License-Identifier: Apache-2.0
#ifndef DSMSG_TESTS_GST_SINK_HARNESS_H_
#define DSMSG_TESTS_GST_SINK_HARNESS_H_

#include <gst/check/gstharness.h>

#include <string>
#include <string_view>

#include "support.h"

namespace dsmsg_test {

/// The sink in a harness, with a bus to read.
class SinkHarness {
 public:
  SinkHarness(const std::string& settings, const char* caps) {
    const std::string line = "dsmsgbroker name=sink " + settings;
    harness_ = gst_harness_new_parse(line.c_str());
    sink_ = gst_harness_find_element(harness_, "dsmsgbroker");
    EXPECT_NE(sink_, nullptr);
    gst_object_unref(sink_);
    bus_ = gst_bus_new();
    gst_element_set_bus(sink_, bus_);
    gst_harness_set_src_caps_str(harness_, caps);
  }
  ~SinkHarness() {
    gst_harness_teardown(harness_);
    gst_bus_set_flushing(bus_, TRUE);  // messages hold the element, which holds the bus
    gst_object_unref(bus_);
  }
  SinkHarness(const SinkHarness&) = delete;
  SinkHarness& operator=(const SinkHarness&) = delete;

  GstFlowReturn Push(GstBuffer* buffer) { return gst_harness_push(harness_, buffer); }
  GstFlowReturn Push(std::string_view bytes) { return Push(BufferOf(bytes)); }
  bool PushEos() { return gst_harness_push_event(harness_, gst_event_new_eos()) != FALSE; }
  BusText Text(int types, int timeout_ms = 120000) {
    return TextOf(gst_bus_timed_pop_filtered(bus_,
                                             static_cast<GstClockTime>(timeout_ms) * GST_MSECOND,
                                             static_cast<GstMessageType>(types)));
  }
  GstElement* sink() { return sink_; }
  void Stop() { gst_element_set_state(harness_->element, GST_STATE_NULL); }

 private:
  GstHarness* harness_;
  GstElement* sink_;
  GstBus* bus_;
};

}  // namespace dsmsg_test

#endif  // DSMSG_TESTS_GST_SINK_HARNESS_H_
