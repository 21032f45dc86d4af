// SPDX-License-Identifier: Apache-2.0
// The Pulsar adaptor's driver: one link that either sends (PulsarProducer) or receives
// (PulsarConsumer).
//
// Threads: as core/driver/driver.h says. The host outlives it.
#ifndef DSMSG_ADAPTORS_PULSAR_DRIVER_H_
#define DSMSG_ADAPTORS_PULSAR_DRIVER_H_

#include <memory>
#include <span>
#include <string>

#include "adaptors/pulsar/brokers.h"
#include "adaptors/pulsar/consumer.h"
#include "adaptors/pulsar/producer.h"
#include "adaptors/pulsar/settings.h"
#include "core/driver/driver.h"

namespace dsmsg::pulsar {

class PulsarDriver final : public Driver {
 public:
  static const DriverInfo& Info();

  explicit PulsarDriver(DriverHost& host) : host_(host) {}

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
  PulsarSettings settings_;
  std::unique_ptr<Brokers> brokers_;
  std::unique_ptr<PulsarProducer> producer_;  // one of the two,
  std::unique_ptr<PulsarConsumer> consumer_;  // made by the first Open
  int cancel_fd_ = -1;                        // of the last Open: valid as long as the link
};

}  // namespace dsmsg::pulsar

#endif  // DSMSG_ADAPTORS_PULSAR_DRIVER_H_
