// SPDX-License-Identifier: Apache-2.0
// Sends the messages that wait for pictures while no buffer comes to take them along. Its thread
// takes the pad's stream lock, as the streaming thread does while it has a buffer, so that the two
// never meet; while that one is busy it looks again later.
//
// Threads: created and destroyed by the thread that changes the element's state.
#ifndef DSMSG_GST_LATE_SENDER_H_
#define DSMSG_GST_LATE_SENDER_H_

#include <gst/gst.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace dsmsg {

class LateSender {
 public:
  /// `take`: what is to be sent, or nullptr; called with the stream lock of `sink`. What it gives
  /// is pushed to `src`. Throws NoThreadError.
  LateSender(GstPad* sink, GstPad* src, std::function<GstEvent*()> take);
  /// Both pads are inactive, so that a push returns.
  ~LateSender();
  LateSender(const LateSender&) = delete;
  LateSender& operator=(const LateSender&) = delete;

 private:
  void Run();

  GstPad* const sink_;
  GstPad* const src_;
  const std::function<GstEvent*()> take_;
  std::mutex mutex_;  // guards stopping_
  std::condition_variable stop_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace dsmsg

#endif  // DSMSG_GST_LATE_SENDER_H_
