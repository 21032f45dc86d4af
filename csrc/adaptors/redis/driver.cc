// SPDX-License-Identifier: Apache-2.0
#include "adaptors/redis/driver.h"

#include <hiredis.h>

#include "core/base/time.h"
#include "core/options/config.h"

namespace dsmsg::redis {
namespace {

// hiredis cannot report its version at run time; within a soname it is compatible with the one used
// at build time.
const char* HiredisVersion() {
  static const auto* const text =
      new std::string(std::to_string(HIREDIS_MAJOR) + "." + std::to_string(HIREDIS_MINOR) + "." +
                      std::to_string(HIREDIS_PATCH));
  return text->c_str();
}

}  // namespace

const DriverInfo& RedisDriver::Info() {
  static constexpr std::string_view kSchemes[] = {"redis", "rediss"};
  static const DriverInfo info = [] {
    DriverInfo made{};
    made.protocol = "REDIS";
    made.env_suffix = "REDIS";
    made.delivery =
        "OK: the server has executed the command (XADD answered with an entry id); what survives a "
        "server crash depends on its appendfsync setting";
    made.library = "hiredis";
    made.library_version = HiredisVersion;
    made.options = Options();
    made.conn_rules.protocol = "redis";
    made.conn_rules.schemes = kSchemes;
    made.conn_rules.default_port = 6379;
    made.separate_roles = true;
    made.retry = RetryOwner::kCore;
    made.matches = RedisConsumer::Matches;
    made.no_headers = [](const Config& config) -> const char* {
      return config.GetString("command") == "xadd" ? nullptr
                                                   : "only command=xadd sends headers (as fields)";
    };
    return made;
  }();
  return info;
}

Status RedisDriver::Configure(const Endpoints& endpoints, const Config& config) {
  Result<RedisSettings> settings = ReadSettings(endpoints, config);
  if (!settings.ok()) return settings.status();
  settings_ = std::move(settings.value());
  if (settings_.tls.enabled && !settings_.tls.verify) {
    host_.log().Limited(LogLevel::kWarn, "tls-verify", kInsecureWarning);
  }
  connection_ = std::make_unique<RedisConnection>(settings_, host_.log());
  return {};
}

Status RedisDriver::Open(Role role, Deadline deadline, int cancel_fd) {
  if (role == Role::kConsumer && settings_.command == RedisSettings::Command::kSet)
    return {Code::kNotSupported, "command=set only sends: nothing can be received with it"};
  role_ = role;
  cancel_fd_ = cancel_fd;
  const Deadline begun = Clock::now();
  // Where a cluster may have to be connected to, its nodes get a part of the time.
  const bool known = cluster_producer_ != nullptr || cluster_consumer_ != nullptr;
  Status status = connection_->Open(known ? begun + (deadline - begun) / 2 : deadline, cancel_fd);
  if (!status.ok()) return status;
  if (connection_->cluster() != nullptr) return OpenCluster(deadline, cancel_fd);
  cluster_producer_.reset();
  cluster_consumer_.reset();
  if (role == Role::kConsumer) {
    if (consumer_ == nullptr) consumer_ = RedisConsumer::Create(settings_, *connection_, host_);
    consumer_->Reset(/*keep_tokens=*/false);
  } else {
    if (producer_ == nullptr) {
      producer_ = std::make_unique<RedisProducer>(settings_, *connection_, host_);
    }
    producer_->Reset();
  }
  return {};
}

// The connection has only told who the nodes are.
Status RedisDriver::OpenCluster(Deadline deadline, int cancel_fd) {
  const std::string said_by = connection_->name();
  connection_->Close();
  producer_.reset();
  consumer_.reset();
  if (role_ == Role::kConsumer) {
    if (cluster_consumer_ == nullptr) {
      cluster_consumer_ = std::make_unique<ClusterConsumer>(settings_, host_);
    }
    cluster_consumer_->Open(connection_->hosts());
    return {};
  }
  if (cluster_producer_ == nullptr) {
    cluster_producer_ = std::make_unique<ClusterProducer>(settings_, host_);
  }
  return cluster_producer_->Open(*connection_->cluster(), said_by, deadline, cancel_fd);
}

Status RedisDriver::Submit(const Message& message, Token token) {
  if (producer_ != nullptr) return producer_->Submit(message, token);
  if (cluster_producer_ != nullptr) return cluster_producer_->Submit(message, token);
  return {Code::kInternal, "this connection only receives"};
}

Status RedisDriver::Poll(Millis budget, int wake_fd) {
  if (cluster_producer_ != nullptr) return cluster_producer_->Poll(budget, wake_fd);
  if (cluster_consumer_ != nullptr) return cluster_consumer_->Poll(budget, wake_fd);
  const Status status =
      consumer_ != nullptr ? consumer_->Poll(budget, wake_fd) : producer_->Poll(budget, wake_fd);
  if (!status.ok()) connection_->PreferNextServer();
  return status;
}

Status RedisDriver::Subscribe(std::span<const std::string> topics, Deadline deadline) {
  if (consumer_ != nullptr) return consumer_->Subscribe(topics, deadline, cancel_fd_);
  if (cluster_consumer_ != nullptr) {
    return cluster_consumer_->Subscribe(topics, deadline, cancel_fd_);
  }
  return {Code::kInternal, "this connection only sends"};
}

void RedisDriver::Ack(AckToken token) noexcept {
  if (consumer_ != nullptr) consumer_->Ack(token);
  if (cluster_consumer_ != nullptr) cluster_consumer_->Ack(token);
}

void RedisDriver::Release(AckToken token, InMessage&& message) noexcept {
  if (consumer_ != nullptr) consumer_->Release(token, std::move(message));
  if (cluster_consumer_ != nullptr) cluster_consumer_->Release(token, std::move(message));
}

void RedisDriver::Close(Millis drain, int cancel_fd) noexcept {
  if (connection_ == nullptr) return;
  const Deadline until = Clock::now() + drain;
  if (connection_->open() && consumer_ != nullptr && drain.count() > 0) {
    consumer_->Drain(until, cancel_fd);
  }
  connection_->Close();
  if (producer_ != nullptr) producer_->Reset();
  if (consumer_ != nullptr) consumer_->Reset(/*keep_tokens=*/false);
  if (cluster_producer_ != nullptr) cluster_producer_->Close();
  if (cluster_consumer_ != nullptr) cluster_consumer_->Close(until, cancel_fd);
}

}  // namespace dsmsg::redis
