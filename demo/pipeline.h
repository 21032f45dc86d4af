// SPDX-License-Identifier: Apache-2.0
// The demo's pipeline: video -> people -> messages -> broker.
#ifndef DSMSG_DEMO_PIPELINE_H_
#define DSMSG_DEMO_PIPELINE_H_

#include <gst/gst.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "core/base/status.h"
#include "options.h"
#include "outage.h"
#include "target.h"

namespace dsmsg_demo {

/// One thread; the pad probe runs on the streaming thread.
class DemoPipeline {
 public:
  struct Counts {
    uint64_t frames = 0, sent = 0, acknowledged = 0, failed = 0;
  };

  static dsmsg::Result<std::unique_ptr<DemoPipeline>> Start(const DemoOptions& options,
                                                            const Target& target,
                                                            const std::string& topic,
                                                            Outage& outage);
  ~DemoPipeline();
  DemoPipeline(const DemoPipeline&) = delete;
  DemoPipeline& operator=(const DemoPipeline&) = delete;

  /// Handles bus messages for `budget`; true when the stream has ended and everything was flushed.
  dsmsg::Result<bool> Poll(std::chrono::milliseconds budget);
  /// Ends the stream: what is on its way is delivered first.
  void RequestEnd();
  Counts counts() const;
  /// Of the video, pixels; 0: not known yet.
  struct Size {
    int width = 0, height = 0;
  };
  Size size() const;

 private:
  DemoPipeline(GstElement* pipeline, unsigned frames, Outage& outage)
      : pipeline_(pipeline), frames_(frames), outage_(outage) {}
  static GstPadProbeReturn OnFrame(GstPad* pad, GstPadProbeInfo* info, gpointer self);

  GstElement* const pipeline_;
  const unsigned frames_;  // to process; 0: all
  Outage& outage_;
  std::atomic<unsigned> seen_{0};
  std::atomic<bool> ending_{false};
  bool end_sent_ = false;
};

/// Makes GStreamer find the plugins of the build tree that holds this program. Before gst_init().
void UseBuildTreePlugins();

}  // namespace dsmsg_demo

#endif  // DSMSG_DEMO_PIPELINE_H_
