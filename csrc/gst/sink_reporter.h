// SPDX-License-Identifier: Apache-2.0
// Reports on the pipeline's bus what happens to messages. It has its own thread, because a bus may
// run the application's code, which must hold up neither the stream nor the adaptor's callbacks.
#ifndef DSMSG_GST_SINK_REPORTER_H_
#define DSMSG_GST_SINK_REPORTER_H_

#include <gst/gst.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "gst/send_engine.h"
#include "gst/sink_settings.h"

namespace dsmsg {

/// Threads: all functions from any thread; Start and Finish by the owner. The element outlives the
/// reporter.
class SinkReporter {
 public:
  SinkReporter(GstElement* element, const SinkSettings& settings);
  ~SinkReporter() { Finish(); }

  /// `take` returns the failures since its last call, `stats` a new structure.
  void Start(std::function<SendEngine::Failures()> take, std::function<GstStructure*()> stats);
  /// Reports what is left and joins the thread. Both functions may be called a last time.
  void Finish();

  /// There is something to take, and it will be taken. Blocks only on the reporter's own short
  /// lock.
  void NoteFailure(bool of_message);
  /// Reports on the caller's thread, at once: an element error must be on the bus before the flow
  /// error is.
  void ReportNow() { ReportFailures(); }
  /// The first buffer waits for PLAYING; after 2 s of that, if the pipeline is starting, a warning
  /// explains why.
  void PrerollBegins();
  /// With async=true: the pipeline will wait for the first buffer. Warns if none arrives within 2
  /// s.
  void AwaitBegins();
  void PrerollEnds();
  /// The element goes to PAUSED. Without any buffer the pipeline may wait for another sink, which
  /// is named after 5 s.
  void StartBegins();

  /// on-error=error and a message failed: the error was or is being posted, and the stream must
  /// end.
  bool failed() const { return failed_.load(); }

 private:
  using Clock = std::chrono::steady_clock;
  void Loop();
  std::optional<Clock::time_point> NextDue() const;
  void ReportFailures();
  void ReportPreroll();
  void ReportStart();
  void ReportStats();

  GstElement* const element_;
  const OnError on_error_;
  const std::chrono::milliseconds stats_interval_;
  std::function<SendEngine::Failures()> take_;
  std::function<GstStructure*()> stats_;
  std::atomic<bool> failed_{false};
  std::thread thread_;

  std::mutex post_mutex_;  // one report at a time, guards:
  bool error_posted_ = false;

  std::mutex mutex_;  // guards the rest; not held while posting
  std::condition_variable wake_;
  bool finishing_ = false;
  bool failure_ = false;
  Clock::time_point next_warning_;  // not before this
  std::optional<Clock::time_point> preroll_due_, start_due_, stats_due_;
  bool has_buffer_ = false;
};

}  // namespace dsmsg

#endif  // DSMSG_GST_SINK_REPORTER_H_
