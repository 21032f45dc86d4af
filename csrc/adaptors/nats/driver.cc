// SPDX-License-Identifier: Apache-2.0
#include "adaptors/nats/driver.h"

#include "adaptors/nats/subject.h"

namespace dsmsg::nats {

const DriverInfo& NatsDriver::Info() {
  static constexpr std::string_view kSchemes[] = {"nats", "natss"};
  static const DriverInfo info = [] {
    DriverInfo made{};
    made.protocol = "NATS";
    made.env_suffix = "NATS";
    made.delivery =
        "OK: the stream has acknowledged the message; with the server's default sync_interval a "
        "power cut may still lose the last two minutes. With jetstream=0: the server has processed "
        "it, whoever receives it";
    made.library = "the NATS protocol";
    made.options = Options();
    made.conn_rules.protocol = "nats";
    made.conn_rules.schemes = kSchemes;
    made.conn_rules.default_port = 4222;
    made.separate_roles = true;
    made.retry = RetryOwner::kCore;
    made.matches = [](const Config&, const std::string& filter, const std::string& topic) {
      return SubjectMatches(filter, topic);
    };
    return made;
  }();
  return info;
}

Status NatsDriver::Configure(const Endpoints& endpoints, const Config& config) {
  Result<NatsSettings> settings = ReadSettings(endpoints, config);
  if (!settings.ok()) return settings.status();
  settings_ = std::move(settings.value());
  if (settings_.tls.enabled && !settings_.tls.verify) {
    host_.log().Limited(LogLevel::kWarn, "tls-verify", kInsecureWarning);
  }
  connection_ = std::make_unique<NatsConnection>(settings_, host_.log());
  return {};
}

Status NatsDriver::Open(Role role, Deadline deadline, int cancel_fd) {
  cancel_fd_ = cancel_fd;
  if (role == Role::kConsumer) {
    if (consumer_ == nullptr) consumer_ = NatsConsumer::Create(settings_, *connection_, host_);
    consumer_->Reset();
  } else {
    if (producer_ == nullptr) {
      producer_ = std::make_unique<NatsProducer>(settings_, *connection_, host_);
    }
    producer_->Reset();
  }
  return connection_->Open(deadline, cancel_fd);
}

Status NatsDriver::Submit(const Message& message, Token token) {
  if (producer_ == nullptr) return {Code::kInternal, "this connection only receives"};
  return producer_->Submit(message, token);
}

Status NatsDriver::Poll(Millis budget, int wake_fd) {
  const Status status =
      consumer_ != nullptr ? consumer_->Poll(budget, wake_fd) : producer_->Poll(budget, wake_fd);
  if (!status.ok()) connection_->PreferNextServer();
  return status;
}

bool NatsDriver::WantsReopen() const noexcept {
  return connection_ != nullptr && connection_->open() && connection_->info().lame_duck &&
         settings_.hosts.size() > 1;
}

Status NatsDriver::Subscribe(std::span<const std::string> topics, Deadline deadline) {
  if (consumer_ == nullptr) return {Code::kInternal, "this connection only sends"};
  return consumer_->Subscribe(topics, deadline, cancel_fd_);
}

void NatsDriver::Ack(AckToken token) noexcept {
  if (consumer_ != nullptr) consumer_->Ack(token);
}

void NatsDriver::Release(AckToken token, InMessage&& /*message*/) noexcept {
  if (consumer_ != nullptr) consumer_->Release(token);
}

void NatsDriver::Close(Millis drain, int cancel_fd) noexcept {
  if (connection_ == nullptr) return;
  if (WantsReopen()) connection_->PreferNextServer();
  if (connection_->open() && consumer_ != nullptr && drain.count() > 0) {
    consumer_->Drain(Clock::now() + drain, cancel_fd);
  }
  connection_->Close();
  if (producer_ != nullptr) producer_->Reset();
  if (consumer_ != nullptr) consumer_->Reset();
}

}  // namespace dsmsg::nats
