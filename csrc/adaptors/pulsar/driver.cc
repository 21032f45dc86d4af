// SPDX-License-Identifier: Apache-2.0
#include "adaptors/pulsar/driver.h"

namespace dsmsg::pulsar {

const DriverInfo& PulsarDriver::Info() {
  static constexpr std::string_view kSchemes[] = {"pulsar", "pulsar+ssl"};
  static const DriverInfo info = [] {
    DriverInfo made{};
    made.protocol = "PULSAR";
    made.env_suffix = "PULSAR";
    made.delivery =
        "OK: as many bookies as the namespace's ack quorum have written the message to their "
        "journals. The topic keeps it only while a subscription or a retention policy needs it";
    made.library = "the Pulsar protocol";
    made.options = Options();
    made.conn_rules.protocol = "pulsar";
    made.conn_rules.schemes = kSchemes;
    made.conn_rules.default_port = 6650;
    made.conn_rules.tls_port = 6651;
    made.separate_roles = true;
    made.retry = RetryOwner::kCore;
    return made;
  }();
  return info;
}

Status PulsarDriver::Configure(const Endpoints& endpoints, const Config& config) {
  Result<PulsarSettings> settings = ReadSettings(endpoints, config);
  if (!settings.ok()) return settings.status();
  settings_ = std::move(settings.value());
  if (settings_.tls.enabled && !settings_.tls.verify) {
    host_.log().Limited(LogLevel::kWarn, "tls-verify", kInsecureWarning);
  }
  brokers_ = std::make_unique<Brokers>(settings_);
  return {};
}

Status PulsarDriver::Open(Role role, Deadline deadline, int cancel_fd) {
  cancel_fd_ = cancel_fd;
  if (role == Role::kConsumer) {
    if (consumer_ == nullptr) {
      consumer_ = std::make_unique<PulsarConsumer>(settings_, *brokers_, host_);
    }
    consumer_->Reset();
  } else {
    if (producer_ == nullptr) {
      producer_ = std::make_unique<PulsarProducer>(settings_, *brokers_, host_);
    }
    producer_->Reset();
  }
  return brokers_->Open(deadline, cancel_fd);
}

Status PulsarDriver::Submit(const Message& message, Token token) {
  if (producer_ == nullptr) return {Code::kInternal, "this connection only receives"};
  return producer_->Submit(message, token);
}

Status PulsarDriver::Poll(Millis budget, int wake_fd) {
  const Status status =
      consumer_ != nullptr ? consumer_->Poll(budget, wake_fd) : producer_->Poll(budget, wake_fd);
  if (!status.ok()) brokers_->PreferNextServer();
  return status;
}

Status PulsarDriver::Subscribe(std::span<const std::string> topics, Deadline deadline) {
  if (consumer_ == nullptr) return {Code::kInternal, "this connection only sends"};
  return consumer_->Subscribe(topics, deadline, cancel_fd_);
}

void PulsarDriver::Ack(AckToken token) noexcept {
  if (consumer_ != nullptr) consumer_->Ack(token);
}

void PulsarDriver::Release(AckToken token, InMessage&& /*message*/) noexcept {
  if (consumer_ != nullptr) consumer_->Release(token);
}

void PulsarDriver::Close(Millis drain, int cancel_fd) noexcept {
  if (brokers_ == nullptr) return;
  if (brokers_->open() && consumer_ != nullptr && drain.count() > 0) {
    consumer_->Drain(Clock::now() + drain, cancel_fd);
  }
  brokers_->Close();
  if (producer_ != nullptr) producer_->Reset();
  if (consumer_ != nullptr) consumer_->Reset();
}

}  // namespace dsmsg::pulsar
