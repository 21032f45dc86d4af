// SPDX-License-Identifier: Apache-2.0
#include "core/session/session.h"

#include <algorithm>
#include <utility>

#include "core/base/environment.h"
#include "core/base/time.h"
#include "core/driver/dump_driver.h"

namespace dsmsg {
namespace {

constexpr Millis kStopGrace{500};  // of a connect that failed

// disconnect() returns within flush-timeout plus one second: this time plus what it takes to wake
// threads on a busy machine. It is shared between a subscribe callback in progress,
// acknowledgements of received messages, the driver's Close (at most 400 ms) and the spool. Time
// that one step does not need is left to the next.
constexpr Millis kEndGrace{850};
constexpr Millis kCallbackGrace{300};
constexpr Millis kDrain{500}, kLeastDrain{100};
constexpr Millis kAfterDrain{500};  // Close, and a rest for the spool
constexpr Millis kSpoolRest{100};
constexpr Millis kWithdraw{20};

// The sessions whose callbacks this thread is running, innermost first.
class CallbackScope {
 public:
  explicit CallbackScope(const Session* session) : session_(session), outer_(innermost_) {
    innermost_ = this;
  }
  ~CallbackScope() { innermost_ = outer_; }
  CallbackScope(const CallbackScope&) = delete;
  CallbackScope& operator=(const CallbackScope&) = delete;

  static bool Inside(const Session* session) {
    for (const CallbackScope* scope = innermost_; scope != nullptr; scope = scope->outer_) {
      if (scope->session_ == session) return true;
    }
    return false;
  }

