// SPDX-License-Identifier: Apache-2.0
#include "gst/sink_reporter.h"

#include <algorithm>
#include <utility>

#include "core/base/thread.h"

namespace dsmsg {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kWarnEvery{5000};
// Failures rarely come alone: one warning for all of them.
constexpr milliseconds kGather{100};
constexpr milliseconds kPrerollPatience{2000};
// Longer, because a camera may be slow to answer.
constexpr milliseconds kStartPatience{5000};

/// The pipeline, or the topmost element; the caller unreferences it.
GstObject* TopOf(GstElement* element) {
  auto* top = GST_OBJECT(gst_object_ref(element));
  while (GstObject* parent = gst_object_get_parent(top)) {
    gst_object_unref(top);
    top = parent;
  }
  return top;
}

/// Whether the pipeline is still changing to the state it was asked for.
bool PipelineIsStarting(GstElement* element) {
  GstObject* top = TopOf(element);
  bool starting = false;
  if (GST_IS_ELEMENT(top)) {
    GST_OBJECT_LOCK(top);
    starting =
        GST_STATE_RETURN(top) == GST_STATE_CHANGE_ASYNC || GST_STATE_TARGET(top) > GST_STATE(top);
    GST_OBJECT_UNLOCK(top);
  }
  gst_object_unref(top);
  return starting;
}

/// Another sink that waits for its first buffer.
bool IsWaitingSink(GstElement* element, GstElement* self) {
  if (element == self || GST_IS_BIN(element)) return false;
  GST_OBJECT_LOCK(element);
  const bool waiting = GST_OBJECT_FLAG_IS_SET(element, GST_ELEMENT_FLAG_SINK) &&
                       GST_STATE_RETURN(element) == GST_STATE_CHANGE_ASYNC;
  GST_OBJECT_UNLOCK(element);
  return waiting;
}

/// The name of one such element; "" if all are ready.
std::string WaitingSink(GstElement* self) {
  GstObject* top = TopOf(self);
  std::string name;
  if (GST_IS_BIN(top)) {
    GstIterator* all = gst_bin_iterate_recurse(GST_BIN(top));
    GValue item = G_VALUE_INIT;
    GstIteratorResult result = GST_ITERATOR_OK;
    while (name.empty() && ((result = gst_iterator_next(all, &item)) == GST_ITERATOR_OK ||
                            result == GST_ITERATOR_RESYNC)) {
      if (result == GST_ITERATOR_RESYNC) {
        gst_iterator_resync(all);
        continue;
      }
      auto* element = GST_ELEMENT(g_value_get_object(&item));
      if (IsWaitingSink(element, self)) {
        gchar* copy = gst_object_get_name(GST_OBJECT(element));
        name = copy;
        g_free(copy);
      }
      g_value_reset(&item);
    }
    if (G_IS_VALUE(&item)) g_value_unset(&item);
    gst_iterator_free(all);
  }
  gst_object_unref(top);
  return name;
}

}  // namespace

SinkReporter::SinkReporter(GstElement* element, const SinkSettings& settings)
    : element_(element),
      on_error_(settings.on_error),
      stats_interval_(settings.stats_interval_ms) {}

void SinkReporter::Start(std::function<SendEngine::Failures()> take,
                         std::function<GstStructure*()> stats) {
  take_ = std::move(take);
  stats_ = std::move(stats);
  if (stats_interval_.count() > 0) stats_due_ = Clock::now() + stats_interval_;
  thread_ = StartThread("dsmsg-report", [this] { Loop(); });
}

void SinkReporter::Finish() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(finishing_, true)) return;
    wake_.notify_all();
  }
  if (!thread_.joinable()) return;
  thread_.join();
  ReportFailures();
}

void SinkReporter::NoteFailure(bool of_message) {
  if (of_message && on_error_ == OnError::kError) failed_.store(true);
  const std::lock_guard lock(mutex_);
  if (std::exchange(failure_, true)) return;
  if (on_error_ != OnError::kError) {
    next_warning_ = std::max(next_warning_, Clock::now() + kGather);
  }
  wake_.notify_all();
}

void SinkReporter::AwaitBegins() {
  const std::lock_guard lock(mutex_);
  preroll_due_ = Clock::now() + kPrerollPatience;
  wake_.notify_all();
}

void SinkReporter::StartBegins() {
  const std::lock_guard lock(mutex_);
  start_due_ = Clock::now() + kStartPatience;
  wake_.notify_all();
}

void SinkReporter::PrerollBegins() {
  const std::lock_guard lock(mutex_);
  start_due_.reset();  // the preroll warning is enough
  has_buffer_ = true;
  preroll_due_ = Clock::now() + kPrerollPatience;
  wake_.notify_all();
}

