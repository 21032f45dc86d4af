// SPDX-License-Identifier: Apache-2.0
// The Kafka adaptor on librdkafka 1.8 or newer: one driver instance produces, another consumes.
// librdkafka owns retries and reconnecting; the driver turns its events into completions,
// deliveries and link states.
//
// Threads: as core/driver/driver.h says; librdkafka's own threads touch only ClientShared.
#ifndef DSMSG_ADAPTORS_KAFKA_DRIVER_H_
#define DSMSG_ADAPTORS_KAFKA_DRIVER_H_

#include <librdkafka/rdkafka.h>

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "adaptors/kafka/brokers_watch.h"
#include "adaptors/kafka/connection.h"
#include "adaptors/kafka/consumer.h"
#include "adaptors/kafka/loss_watch.h"
#include "adaptors/kafka/producer.h"
#include "adaptors/kafka/settings.h"
#include "adaptors/kafka/stall_watch.h"
#include "core/base/time.h"
#include "core/driver/driver.h"

namespace dsmsg::kafka {

class KafkaDriver final : public Driver {
 public:
  explicit KafkaDriver(DriverHost& host) : host_(host) {}
  ~KafkaDriver() override { Close(Millis(0), -1); }

  static const DriverInfo& Info();

  Status Configure(const Endpoints& endpoints, const Config& config) override;
  Status Open(Role role, Deadline deadline, int cancel_fd) override;
  Status Submit(const Message& message, Token token) override;
  Status Poll(Millis budget, int wake_fd) override;
  Status Subscribe(std::span<const std::string> topics, Deadline deadline) override;
  void Ack(AckToken token) noexcept override;
  void Release(AckToken token, InMessage&& message) noexcept override;
  void Close(Millis drain, int cancel_fd) noexcept override;

 private:
  void Wait(Millis budget, int wake_fd, bool held);
  bool DrainEvents();                         // whether events may be left over
  bool HandleEvent(rd_kafka_event_t* event);  // whether the next one may be read
  void HandleError(rd_kafka_event_t* event);
  Status LostOver(const std::string& topic);

  DriverHost& host_;
  std::optional<KafkaSettings> settings_;
  std::unique_ptr<KafkaConnection> connection_;
  std::unique_ptr<BrokersWatch> brokers_;
  std::unique_ptr<LossWatch> losses_;  // of the producer
  KafkaProducer::Bounds bounds_;
  std::unique_ptr<KafkaProducer> producer_;
  std::unique_ptr<StallWatch> stall_;  // of the producer
  std::unique_ptr<KafkaConsumer> consumer_;
  int cancel_fd_ = -1;  // of the last Open: valid as long as the connection
  AckToken next_token_ = 1;
  bool more_ = false;  // the queue was not empty when Poll stopped
  Millis settle_{0};
  int submitted_ = 0;  // since the last Poll
  Status fatal_;
};

}  // namespace dsmsg::kafka

#endif  // DSMSG_ADAPTORS_KAFKA_DRIVER_H_