 private:
  static thread_local const CallbackScope* innermost_;
  const Session* session_;
  const CallbackScope* outer_;
};
thread_local const CallbackScope* CallbackScope::innermost_ = nullptr;

// With NVDS_JSON_DUMP_FILE no broker is contacted, whatever the protocol.
DriverFactory ChooseFactory(const DriverFactory& factory) {
  if (FromEnvironment("NVDS_JSON_DUMP_FILE").empty()) return factory;
  return {factory.info, [](DriverHost& host) -> std::unique_ptr<Driver> {
            return std::make_unique<DumpDriver>(host, FromEnvironment("NVDS_JSON_DUMP_FILE"));
          }};
}

}  // namespace

Session::Session(const DriverFactory& factory, Settings settings, std::string conn_str,
                 std::string config_path, nvds_msgapi_connect_cb_t connect_cb,
                 NvDsMsgApiHandle handle)
    : factory_(ChooseFactory(factory)),
      settings_(std::move(settings)),
      conn_str_(std::move(conn_str)),
      config_path_(std::move(config_path)),
      connect_cb_(connect_cb),
      handle_(handle),
      logger_(factory.info->protocol),
      losses_(
          settings_, logger_, [this] { return ReadMetrics(); },
          [this] { return metrics_.books.losses() + (spool_ == nullptr ? 0 : spool_->losses()); }),
      queue_(settings_.queue, metrics_),
      relief_(settings_.queue.memory_high_water, queue_),
      dead_letters_(settings_, factory.info->protocol, metrics_, logger_),
      notifier_(std::make_shared<Notifier>()),
      inbox_(std::make_shared<Inbox>(
          [this] {
            if (Link* link = receiver_.load()) link->Signal();
          },
          [this](const std::function<void()>& body) {
            const CallbackScope scope(this);
            body();
          },
          Inbox::Encoding{settings_.config.GetString("key-encoding") == "base64",
                          settings_.config.GetString("value-encoding") == "base64"})),
      subscription_(*inbox_, settings_.connect == ConnectMode::kLazy,
                    [this](const std::string& filter, const std::string& topic) {
                      return Matches(filter, topic);
                    }),
      current_(std::make_shared<const Settings>(settings_)) {
  logger_.SetLevel(ParseLogLevel(settings_.config.GetString("log-level"), LogLevel::kWarn));
  for (const std::string& warning : settings_.config.warnings()) logger_.Warn(warning);
}

Session::~Session() {
  if (file_watch_ != nullptr) file_watch_->Stop();  // may be reloading
  notifier_->Close();
  StopLinks(Clock::now() + kEndGrace);
  if (spool_ != nullptr) spool_->Close(Clock::now() + kStopGrace);  // a connect that failed
  metrics_file_.reset();                                            // reads the links
  if (metrics_.ledger != nullptr) metrics_.ledger->End(Clock::now() + kStopGrace);
}

// ---------------------------------------------------------------- connect

Result<std::shared_ptr<Session>> Session::Connect(const DriverFactory& factory,
                                                  const std::string& conn_str,
                                                  const std::string& config_path,
                                                  nvds_msgapi_connect_cb_t connect_cb,
                                                  NvDsMsgApiHandle handle) {
  Result<Settings> settings = Settings::Load(*factory.info, conn_str, config_path);
  if (!settings.ok()) return settings.status();
  std::shared_ptr<Session> session(
      new Session(factory, std::move(settings.value()), conn_str, config_path, connect_cb, handle));
  const Status status = session->Start();
  if (!status.ok()) {
    session->notifier_->Close();
    session->StopLinks(Clock::now() + kEndGrace);
    return status;
  }
  return session;
}

std::shared_ptr<const Settings> Session::CurrentSettings() const {
  std::lock_guard lock(settings_mutex_);
  return current_;
}

LinkParts Session::PartsFor(Role role) {
  return {factory_,
          CurrentSettings(),
          completions_,
          metrics_,
          logger_,
          *this,
          role == Role::kConsumer ? nullptr : &queue_,
          role == Role::kProducer ? nullptr : inbox_.get(),
          role == Role::kProducer ? nullptr : &subscription_,
          dead_letters_};
}

Status Session::Start() {
  auto ledger = Ledger::Start(settings_, *factory_.info);
  if (!ledger.ok()) return ledger.status();
  metrics_.ledger = std::move(ledger.value());
  if (Status status = UseBuilder(settings_); !status.ok()) return status;
  if (Status status = dead_letters_.Prepare(); !status.ok()) return status;
  completions_.SetObserver([this](std::span<const Finished> finished) { OnFinished(finished); });

  const Role role = factory_.info->separate_roles ? Role::kProducer : Role::kBoth;
  producer_ = std::make_unique<Link>(role, PartsFor(role));
  if (role == Role::kBoth) receiver_ = producer_.get();
  const Status configured = producer_->Configure();
  if (!configured.ok()) return configured;
  if (Status status = OpenSpool(); !status.ok()) return status;
  if (Status status = StartMetricsFile(); !status.ok()) return status;
  if (connect_cb_ != nullptr) notifier_->Start();
  producer_->Start();
  StartFileWatch();
  switch (settings_.connect) {
    case ConnectMode::kLazy:
      return {};
    case ConnectMode::kWait:
      return producer_->state().WaitUp(Clock::now() + settings_.connect_wait_timeout);
    case ConnectMode::kStrict:
      break;
  }
  // The driver itself observes connect-timeout and says which step failed; the grace gives it time
  // to.
  return producer_->state().WaitFirstAttempt(Clock::now() + settings_.connect_timeout + kStopGrace);
}

// ---------------------------------------------------------------- send

Status Session::Accept(const SendRequest& request, Recipient recipient, Token* token,
                       Deadline patience) {
  notifier_->HostCalled();
  Outgoing outgoing;
  const Status built =
      builder_.load(std::memory_order_acquire)->Build(request, metrics_, logger_, &outgoing);
  if (built.code() == Code::kInvalidArgument) {
    Metrics::Add(metrics_.refused);
    logger_.Limited(LogLevel::kError, "refused", built.message());
    return built;
  }
  outgoing.recipient = std::move(recipient);
  const bool urgent = outgoing.recipient.waiter != nullptr;  // a synchronous send
  std::vector<Finished> finished;
  const size_t bytes = request.payload.size();
  if (!built.ok()) {
    if (built.code() == Code::kTooLarge) {
      metrics_.RecordDropped(Place::kHost, DropReason::kTooLarge, built);
    } else {
      metrics_.RecordFailed(Place::kHost, built);
    }
    if (dead_letters_.enabled()) metrics_.books.LetterDue();
    logger_.Limited(LogLevel::kWarn, "not sent", built.message());
    dead_letters_.Keep({.topic = outgoing.message.topic,
                        .payload = request.payload,
                        .key = request.key,
                        .has_key = request.has_key,
                        .headers = request.headers,
                        .timestamp_ms = request.timestamp_ms},
                       built);
    finished.push_back({std::move(outgoing.recipient), built});
  } else {
    const Status pushed =
        spool_ == nullptr
            ? queue_.Push(std::move(outgoing), &finished, token, patience)
            : spool_->Push(std::move(outgoing), producer_->up(), &finished, token, patience);
    if (!pushed.ok()) {
      Metrics::Add(metrics_.refused);
      logger_.Limited(LogLevel::kWarn, "refused", pushed.message());
      return pushed;
    }
    producer_->Wake(urgent);
    relief_.Look(&finished);
  }
  Metrics::Add(metrics_.accepted_bytes, bytes);
  completions_.Push(&finished);
  return {};
}

Status Session::SendAsync(const SendRequest& request, nvds_msgapi_send_cb_t callback,
                          void* user_ptr) {
  return Accept(request, {callback, user_ptr, nullptr}, nullptr, Deadline::max());
}

Status Session::Send(const SendRequest& request) {
  const Deadline deadline = Clock::now() + CurrentSettings()->send_timeout;
  const auto waiter = std::make_shared<SyncWaiter>();
  Token token = 0;
  const Status accepted = Accept(request, {nullptr, nullptr, waiter}, &token, deadline);
  if (!accepted.ok()) return accepted;
  // It was withdrawn, or it has just ended and its outcome is on its way, or it is just being moved
  // from the queue to the spool: try again.
  for (Deadline next = deadline; !waiter->WaitUntil(next); next = Clock::now() + kWithdraw) {
    std::vector<Finished> finished;
    queue_.Withdraw(token, &finished);
    completions_.Push(&finished);
    if (spool_ != nullptr) spool_->Withdraw(waiter);
  }
  Status status = waiter->status();
  if (status.code() != Code::kTimeout || producer_->up()) return status;
  // The reason that the sender can act on.
  const Status reason = producer_->state().last_error();
  if (reason.ok()) return status;
  return {status.code(), status.message() + ", the link is down: " + reason.message()};
}

// ---------------------------------------------------------------- completions

void Session::Dispatch(Millis wait) {
  const CallbackScope scope(this);
  completions_.Dispatch(wait);
}

void Session::DoWork() {
  notifier_->HostCalled();
  // The I/O thread also checks for expired messages, but not during an attempt to connect.
  std::vector<Finished> finished;
  queue_.Expire(Clock::now(), &finished);
  completions_.Push(&finished);
  Dispatch(CurrentSettings()->work_wait);
}

bool Session::InCallback() const { return CallbackScope::Inside(this); }

bool Session::FlushUntil(Deadline deadline) {
  constexpr Millis kLook{50};  // how often to check, while waiting, whether there is still hope
  producer_->BeginFlush();
  while (true) {
    const Deadline next = std::min(deadline, Clock::now() + kLook);
    // Messages on their way to disk come back if the write fails.
    if (queue_.WaitIdle(next) &&
        (spool_ == nullptr || !spool_->WaitDurable(deadline) || queue_.WaitIdle(Clock::now()))) {
      return true;
    }
    if (Clock::now() >= deadline || producer_->state().FlushIsHopeless()) return false;
  }
}

bool Session::Flush(Millis timeout) {
  notifier_->HostCalled();
  const Deadline deadline = Clock::now() + timeout;
  const auto durable = [&] { return spool_ == nullptr || spool_->WaitDurable(deadline); };
  // Messages that waited behind the spool may have moved to it meanwhile, and may have come back.
  do {
    if (!durable() || !queue_.WaitIdle(deadline) || !durable()) return false;
  } while (!queue_.WaitIdle(Clock::now()));
  return true;
}

// ---------------------------------------------------------------- end

Status Session::Disconnect() {
  if (InCallback()) {
    return {Code::kInvalidArgument,
            "disconnect from inside a callback of the same connection is refused"};
  }
  if (file_watch_ != nullptr) file_watch_->Stop();
  notifier_->Close();
  if (spool_ != nullptr) spool_->StopFeeding();
  queue_.Close();
  const Deadline deadline = Clock::now() + CurrentSettings()->flush_timeout;
  const bool flushed = FlushUntil(deadline);
  const Deadline end = std::max(deadline, Clock::now()) + kEndGrace;
  StopLinks(end);
  if (spool_ != nullptr) {
    EndWithSpool(flushed, end);
  } else {
    EndWithoutSpool(flushed);
  }
  if (metrics_.ledger != nullptr) metrics_.ledger->End(end);
  if (metrics_file_ != nullptr) metrics_file_->End(end);
  Dispatch(Millis(0));
  return {};
}

void Session::StopLinks(Deadline end) {
  {
    std::lock_guard lock(links_mutex_);
    if (std::exchange(ended_, true)) return;  // by Disconnect, before the destructor
  }
  subscription_.Close();
  const auto early = factory_.info->acknowledges_early;
  const bool dispatch_rest = early != nullptr && early(CurrentSettings()->config);
  if (!dispatch_rest) CloseInbox(Clock::now() + kCallbackGrace);
  const auto room = std::chrono::duration_cast<Millis>(end - Clock::now()) - kAfterDrain;
  const Millis drain = dispatch_rest ? kLeastDrain : std::clamp(room, kLeastDrain, kDrain);
  for (Link* link : {producer_.get(), consumer_.get()}) {
    if (link != nullptr) link->RequestStop(drain);
  }
  for (Link* link : {producer_.get(), consumer_.get()}) {
    if (link != nullptr) link->Join();
  }
  if (!dispatch_rest) return;
  const Deadline deadline = std::min(end - kSpoolRest, Clock::now() + kDrain);
  if (const size_t left = inbox_->Drain(deadline); left > 0) {
    logger_.Warn(
        "disconnect: " + std::to_string(left) +
        " received messages were acknowledged but never passed to the callback, which is too slow");
  }
  CloseInbox(deadline);
}

// ---------------------------------------------------------------- events

void Session::PostConnectEvent(NvDsMsgApiEventType event) {
  if (connect_cb_ == nullptr) return;
  // No reference to the session's members: the notifier may outlive them. The address is only
  // compared.
  notifier_->Post([callback = connect_cb_, handle = handle_, session = this, event] {
    const CallbackScope scope(session);
    callback(handle, event);
  });
}

void Session::PostLinkState(DsmsgLinkState state, const std::string& reason) {
  if (link_callback_ == nullptr || link_told_ == state) return;
  link_told_ = state;
  notifier_->Post(
      [callback = link_callback_, user_ptr = link_user_ptr_, session = this, state, reason] {
        const CallbackScope scope(session);
        callback(user_ptr, state, reason.c_str());
      });
}

void Session::SetLinkCallback(DsmsgLinkCallback callback, void* user_ptr) {
  notifier_->HostCalled();
  if (callback != nullptr) notifier_->Start();
  std::lock_guard lock(event_mutex_);
  link_callback_ = callback;
  link_user_ptr_ = user_ptr;
  link_told_.reset();
  PostLinkState(producer_->up() ? DSMSG_LINK_UP : DSMSG_LINK_DOWN, LastError());
}

void Session::OnLinkUp(Role role) noexcept {
  if (role == Role::kConsumer) return;
  if (spool_ != nullptr) spool_->SetLinkUp(true);
  std::lock_guard lock(event_mutex_);
  const bool first_lazily = !up_told_ && settings_.connect == ConnectMode::kLazy;
  if (service_down_told_ || first_lazily) PostConnectEvent(NVDS_MSGAPI_EVT_SUCCESS);
  service_down_told_ = false;
  up_told_ = true;
  PostLinkState(DSMSG_LINK_UP, "");
}

std::string Session::OnBack(Role role) noexcept {
  return role == Role::kConsumer ? std::string() : losses_.LinkUp(Clock::now());
}

void Session::OnLinkDown(Role role, const Status& reason) noexcept {
  if (role == Role::kConsumer) return;
  losses_.LinkDown(Clock::now());
  if (spool_ != nullptr) spool_->SetLinkUp(false);
  std::lock_guard lock(event_mutex_);
  PostLinkState(DSMSG_LINK_DOWN, reason.message());
  if (!reason.permanent() || service_down_told_) return;
  service_down_told_ = true;
  PostConnectEvent(NVDS_MSGAPI_EVT_SERVICE_DOWN);
}

void Session::OnGaveUp(Role role, const Status&) noexcept {
  if (role == Role::kConsumer) return;
  std::lock_guard lock(event_mutex_);
  if (service_down_told_) return;
  service_down_told_ = true;
  PostConnectEvent(NVDS_MSGAPI_EVT_SERVICE_DOWN);
}

}  // namespace dsmsg
