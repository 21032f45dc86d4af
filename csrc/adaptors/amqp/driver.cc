// SPDX-License-Identifier: Apache-2.0
#include "adaptors/amqp/driver.h"

#include <algorithm>

#include "core/base/time.h"
#include "core/options/config.h"

namespace dsmsg::amqp {
namespace {

constexpr Millis kGoodbye{300};

}  // namespace

const DriverInfo& AmqpDriver::Info() {
  static constexpr std::string_view kSchemes[] = {"amqp", "amqps"};
  static const DriverInfo info = [] {
    DriverInfo made{};
    made.protocol = "AMQP";
    made.env_suffix = "AMQP";
    made.delivery =
        "OK: the broker has confirmed the message (publisher confirm): it is in all queues bound "
        "for it, on disk if message and queue are durable";
    made.library = "rabbitmq-c";
    made.library_version = amqp_version;
    made.options = Options();
    made.conn_rules.protocol = "amqp";
    made.conn_rules.schemes = kSchemes;
    made.conn_rules.default_port = 5672;
    made.conn_rules.tls_port = 5671;
    made.conn_rules.third_is_user = true;
    made.separate_roles = true;
    made.retry = RetryOwner::kCore;
    made.matches = [](const Config&, const std::string& filter, const std::string& topic) {
      return AmqpConsumer::Matches(filter, topic);
    };
    return made;
  }();
  return info;
}

Status AmqpDriver::Configure(const Endpoints& endpoints, const Config& config) {
  Result<AmqpSettings> settings = ReadSettings(endpoints, config);
  if (!settings.ok()) return settings.status();
  settings_ = std::move(settings.value());
  if (settings_.tls.enabled && !settings_.tls.verify) host_.log().Warn(kInsecureWarning);
  connection_ = std::make_unique<AmqpConnection>(settings_, host_.log());
  return {};
}

Status AmqpDriver::Open(Role role, Deadline deadline, int cancel_fd) {
  cancel_fd_ = cancel_fd;
  lost_ = false;
  const bool receives = role == Role::kConsumer;
  Status status = connection_->Open(receives ? "receive" : "send", deadline, cancel_fd);
  if (!status.ok()) return status;
  if (receives) {
    if (consumer_ == nullptr) {
      consumer_ = std::make_unique<AmqpConsumer>(settings_, *connection_, host_);
    }
    return consumer_->Start(deadline, cancel_fd);
  }
  if (producer_ == nullptr)
    producer_ = std::make_unique<AmqpProducer>(settings_, *connection_, host_);
  return producer_->Start(deadline, cancel_fd);
}

Status AmqpDriver::Submit(const Message& message, Token token) {
  if (producer_ == nullptr) return {Code::kInternal, "this connection only receives"};
  return producer_->Submit(message, token);
}

Status AmqpDriver::Poll(Millis budget, int wake_fd) {
  Status status =
      consumer_ != nullptr ? consumer_->Poll(budget, wake_fd) : producer_->Poll(budget, wake_fd);
  if (!status.ok()) {
    lost_ = true;
    connection_->PreferNextBroker();
  }
  return status;
}

Status AmqpDriver::Subscribe(std::span<const std::string> topics, Deadline deadline) {
  if (consumer_ == nullptr) return {Code::kInternal, "this connection only sends"};
  return consumer_->Subscribe(topics, deadline, cancel_fd_);
}

void AmqpDriver::Ack(AckToken token) noexcept {
  if (consumer_ != nullptr) consumer_->Ack(token);
}

void AmqpDriver::Release(AckToken token, InMessage&& /*message*/) noexcept {
  if (consumer_ != nullptr) consumer_->Release(token);
}

void AmqpDriver::Close(Millis drain, int cancel_fd) noexcept {
  if (connection_ == nullptr) return;
  if (connection_->open() && !lost_) {
    if (consumer_ != nullptr && drain.count() > 0) {
      consumer_->Drain(Clock::now() + drain, cancel_fd);
    }
    connection_->Close(Clock::now() + kGoodbye, cancel_fd);
  }
  connection_->Close();
  if (producer_ != nullptr) producer_->Reset();
  if (consumer_ != nullptr) consumer_->Reset();
}

}  // namespace dsmsg::amqp
