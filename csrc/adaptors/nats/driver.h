// SPDX-License-Identifier: Apache-2.0
// The NATS adaptor's driver: one connection that either sends (NatsProducer) or receives
// (NatsConsumer).
//
// Threads: as core/driver/driver.h says. The host outlives it.
#ifndef DSMSG_ADAPTORS_NATS_DRIVER_H_
#define DSMSG_ADAPTORS_NATS_DRIVER_H_

#include <memory>
#include <span>
#include <string>

#include "adaptors/nats/connection.h"
#include "adaptors/nats/consumer.h"
#include "adaptors/nats/producer.h"
#include "adaptors/nats/settings.h"
#include "core/driver/driver.h"

namespace dsmsg::nats {

class NatsDriver final : public Driver {
 public:
  static const DriverInfo& Info();

  explicit NatsDriver(DriverHost& host) : host_(host) {}

  Status Configure(const Endpoints& endpoints, const Config& config) override;
  Status Open(Role role, Deadline deadline, int cancel_fd) override;
  Status Submit(const Message& message, Token token) override;
  Status Poll(Millis budget, int wake_fd) override;
  /// The server is about to shut down (lame duck) and there is another one.
  bool WantsReopen() const noexcept override;
  Status Subscribe(std::span<const std::string> topics, Deadline deadline) override;
  void Ack(AckToken token) noexcept override;
  void Release(AckToken token, InMessage&& message) noexcept override;
  void Close(Millis drain, int cancel_fd) noexcept override;

 private:
  DriverHost& host_;
  NatsSettings settings_;
  std::unique_ptr<NatsConnection> connection_;
  std::unique_ptr<NatsProducer> producer_;  // one of the two,
  std::unique_ptr<NatsConsumer> consumer_;  // made by the first Open
  int cancel_fd_ = -1;                      // of the last Open: valid as long as the connection
};

}  // namespace dsmsg::nats

#endif  // DSMSG_ADAPTORS_NATS_DRIVER_H_