void SinkReporter::PrerollEnds() {
  const std::lock_guard lock(mutex_);
  preroll_due_.reset();
  start_due_.reset();
}

std::optional<SinkReporter::Clock::time_point> SinkReporter::NextDue() const {
  std::optional<Clock::time_point> next;
  const auto consider = [&next](Clock::time_point when) {
    next = next ? std::min(*next, when) : when;
  };
  if (failure_) consider(next_warning_);
  if (preroll_due_) consider(*preroll_due_);
  if (start_due_) consider(*start_due_);
  if (stats_due_) consider(*stats_due_);
  return next;
}

void SinkReporter::Loop() {
  std::unique_lock lock(mutex_);
  while (!finishing_) {
    const std::optional<Clock::time_point> due = NextDue();
    if (!due) {
      wake_.wait(lock);
      continue;
    }
    const Clock::time_point now = Clock::now();
    if (now < *due) {
      wake_.wait_until(lock, *due);
      continue;
    }
    if (failure_ && now >= next_warning_) {
      failure_ = false;
      next_warning_ = now + kWarnEvery;
      lock.unlock();
      ReportFailures();
      lock.lock();
    } else if (preroll_due_ && now >= *preroll_due_) {
      preroll_due_.reset();
      lock.unlock();
      ReportPreroll();
      lock.lock();
    } else if (start_due_ && now >= *start_due_) {
      start_due_.reset();
      lock.unlock();
      ReportStart();
      lock.lock();
    } else if (stats_due_ && now >= *stats_due_) {
      stats_due_ = now + stats_interval_;
      lock.unlock();
      ReportStats();
      lock.lock();
    }
  }
}

void SinkReporter::ReportFailures() {
  const std::lock_guard guard(post_mutex_);
  const SendEngine::Failures failures = take_();
  if (!failures.connection.empty()) {
    GST_ELEMENT_WARNING(element_, RESOURCE, WRITE, ("%s", failures.connection.c_str()),
                        ("the property stats has the totals; the log may have more"));
  }
  if (failures.count == 0 || on_error_ == OnError::kDrop) return;
  const std::string text = std::to_string(failures.count) +
                           (failures.count == 1 ? " message was" : " messages were") +
                           " not delivered: " + failures.reason;
  if (on_error_ == OnError::kWarn) {
    GST_ELEMENT_WARNING(
        element_, RESOURCE, WRITE, ("%s", text.c_str()),
        ("with on-error=warn the sink continues; the property stats has the totals"));
  } else if (!std::exchange(error_posted_, true)) {
    GST_ELEMENT_ERROR(
        element_, RESOURCE, WRITE, ("%s", text.c_str()),
        ("on-error=error ends the stream at the first message that is not delivered"));
  }
}

void SinkReporter::ReportPreroll() {
  if (!PipelineIsStarting(element_)) return;
  bool has_buffer = false;
  {
    const std::lock_guard lock(mutex_);
    has_buffer = has_buffer_;
  }
  if (!has_buffer) {
    GST_ELEMENT_WARNING(element_, CORE, STATE_CHANGE,
                        ("async=true makes the pipeline wait for this sink's first buffer, but "
                         "none has arrived for 2 s: set async=false (the default)"),
                        ("With a tee, or with sources that come and go, a branch may get no data; "
                         "set async=false on every other sink of such a pipeline too"));
    return;
  }
  GST_ELEMENT_WARNING(
      element_, CORE, STATE_CHANGE,
      ("The first buffer has been waiting for 2 s for the pipeline to start"),
      ("Another sink is still without data, probably because this one holds up the thread that "
       "would bring it: put a queue into every branch of a tee (tee name=t  t. ! queue ! ...  t. ! "
       "queue ! ...), and set async=false on sinks of branches that may get no data"));
}

/// Nothing arrived here, and the pipeline does not start: is another sink the cause?
void SinkReporter::ReportStart() {
  if (!PipelineIsStarting(element_)) return;
  const std::string other = WaitingSink(element_);
  if (other.empty()) return;
  GST_ELEMENT_WARNING(
      element_, CORE, STATE_CHANGE,
      ("The pipeline has been waiting for 5 s for the first buffer of another sink, %s: set "
       "async=false on it, or find out why no data arrives",
       other.c_str()),
      ("A sink with async=true makes the whole pipeline wait. If no data reaches this sink either, "
       "the source is silent, or a branch of a tee lacks a queue"));
}

void SinkReporter::ReportStats() {
  gst_element_post_message(element_, gst_message_new_element(GST_OBJECT(element_), stats_()));
}

}  // namespace dsmsg
