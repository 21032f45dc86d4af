// SPDX-License-Identifier: Apache-2.0
// A connection of the sink's engine through an adaptor, with the thread that calls do_work. Sinks
// whose adaptor gives the same signature (share-connection=1) use one link together.
#ifndef DSMSG_GST_ADAPTOR_LINK_H_
#define DSMSG_GST_ADAPTOR_LINK_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "broker/loader.h"
#include "broker/shared_slots.h"
#include "core/base/status.h"
#include "core/options/config.h"

namespace dsmsg {

/// One message as the adaptor takes it; everything is borrowed.
struct LinkMessage {
  const uint8_t* data = nullptr;
  size_t size = 0;
  const std::string* topic = nullptr;  // "": the adaptor's default
  const std::string* key = nullptr;    // "": the adaptor's own key option decides
  int64_t timestamp_ms = 0;            // 0: now
};

/// Threads: every function from any thread; End by the last user. No lock of the link is held while
/// a listener is called, nor while one of our adaptors is; adaptors of others are given one message
/// at a time, because they need not bear more.
/// Ownership: keeps the adaptor's library loaded. The work thread holds the link until it ends.
class AdaptorLink : public std::enable_shared_from_this<AdaptorLink> {
 public:
  using Clock = std::chrono::steady_clock;
  using Listener = std::function<void(NvDsMsgApiEventType)>;
  using Slots = SharedSlots<AdaptorLink>;
  struct Options {
    std::shared_ptr<const AdaptorLibrary> library;
    std::string conn_str, config;  // "": NULL for the adaptor
    Millis sleep{0};               // between two calls of do_work; of the sink that connects first
  };

  /// Connects, or joins the link with the same library and signature. Blocks as long as the
  /// adaptor's connect does. The error holds the adaptor's own words.
  static Result<Slots::SlotPtr> Join(const Options& options);
  /// True: the caller was the last user, and has to End() the link.
  static bool Leave(const Slots::SlotPtr& slot);

  /// Told of the adaptor's connect callback; gives an id for Unlisten.
  uint64_t Listen(Listener listener);
  /// The listener may be running while this returns.
  void Unlisten(uint64_t id);

  /// The callback comes exactly once if the answer is OK, on the work thread or inside End.
  NvDsMsgApiErrorType Send(const LinkMessage& message, nvds_msgapi_send_cb_t callback,
                           void* user_ptr);
  /// To be called before Send, and once when it is refused or called back.
  void NotePending();
  void NoteDone();

  /// A user is inside Send and does not come back: nobody is to join or disconnect this link.
  void Abandon();
  /// Joins the work thread, then disconnects. The status names a call that does not return before
  /// `deadline` and some patience; the connection is then left as it is.
  Status End(Clock::time_point deadline);

  /// Whether messages with this topic ("": none) have somewhere to go, as far as the adaptor says.
  Status CheckTopic(const std::string& topic) const;
  std::string Stats() const { return options_.library->Stats(handle_); }
  std::string LastError() const { return options_.library->LastError(handle_); }
  const AdaptorLibrary& library() const { return *options_.library; }

  /// What a call into the adaptor may take beyond a deadline before it is given up.
  static constexpr Millis kGrace{10000};

 private:
  explicit AdaptorLink(Options options) : options_(std::move(options)) {}
  static Result<std::shared_ptr<AdaptorLink>> Open(const Options& options);
  static void OnConnectEvent(NvDsMsgApiHandle handle, NvDsMsgApiEventType event);
  void Work();
  Millis Pause() const;
  void Tell(NvDsMsgApiEventType event);
  bool Disconnect(Clock::time_point deadline);
  bool Usable() const;

  const Options options_;
  NvDsMsgApiHandle handle_ = nullptr;  // set before the thread starts
  std::thread work_thread_;
  std::mutex send_mutex_;  // around send_async of adaptors of others

  mutable std::mutex mutex_;         // guards all below
  std::condition_variable pending_;  // work thread: something is pending, or ending
  std::condition_variable ended_;    // End: a thread has ended
  std::map<uint64_t, Listener> listeners_;
  uint64_t next_listener_ = 1, pending_count_ = 0, completions_ = 0;
  bool ending_ = false, abandoned_ = false, work_ended_ = false, disconnected_ = false;
  Clock::time_point deadline_{};  // of ending
};

}  // namespace dsmsg

#endif  // DSMSG_GST_ADAPTOR_LINK_H_
