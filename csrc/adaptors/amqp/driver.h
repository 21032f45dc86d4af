// SPDX-License-Identifier: Apache-2.0
// The AMQP 0-9-1 adaptor's driver: one connection that either sends (AmqpProducer) or receives
// (AmqpConsumer), so that a broker that accepts no messages for lack of memory still delivers.
//
// Threads: as core/driver/driver.h says. The host outlives it.
#ifndef DSMSG_ADAPTORS_AMQP_DRIVER_H_
#define DSMSG_ADAPTORS_AMQP_DRIVER_H_

#include <memory>
#include <span>
#include <string>

#include "adaptors/amqp/connection.h"
#include "adaptors/amqp/consumer.h"
#include "adaptors/amqp/producer.h"
#include "adaptors/amqp/settings.h"
#include "core/base/time.h"
#include "core/driver/driver.h"
#include "core/options/config.h"

namespace dsmsg::amqp {

class AmqpDriver final : public Driver {
 public:
  static const DriverInfo& Info();

  explicit AmqpDriver(DriverHost& host) : host_(host) {}

  Status Configure(const Endpoints& endpoints, const Config& config) override;
  Status Open(Role role, Deadline deadline, int cancel_fd) override;
  Status Submit(const Message& message, Token token) override;
  Status Poll(Millis budget, int wake_fd) override;
  Status Subscribe(std::span<const std::string> topics, Deadline deadline) override;
  void Ack(AckToken token) noexcept override;
  void Release(AckToken token, InMessage&& message) noexcept override;
  void Close(Millis drain, int cancel_fd) noexcept override;

 private:
  DriverHost& host_;
  AmqpSettings settings_;
  std::unique_ptr<AmqpConnection> connection_;
  std::unique_ptr<AmqpProducer> producer_;  // one of the two,
  std::unique_ptr<AmqpConsumer> consumer_;  // made by the first Open
  bool lost_ = false;                       // Poll gave up the link: there is no peer to talk to
  int cancel_fd_ = -1;                      // of the last Open: valid as long as the connection
};

}  // namespace dsmsg::amqp

#endif  // DSMSG_ADAPTORS_AMQP_DRIVER_H_
