// SPDX-License-Identifier: Apache-2.0
// Receives from core NATS: what is sent while this connection is up, without acknowledgement. While
// callbacks are slow nothing is read, and the server keeps the rest up to its max_pending.
//
// Threads: the connection's I/O thread only.
#ifndef DSMSG_ADAPTORS_NATS_CORE_CONSUMER_H_
#define DSMSG_ADAPTORS_NATS_CORE_CONSUMER_H_

#include <map>
#include <string>

#include "adaptors/nats/consumer.h"

namespace dsmsg::nats {

class CoreConsumer final : public NatsConsumer {
 public:
  CoreConsumer(const NatsSettings& settings, NatsConnection& connection, DriverHost& host)
      : NatsConsumer(settings, connection, host) {}

  void Reset() override;

 private:
  Status Begin(std::span<const std::string> topics, Deadline deadline, int cancel_fd) override;
  Status Take(const Op& op) override;
  bool reads_when_full() const override { return false; }
  bool subscribed() const override { return !subscriptions_.empty(); }

  std::map<uint64_t, std::string> subscriptions_;  // by sid
  uint64_t last_sid_ = 1;                          // that of the inbox
  std::string forbidden_;                          // the server's words, while Begin waits
};

}  // namespace dsmsg::nats

#endif  // DSMSG_ADAPTORS_NATS_CORE_CONSUMER_H_
