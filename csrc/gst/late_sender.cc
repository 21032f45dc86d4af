// SPDX-License-Identifier: Apache-2.0
#include "gst/late_sender.h"

#include <chrono>
#include <utility>

#include "core/base/thread.h"

namespace dsmsg {
namespace {

constexpr std::chrono::milliseconds kLookEvery{100};

}  // namespace

LateSender::LateSender(GstPad* sink, GstPad* src, std::function<GstEvent*()> take)
    : sink_(sink), src_(src), take_(std::move(take)) {
  thread_ = StartThread("dsmsg-late", [this] { Run(); });
}

LateSender::~LateSender() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  thread_.join();
}

void LateSender::Run() {
  std::unique_lock lock(mutex_);
  while (!stop_.wait_for(lock, kLookEvery, [this] { return stopping_; })) {
    lock.unlock();
    if (GST_PAD_STREAM_TRYLOCK(sink_)) {
      if (GstEvent* const event = take_()) gst_pad_push_event(src_, event);
      GST_PAD_STREAM_UNLOCK(sink_);
    }
    lock.lock();
  }
}

}  // namespace dsmsg
