// SPDX-License-Identifier: Apache-2.0
// One connection as a host sees it: accepts messages, hands out completions, subscribes,
// disconnects.
//
// Threads: every function from any thread, except Disconnect, which must not run together with
// another call on the same session. The session owns its links (I/O threads), inbox (dispatch
// thread) and notifier.
#ifndef DSMSG_CORE_SESSION_SESSION_H_
#define DSMSG_CORE_SESSION_SESSION_H_

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/base/file_watch.h"
#include "core/base/notifier.h"
#include "core/base/time.h"
#include "core/observe/loss_report.h"
#include "core/observe/metrics_file.h"
#include "core/options/settings.h"
#include "core/queue/completion.h"
#include "core/queue/memory_relief.h"
#include "core/queue/message_builder.h"
#include "core/session/inbox.h"
#include "core/session/link.h"
#include "core/session/subscription.h"
#include "core/spool/spool_feed.h"
#include "dsmsg_ext.h"

namespace dsmsg {

class Session final : public LinkObserver {
 public:
  /// Loads the settings and connects as `connect` says. `handle` is what the host will know the
  /// session by.
  static Result<std::shared_ptr<Session>> Connect(const DriverFactory& factory,
                                                  const std::string& conn_str,
                                                  const std::string& config_path,
                                                  nvds_msgapi_connect_cb_t connect_cb,
                                                  NvDsMsgApiHandle handle);
  ~Session();

  /// Not ok: refused, there will be no callback.
  Status SendAsync(const SendRequest& request, nvds_msgapi_send_cb_t callback, void* user_ptr);
  /// Waits for the outcome, at most send-timeout.
  Status Send(const SendRequest& request);
  /// `wanted`: topics, receiver, and whether it acknowledges by itself.
  Status Subscribe(Subscription wanted);
  Status Subscribe(std::vector<std::string> topics, nvds_msgapi_subscribe_request_cb_t callback,
                   void* user_ctx) {
    Subscription wanted;
    wanted.topics = std::move(topics);
    wanted.callback = callback;
    wanted.user_ctx = user_ctx;
    return Subscribe(std::move(wanted));
  }
  /// Acknowledges a received message by its number; false if the number is unknown.
  bool Acknowledge(uint64_t number) { return inbox_->Acknowledge(number); }
  /// Whether a message with this topic (empty: none) has somewhere to go.
  Status CheckTopic(std::string_view topic) const { return builder_.load()->CheckTopic(topic); }
  void DoWork();
  bool Flush(Millis timeout);
  /// Refused with kInvalidArgument from inside a callback of this session.
  Status Disconnect();

  /// Reconnects with other settings (empty: those of connect, read again) and keeps the queue.
  /// An error leaves everything as it was.
  Status Reload(const std::string& conn_str, const std::string& config_path);

  void SetLinkCallback(DsmsgLinkCallback callback, void* user_ptr);
  std::string StatsJson() const;
  /// Why a message or an attempt failed last, and how much was lost since connect; "" when nothing
  /// ever failed.
  std::string LastError() const;
  /// The kind of that failure (KindName).
  const char* LastErrorKind() const { return metrics_.LastFailureKind(); }
  /// Whether any message ended with an error since connect.
  bool LostAny() const { return !losses_.Summary().empty(); }
  Logger& logger() { return logger_; }
  Notifier& notifier() { return *notifier_; }
  /// True on a thread that runs a callback of this session.
  bool InCallback() const;

  // LinkObserver
  void OnLinkUp(Role role) noexcept override;
  void OnLinkDown(Role role, const Status& reason) noexcept override;
  void OnGaveUp(Role role, const Status& reason) noexcept override;
  bool OnLetter(Outgoing* letter) noexcept override;
  std::string OnBack(Role role) noexcept override;
  void OnTick() noexcept override;

 private:
  Session(const DriverFactory& factory, Settings settings, std::string conn_str,
          std::string config_path, nvds_msgapi_connect_cb_t connect_cb, NvDsMsgApiHandle handle);
  Status Start();
  Status Accept(const SendRequest& request, Recipient recipient, Token* token, Deadline patience);
  std::shared_ptr<const Settings> CurrentSettings() const;
  Result<Link*> ConsumerLink();
  LinkParts PartsFor(Role role);
  bool Matches(const std::string& filter, const std::string& topic) const;
  Status UseBuilder(const Settings& settings);
  void Dispatch(Millis wait);
  bool FlushUntil(Deadline deadline);
  void CloseInbox(Deadline deadline);
  /// Ends the links and the inbox by `end`.
  void StopLinks(Deadline end);
  MetricsSnapshot ReadMetrics() const;
  Gauges ReadGauges() const;
  Status OpenSpool();
  void OnFinished(std::span<const Finished> finished);
  void EndWithSpool(bool flushed, Deadline deadline);
  void EndWithoutSpool(bool flushed);
  void TellAtDisconnect(bool flushed, size_t left, bool to_spool);
  Status StartMetricsFile();
  void StartFileWatch();
  /// A file changed: reconnects to the current endpoint.
  Status ReloadChanged();
  Status ReplaceLinks(const std::shared_ptr<const Settings>& settings);
  void PostConnectEvent(NvDsMsgApiEventType event);
  void PostLinkState(DsmsgLinkState state, const std::string& reason);

  const DriverFactory factory_;
  const Settings settings_;  // of connect: for what a reload does not change (kOptFixed)
  const std::string conn_str_, config_path_;
  const nvds_msgapi_connect_cb_t connect_cb_;
  const NvDsMsgApiHandle handle_;
  Logger logger_;
  Metrics metrics_;
  // A sender may still be inside an older one, for any time; reloads are rare, so all are kept.
  std::vector<std::unique_ptr<const MessageBuilder>> builders_;  // guarded by links_mutex_
  std::atomic<const MessageBuilder*> builder_{nullptr};
  LossReport losses_;
  CompletionQueue completions_;
  SendQueue queue_;
  MemoryRelief relief_;
  DeadLetters dead_letters_;
  std::shared_ptr<Notifier> notifier_;
  std::shared_ptr<Inbox> inbox_;
  SubscriptionControl subscription_;
  std::unique_ptr<SpoolFeed> spool_;  // null: none
  std::unique_ptr<MetricsFile> metrics_file_;
  std::unique_ptr<FileWatch> file_watch_;  // set under links_mutex_
  std::unique_ptr<Link> producer_;
  std::unique_ptr<Link> consumer_;        // only with separate roles, made by the first Subscribe
  std::atomic<Link*> receiver_{nullptr};  // the link that the inbox wakes
  /// Held while links are made or given other settings: never while anything is waited for.
  std::mutex links_mutex_;
  bool ended_ = false;                       // guarded by links_mutex_: no link is made any more
  mutable std::mutex settings_mutex_;        // guards the following
  std::shared_ptr<const Settings> current_;  // what everything new is made from
  std::string last_conn_str_ = conn_str_, last_config_path_ = config_path_;  // last reload's
  std::mutex event_mutex_;                                                   // guards the following
  bool service_down_told_ = false, up_told_ = false;
  DsmsgLinkCallback link_callback_ = nullptr;
  void* link_user_ptr_ = nullptr;
  std::optional<DsmsgLinkState> link_told_;  // what the callback heard last
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_SESSION_SESSION_H_
