// SPDX-License-Identifier: Apache-2.0
// The ZeroMQ adaptor's driver: a sending socket, a receiving one, or both if the latter has its own
// address (subscribe_address).
//
// Threads: as core/driver/driver.h says. The host outlives it.
#ifndef DSMSG_ADAPTORS_ZMQ_DRIVER_H_
#define DSMSG_ADAPTORS_ZMQ_DRIVER_H_

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "adaptors/zmq/consumer.h"
#include "adaptors/zmq/context.h"
#include "adaptors/zmq/producer.h"
#include "adaptors/zmq/settings.h"
#include "core/base/time.h"
#include "core/driver/driver.h"
#include "core/options/config.h"

namespace dsmsg::zmq {

class ZmqDriver final : public Driver {
 public:
  static const DriverInfo& Info();

  explicit ZmqDriver(DriverHost& host) : host_(host) {}

  Status Configure(const Endpoints& endpoints, const Config& config) override;
  Status Open(Role role, Deadline deadline, int cancel_fd) override;
  Status Submit(const Message& message, Token token) override;
  Status Poll(Millis budget, int wake_fd) override;
  Status Subscribe(std::span<const std::string> topics, Deadline deadline) override;
  void Ack(AckToken token) noexcept override;
  void Close(Millis drain, int cancel_fd) noexcept override;

 private:
  Status Work(bool* progress);
  Status BecomeReceiver();
  void Wait(Millis budget, int wake_fd);

  DriverHost& host_;
  ZmqSettings settings_;
  std::shared_ptr<ZmqContext> context_;    // kept over reconnects
  std::unique_ptr<ZmqProducer> producer_;  // null: only receives
  std::unique_ptr<ZmqConsumer> consumer_;
  bool has_sent_ = false, receives_only_ = false;
  int cancel_fd_ = -1;  // of the last Open: valid as long as the connection
  Status broken_;       // Subscribe failed: Poll reports it
  std::vector<pollfd> fds_;
};

}  // namespace dsmsg::zmq

#endif  // DSMSG_ADAPTORS_ZMQ_DRIVER_H_
