// SPDX-License-Identifier: Apache-2.0
#include "adaptors/zmq/driver.h"

#include <zmq.h>

#include <algorithm>
#include <string>

#include "core/base/time.h"
#include "core/options/config.h"

namespace dsmsg::zmq {
namespace {

// inproc has no events: how soon we notice that the other end is gone.
constexpr Millis kInprocLook{200};
// In addition to `drain`, for sockets that have nothing to send.
constexpr Millis kCloseBound{400};

const char* ZmqVersion() {
  static const auto* const text = [] {
    int major = 0, minor = 0, patch = 0;
    zmq_version(&major, &minor, &patch);
    return new std::string(std::to_string(major) + "." + std::to_string(minor) + "." +
                           std::to_string(patch));
  }();
  return text->c_str();
}

bool ConnectsInproc(const ZmqTarget& target) {
  return !target.bind && target.addresses.front().transport == ZmqAddress::Transport::kInproc;
}

}  // namespace

const DriverInfo& ZmqDriver::Info() {
  static constexpr std::string_view kSchemes[] = {"zmq"};
  static const DriverInfo info = [] {
    DriverInfo made{};
    made.protocol = "ZMQ";
    made.env_suffix = "ZMQ";
    made.delivery =
        "OK: REQ: the receiver's reply has arrived; PUSH and PUB: libzmq has accepted the message, "
        "which is not an acknowledgement";
    made.library = "libzmq";
    made.library_version = ZmqVersion;
    made.options = Options();
    made.conn_rules.protocol = "zmq";
    made.conn_rules.schemes = kSchemes;
    made.conn_rules.default_port = 5555;
    made.conn_rules.opaque = true;
    made.separate_roles = false;
    made.retry = RetryOwner::kCore;
    made.linger_option = "submit-linger";
    made.adjust = AdjustSettings;
    // PULL and REP get everything that is sent: there is nothing to unsubscribe.
    made.matches = [](const Config& config, const std::string& filter, const std::string& topic) {
      return config.GetString("subscribe_socket_type") == "SUB" && topic.starts_with(filter);
    };
    made.no_headers = [](const Config&) { return "ZeroMQ has no headers"; };
    return made;
  }();
  return info;
}

Status ZmqDriver::Configure(const Endpoints& endpoints, const Config& config) {
  Result<ZmqSettings> settings = ReadSettings(endpoints, config);
  if (!settings.ok()) return settings.status();
  settings_ = std::move(settings.value());
  receives_only_ = settings_.send == ZmqSettings::Send::kNone;
  if (!receives_only_) producer_ = ZmqProducer::Create(settings_, host_);
  consumer_ = std::make_unique<ZmqConsumer>(settings_, host_);
  return {};
}

Status ZmqDriver::Open(Role /*role*/, Deadline deadline, int cancel_fd) {
  cancel_fd_ = cancel_fd;
  broken_ = Status();
  if (context_ == nullptr) {
    Result<std::shared_ptr<ZmqContext>> context = ZmqContext::Get();
    if (!context.ok()) return context.status();
    context_ = std::move(context.value());
  }
  return receives_only_ ? consumer_->Open(deadline, cancel_fd)
                        : producer_->Open(deadline, cancel_fd);
}

Status ZmqDriver::Submit(const Message& message, Token token) {
  if (receives_only_) {
    return {Code::kRejected, "this handle only receives at " + settings_.receive_target.ToString() +
                                 ": send through another handle, or give the receiving socket its "
                                 "own address (subscribe_address)"};
  }
  has_sent_ = true;
  return producer_->Submit(message, token);
}

Status ZmqDriver::Work(bool* progress) {
  if (!broken_.ok()) return broken_;
  if (Status status = consumer_->Work(progress); !status.ok()) return status;
  return receives_only_ ? Status() : producer_->Work(progress);
}

void ZmqDriver::Wait(Millis budget, int wake_fd) {
  const bool looks =
      ConnectsInproc(receives_only_ ? settings_.receive_target : settings_.send_target);
  Deadline end = Clock::now() + (looks ? std::min(budget, kInprocLook) : budget);
  if (!receives_only_) end = std::min(end, producer_->NextWork());
  fds_.assign(1, {wake_fd, POLLIN, 0});
  consumer_->AddTo(&fds_);
  if (!receives_only_) producer_->AddTo(&fds_);
  ::poll(fds_.data(), fds_.size(), PollTimeout(end));
}

// The sockets' descriptors signal only changes, so both checks are needed: before waiting, because
// an earlier call may have consumed a change, and after it.
Status ZmqDriver::Poll(Millis budget, int wake_fd) {
  bool progress = false;
  if (Status status = Work(&progress); !status.ok() || progress) return status;
  if (budget.count() == 0) return {};
  Wait(budget, wake_fd);
  return Work(&progress);
}

// An address serves one socket: as long as nothing was sent, the sending socket makes way.
Status ZmqDriver::BecomeReceiver() {
  if (receives_only_ || settings_.both) return {};
  if (has_sent_) {
    return {Code::kNotSupported, "this handle already sends at " +
                                     settings_.send_target.ToString() +
                                     ": receive through another handle, or give the receiving "
                                     "socket its own address (subscribe_address)"};
  }
  producer_->Close(Millis(0), kCloseBound);
  receives_only_ = true;
  return {};
}

Status ZmqDriver::Subscribe(std::span<const std::string> topics, Deadline deadline) {
  if (topics.empty() && !consumer_->open()) return {};
  const bool was_receiver = receives_only_;
  if (Status status = BecomeReceiver(); !status.ok()) return status;
  Status status;
  if (!consumer_->open()) status = consumer_->Open(deadline, cancel_fd_);
  if (status.ok()) status = consumer_->Subscribe(topics);
  if (status.ok()) return status;
  // The sending socket is fine and stays: report the error to the caller now.
  if (!receives_only_)
    return {status.permanent() ? status.code() : Code::kRejected, status.message()};
  const bool tried_again = status.retryable() && (was_receiver || settings_.lazy);
  if (tried_again) {
    broken_ = status;  // the core reopens the link and subscribes again
    return status;
  }
  if (was_receiver || status.code() == Code::kCancelled) return status;
  // Report the error to the caller now; the core reopens the sending socket.
  receives_only_ = false;
  broken_ = {Code::kUnavailable, "this handle sends again: " + status.message()};
  return {status.permanent() ? status.code() : Code::kRejected, status.message()};
}

void ZmqDriver::Ack(AckToken token) noexcept { consumer_->Ack(token); }

void ZmqDriver::Close(Millis drain, int /*cancel_fd*/) noexcept {
  // After a lost link there is no one to send the rest to. At the end, what libzmq has accepted is
  // sent, for as long as the contract lets us wait and then in the background.
  const Millis linger = drain.count() > 0 ? settings_.linger : Millis(0);
  const Deadline end = Clock::now() + drain + kCloseBound;
  if (consumer_ != nullptr) consumer_->Close(linger, drain + kCloseBound);
  if (producer_ != nullptr) producer_->Close(linger, Millis(PollTimeout(end)));
}

}  // namespace dsmsg::zmq
