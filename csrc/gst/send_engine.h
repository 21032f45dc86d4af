// SPDX-License-Identifier: Apache-2.0
// What stands between the sink's streaming thread and a connection (csrc/host), which it may share
// with other sinks: a small bounded queue and a worker that sends. A call into an adaptor cannot be
// cancelled; a wait for room in this queue can, and that is what makes the element's state changes
// prompt.
#ifndef DSMSG_GST_SEND_ENGINE_H_
#define DSMSG_GST_SEND_ENGINE_H_

#include <glib.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/base/status.h"
#include "host/connection.h"

namespace dsmsg {

/// One reference to a GBytes.
struct BytesUnref {
  void operator()(GBytes* bytes) const { g_bytes_unref(bytes); }
};
using BytesRef = std::unique_ptr<GBytes, BytesUnref>;

/// One message on its way to the adaptor.
struct OutPayload {
  BytesRef bytes;            // never empty
  std::string topic;         // "": the adaptor's default
  std::string key;           // "": the adaptor's own key option decides
  int64_t timestamp_ms = 0;  // 0: now
};

/// Threads: Offer and Drain on one streaming thread at a time; SetInterrupted, SetPaused, counters,
/// TakeFailures and AdaptorStats from any thread; Start and Stop by the owner, Stop while no other
/// function is running. Ownership: keeps the connection, and by it the adaptor's library.
class SendEngine {
 public:
  struct Options {
    std::shared_ptr<const host::AdaptorLibrary> library;
    std::string conn_str, config;  // "": NULL for the adaptor
    Millis sleep{0};               // between two calls of do_work; of the sink that connects first
    Millis flush_timeout{10000};   // limit of how long Stop() waits for messages
    size_t queue_size = 64;
    /// Called after something was noted for TakeFailures(), from any thread, under locks and never
    /// after Stop(): must return at once and not call the engine. `of_message`: a message failed;
    /// else the state of the connection changed.
    std::function<void(bool of_message)> on_failure;
  };
  struct Counters {
    uint64_t sent = 0;     // taken by the connection, and not refused by the adaptor
    uint64_t ok = 0;       // acknowledged
    uint64_t failed = 0;   // not taken, refused, completed with an error, or given up at the end
    uint64_t pending = 0;  // taken by the connection, not ended yet
    uint64_t queued = 0;   // waiting in this queue
  };
  struct Failures {
    uint64_t count = 0;      // messages failed since the last call
    std::string reason;      // of the last one
    std::string connection;  // what happened to the connection, if anything
  };
  enum class Push { kTaken, kInterrupted, kStopped };
  enum class Drained { kAll, kInterrupted, kTimeout };

  /// Connects; blocks as long as the adaptor's connect does. The error contains the adaptor's own
  /// text.
  static Result<std::unique_ptr<SendEngine>> Start(Options options);
  /// Stops, if that was not done.
  ~SendEngine();
  SendEngine(const SendEngine&) = delete;
  SendEngine& operator=(const SendEngine&) = delete;

  /// Waits for room; takes `payload` only if the answer is kTaken. If there is room, it is taken
  /// even when interrupted.
  Push Offer(OutPayload* payload);
  /// While either is set, Offer and Drain do not wait. Paused is the initial state.
  void SetInterrupted(bool interrupted);
  void SetPaused(bool paused);
  /// Waits until every payload is acknowledged or failed.
  Drained Drain(std::chrono::steady_clock::time_point deadline);
  /// Sends what is queued (at most flush-timeout), joins the worker, then leaves the connection,
  /// which waits for what is pending. An adaptor that does not return from a call is left alone
  /// with its threads, after a bounded wait: the status says which call.
  Status Stop();

  /// Whether messages with this topic ("": none) have a destination, as far as the adaptor can
  /// tell.
  Status CheckTopic(const std::string& topic) const;

  Counters counters() const;
  Failures TakeFailures();
  /// JSON of the adaptor, or empty.
  std::string AdaptorStats() const;
  const host::AdaptorLibrary& library() const;

 private:
  class State;
  explicit SendEngine(std::shared_ptr<State> state) : state_(std::move(state)) {}

  // Shared with the worker and the connection: one that an adaptor never lets go keeps it.
  const std::shared_ptr<State> state_;
  bool stopped_ = false;
};

}  // namespace dsmsg

#endif  // DSMSG_GST_SEND_ENGINE_H_
