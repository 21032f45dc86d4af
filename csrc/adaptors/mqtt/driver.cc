// SPDX-License-Identifier: Apache-2.0
#include "adaptors/mqtt/driver.h"

#include <mosquitto.h>

#include <algorithm>
#include <string>

#include "core/base/time.h"
#include "core/options/config.h"

namespace dsmsg::mqtt {
namespace {

const char* MosquittoVersion() {
  static const auto* const text = [] {
    int major = 0, minor = 0, revision = 0;
    mosquitto_lib_version(&major, &minor, &revision);
    return new std::string(std::to_string(major) + "." + std::to_string(minor) + "." +
                           std::to_string(revision));
  }();
  return text->c_str();
}

}  // namespace

const DriverInfo& MqttDriver::Info() {
  static constexpr std::string_view kSchemes[] = {"mqtt", "mqtts"};
  static const DriverInfo info = [] {
    DriverInfo made{};
    made.protocol = "MQTT";
    made.env_suffix = "MQTT";
    made.delivery =
        "OK: the server has acknowledged the message (qos=1: PUBACK, qos=2: PUBCOMP; qos=0: it was "
        "written to the socket); what survives a server crash depends on its persistence settings";
    made.library = "libmosquitto";
    made.library_version = MosquittoVersion;
    made.options = Options();
    made.conn_rules.protocol = "mqtt";
    made.conn_rules.schemes = kSchemes;
    made.conn_rules.default_port = 1883;
    made.conn_rules.tls_port = 8883;
    made.separate_roles = false;
    made.retry = RetryOwner::kCore;
    made.acknowledges_early = [](const Config& config) { return config.GetBool("clean-session"); };
    made.matches = [](const Config&, const std::string& filter, const std::string& topic) {
      return MqttConsumer::Matches(filter, topic);
    };
    made.no_headers = [](const Config& config) -> const char* {
      return config.GetString("protocol") == "5" ? nullptr : "MQTT 3.1.1 has no headers";
    };
    return made;
  }();
  return info;
}

Status MqttDriver::Configure(const Endpoints& endpoints, const Config& config) {
  Result<MqttSettings> settings = ReadSettings(endpoints, config);
  if (!settings.ok()) return settings.status();
  if (config.IsSet("set-threaded")) {
    host_.log().Warn("set-threaded has no effect: the adaptor always has its own thread");
  }
  if (settings.value().clean_session && config.IsSet("session-expiry")) {
    host_.log().Warn(
        "session-expiry has no effect with clean-session=1: a clean session ends with its "
        "connection");
  }
  Start(std::move(settings.value()));
  return {};
}

void MqttDriver::Start(MqttSettings settings) {
  settings_ = std::move(settings);
  if (settings_.tls.enabled && !settings_.tls.verify) host_.log().Warn(kInsecureWarning);
  MqttEvents& events = *this;  // private to all others
  connection_ = std::make_unique<MqttConnection>(settings_, host_.log(), events);
  producer_ = std::make_unique<MqttProducer>(settings_, *connection_, host_);
  consumer_ = std::make_unique<MqttConsumer>(settings_, *connection_, host_);
}

Status MqttDriver::Open(Role, Deadline deadline, int cancel_fd) {
  cancel_fd_ = cancel_fd;
  consumer_->BeginOpen();
  Status status = connection_->Open(deadline, cancel_fd);
  if (!status.ok()) return status;
  producer_->Reset();
  consumer_->Reset();
  return status;
}

Status MqttDriver::Submit(const Message& message, Token token) {
  return producer_->Submit(message, token);
}

Status MqttDriver::Poll(Millis budget, int wake_fd) {
  Status status = Work(budget, wake_fd);
  if (!status.ok()) connection_->PreferNextServer();
  return status;
}

Status MqttDriver::Work(Millis budget, int wake_fd) {
  if (!consumer_->broken().ok()) return consumer_->broken();
  if (Status status = producer_->CheckPassedOver(); !status.ok()) return status;
  const Deadline deadline = Clock::now() + std::min(budget, settings_.loop_timeout);
  while (true) {
    if (!producer_->broken().ok()) return producer_->broken();
    // Without room, messages stay with the server, unless something else is awaited.
    const bool room =
        consumer_->DeliverPending() || (producer_->in_flight() > 0 && consumer_->MayRead());
    const Millis left(PollTimeout(deadline));
    MqttConnection::Progress progress;
    if (Status status = connection_->Step(left, wake_fd, room, &progress); !status.ok())
      return status;
    if (producer_->TakeRoom()) return {};
    if (progress.worked && !producer_->window_full()) return {};
    // While nothing is read, no answer can arrive.
    if (producer_->in_flight() > 0 && room && !progress.worked) {
      if (Status status = connection_->CheckSilence(); !status.ok()) return status;
    }
    if (progress.woken || Clock::now() >= deadline) return {};
  }
}

Status MqttDriver::Subscribe(std::span<const std::string> topics, Deadline deadline) {
  return consumer_->Subscribe(topics, deadline, cancel_fd_);
}

void MqttDriver::Ack(AckToken token) noexcept { consumer_->Ack(token); }

// No other client can get it, and unacknowledged it would occupy the server's window.
void MqttDriver::Release(AckToken token, InMessage&& /*message*/) noexcept {
  consumer_->Ack(token);
}

void MqttDriver::Close(Millis drain, int) noexcept {
  if (connection_ == nullptr) return;
  if (drain.count() > 0 && !consumer_->DeliverPending()) {
    if (const size_t lost = consumer_->UnsavedPending(); lost > 0) {
      host_.log().Warn(std::to_string(lost) +
                       " received messages did not fit into memory at disconnect and are lost");
    }
  }
  connection_->Close(drain);
}

}  // namespace dsmsg::mqtt
