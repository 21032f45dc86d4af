// SPDX-License-Identifier: Apache-2.0
#include "gst/late_sender.h"

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace dsmsg {
namespace {

struct Received {
  std::mutex mutex;
  std::condition_variable more;
  int events = 0;

  static gboolean Take(GstPad* pad, GstObject*, GstEvent* event) {
    auto* const self = static_cast<Received*>(GST_PAD_ELEMENT_PRIVATE(pad));
    if (GST_EVENT_TYPE(event) == GST_EVENT_CUSTOM_DOWNSTREAM) {
      const std::lock_guard lock(self->mutex);
      ++self->events;
      self->more.notify_all();
    }
    gst_event_unref(event);
    return TRUE;
  }
  void Await(int wanted) {
    std::unique_lock lock(mutex);
    more.wait(lock, [&] { return events >= wanted; });
  }
};

/// Pads as those of a converter, with one behind it.
class Pads {
 public:
  explicit Pads(Received* received) {
    gst_init(nullptr, nullptr);
    sink = gst_pad_new("sink", GST_PAD_SINK);
    src = gst_pad_new("src", GST_PAD_SRC);
    behind = gst_pad_new("behind", GST_PAD_SINK);
    GST_PAD_ELEMENT_PRIVATE(behind) = received;
    gst_pad_set_event_function(behind, Received::Take);
    gst_pad_link(src, behind);
    SetActive(TRUE);
  }
  ~Pads() {
    SetActive(FALSE);
    for (GstPad* pad : {sink, src, behind}) gst_object_unref(pad);
  }
  GstPad *sink, *src, *behind;

 private:
  void SetActive(gboolean active) {
    for (GstPad* pad : {sink, src, behind}) gst_pad_set_active(pad, active);
  }
};

GstEvent* AnEvent() {
  return gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM, gst_structure_new_empty("late"));
}

// `work` stands for ConvWorker, which has no lock of its own.
TEST(LateSenderTest, NeverMeetsTheStreamingThread) {
  Received received;
  Pads pads(&received);
  uint64_t work = 0;
  std::atomic<bool> ends{false};
  std::thread streaming([&] {
    while (!ends) {
      GST_PAD_STREAM_LOCK(pads.sink);
      ++work;
      GST_PAD_STREAM_UNLOCK(pads.sink);
      std::this_thread::yield();
    }
  });
  {
    const LateSender sender(pads.sink, pads.src, [&] {
      ++work;
      return AnEvent();
    });
    received.Await(2);
  }
  ends = true;
  streaming.join();
  EXPECT_GE(work, 2U);
}

TEST(LateSenderTest, EndsWhileTheStreamIsHeldUp) {
  Received received;
  Pads pads(&received);
  GST_PAD_STREAM_LOCK(pads.sink);
  {
    const LateSender sender(pads.sink, pads.src, [] { return AnEvent(); });
  }
  EXPECT_EQ(received.events, 0);
  GST_PAD_STREAM_UNLOCK(pads.sink);
}

}  // namespace
}  // namespace dsmsg
