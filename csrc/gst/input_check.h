// SPDX-License-Identifier: Apache-2.0
// Problems with the buffers that reach the sink, each reported once: that nothing in them was sent
// and why, and that messages are cut into pieces.
//
// Threads: the sink's streaming thread; Restart while it does not run. Warnings go to the element's
// bus.
#ifndef DSMSG_GST_INPUT_CHECK_H_
#define DSMSG_GST_INPUT_CHECK_H_

#include <gst/gst.h>

#include <string>
#include <string_view>

#include "gst/sink_stats.h"

namespace dsmsg {

class InputCheck {
 public:
  /// The element outlives it; its pad is called "sink".
  explicit InputCheck(GstElement* element) : element_(element) {}

  void Restart();
  void SetCaps(const GstCaps* caps);
  /// The buffers are messages themselves.
  bool own_bytes() const { return own_bytes_; }
  /// Call it for a buffer that is sent as it is, with all its bytes.
  void Sending(GstBuffer* buffer, std::string_view bytes);
  /// After every buffer: says after a while that none had a message.
  void Rendered(const RenderCounters& counters);
  /// At the end of the stream: says why nothing was sent, however few buffers arrived.
  void AtEnd(const RenderCounters& counters);

 private:
  std::string WhyUnsent(const RenderCounters& counters, bool at_end) const;
  void ReportUnsent(const RenderCounters& counters, bool at_end);
  void ReportCut(size_t size, const char* how);
  bool Continues(GstBuffer* buffer, size_t size);

  GstElement* const element_;
  std::string type_;  // of the caps; "": none so far
  bool own_bytes_ = false;
  bool said_unsent_ = false, said_cut_ = false;
  guint64 next_offset_ = GST_BUFFER_OFFSET_NONE;  // in a file that is read in blocks
};

}  // namespace dsmsg

#endif  // DSMSG_GST_INPUT_CHECK_H_
