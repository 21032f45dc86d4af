// SPDX-License-Identifier: Apache-2.0
// What both kinds of receiving (from a stream, core NATS) have in common: received messages that
// the core had no room for, and subjects that are replaced as a whole.
//
// Threads: the connection's I/O thread only. Settings, connection and host outlive it.
#ifndef DSMSG_ADAPTORS_NATS_CONSUMER_H_
#define DSMSG_ADAPTORS_NATS_CONSUMER_H_

#include <deque>
#include <memory>
#include <span>
#include <string>

#include "adaptors/nats/connection.h"
#include "adaptors/nats/settings.h"
#include "core/driver/driver.h"

namespace dsmsg::nats {

class NatsConsumer {
 public:
  static std::unique_ptr<NatsConsumer> Create(const NatsSettings& settings,
                                              NatsConnection& connection, DriverHost& host);
  virtual ~NatsConsumer() = default;

  /// Replaces the subjects (driver.h).
  Status Subscribe(std::span<const std::string> topics, Deadline deadline, int cancel_fd);
  Status Poll(Millis budget, int wake_fd);
  virtual void Ack(AckToken) noexcept {}
  virtual void Release(AckToken) noexcept {}
  /// Sends what is to be known before the link is closed.
  virtual void Drain(Deadline, int /*cancel_fd*/) noexcept {}
  /// The link was opened or closed.
  virtual void Reset();

 protected:
  /// A message that waits for room in the core.
  struct Pending {
    InMessage message;
    uint64_t sid;
    std::string reply;
  };

  NatsConsumer(const NatsSettings& settings, NatsConnection& connection, DriverHost& host)
      : settings_(settings), connection_(connection), host_(host) {}

  /// Makes the server send what arrives on `topics`, all of them or none.
  virtual Status Begin(std::span<const std::string> topics, Deadline deadline, int cancel_fd) = 0;
  /// A message, or a refused permission.
  virtual Status Take(const Op& op) = 0;
  /// Appends what is due. `room`: the core takes more messages.
  virtual void Ask(bool /*room*/) {}
  virtual AckToken NextToken() { return 1; }
  virtual void Delivered(const Pending&, AckToken) {}
  /// false: nothing is read while the core has no room.
  virtual bool reads_when_full() const { return true; }
  virtual bool subscribed() const = 0;

  /// Topic, payload, key, headers and the sender's id.
  static InMessage MessageOf(const Op& op);
  bool DeliverPending();
  NatsConnection::Handler handler() {
    return [this](const Op& op) { return Take(op); };
  }

  const NatsSettings& settings_;
  NatsConnection& connection_;
  DriverHost& host_;
  std::deque<Pending> pending_;

 private:
  Status ReadAll(bool* got);

  Status broken_;  // Subscribe lost the link; Poll reports it
};

}  // namespace dsmsg::nats

#endif  // DSMSG_ADAPTORS_NATS_CONSUMER_H_
