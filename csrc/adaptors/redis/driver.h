// SPDX-License-Identifier: Apache-2.0
// The Redis adaptor's driver: one connection that either sends (RedisProducer) or receives
// (RedisConsumer), or those to the nodes of a cluster (ClusterProducer, ClusterConsumer).
//
// Threads: as core/driver/driver.h says. The host outlives it.
#ifndef DSMSG_ADAPTORS_REDIS_DRIVER_H_
#define DSMSG_ADAPTORS_REDIS_DRIVER_H_

#include <memory>
#include <span>
#include <string>

#include "adaptors/redis/cluster_consumer.h"
#include "adaptors/redis/cluster_producer.h"
#include "adaptors/redis/connection.h"
#include "adaptors/redis/consumer.h"
#include "adaptors/redis/producer.h"
#include "adaptors/redis/settings.h"
#include "core/base/time.h"
#include "core/driver/driver.h"
#include "core/options/config.h"

namespace dsmsg::redis {

class RedisDriver final : public Driver {
 public:
  static const DriverInfo& Info();

  explicit RedisDriver(DriverHost& host) : host_(host) {}

  Status Configure(const Endpoints& endpoints, const Config& config) override;
  Status Open(Role role, Deadline deadline, int cancel_fd) override;
  Status Submit(const Message& message, Token token) override;
  Status Poll(Millis budget, int wake_fd) override;
  Status Subscribe(std::span<const std::string> topics, Deadline deadline) override;
  void Ack(AckToken token) noexcept override;
  void Release(AckToken token, InMessage&& message) noexcept override;
  void Close(Millis drain, int cancel_fd) noexcept override;

 private:
  Status OpenCluster(Deadline deadline, int cancel_fd);

  DriverHost& host_;
  RedisSettings settings_;
  std::unique_ptr<RedisConnection> connection_;
  // One of the four is in use: Open decides, and makes it.
  std::unique_ptr<RedisProducer> producer_;
  std::unique_ptr<RedisConsumer> consumer_;
  std::unique_ptr<ClusterProducer> cluster_producer_;
  std::unique_ptr<ClusterConsumer> cluster_consumer_;
  Role role_ = Role::kProducer;
  int cancel_fd_ = -1;  // of the last Open: valid as long as the connection
};

}  // namespace dsmsg::redis

#endif  // DSMSG_ADAPTORS_REDIS_DRIVER_H_
