// SPDX-License-Identifier: Apache-2.0
// Receives messages: a queue (private, or the named one) bound to the exchange once for each topic,
// and acknowledgements after the host's callback.
//
// It goes on reading while the core has no room: the broker sends at most `prefetch` messages ahead
// of the acknowledgements, and it would end a connection that does not read for some seconds.
//
// Threads: the connection's I/O thread only. Settings, link and host outlive it.
#ifndef DSMSG_ADAPTORS_AMQP_AMQP_CONSUMER_H_
#define DSMSG_ADAPTORS_AMQP_AMQP_CONSUMER_H_

#include <deque>
#include <set>
#include <span>
#include <string>

#include "amqp_link.h"
#include "amqp_settings.h"
#include "core/driver.h"

namespace dsmsg {

class AmqpConsumer {
 public:
  AmqpConsumer(const AmqpSettings& settings, AmqpLink& link, DriverHost& host)
      : settings_(settings), link_(link), host_(host) {}

  /// After the link was opened: declares the exchange and sets the prefetch.
  Status Start(Deadline deadline, int cancel_fd);
  /// After the link was closed.
  void Reset();
  /// Replaces the topics (binding keys). When it returns ok, what is sent from now on will be
  /// received.
  Status Subscribe(std::span<const std::string> topics, int cancel_fd);
  Status Poll(Millis budget, int wake_fd);
  void Ack(AckToken token) noexcept;
  /// Gets acknowledgements out before the link is closed.
  void Drain(Deadline deadline, int cancel_fd) noexcept;

 private:
  struct Pending {
    InMessage message;
    uint64_t tag;
  };

  Status Bind(std::span<const std::string> topics, Deadline deadline, int cancel_fd);
  Status DeclareQueue(Deadline deadline, int cancel_fd);
  Status Consume(Deadline deadline, int cancel_fd);
  Status Call(amqp_method_number_t id, const void* method, amqp_method_number_t answer,
              const std::string& what, Deadline deadline, int cancel_fd);
  std::string QueueName() const;
  void TakeMessage(AmqpEvent& event);
  void DeliverPending();
  void SendAcks();
  Status ReadEvents(bool* got);
  Status OnEvent(AmqpEvent& event);

  const AmqpSettings& settings_;
  AmqpLink& link_;
  DriverHost& host_;
  std::string queue_;  // empty: not declared yet
  std::set<std::string> bound_;
  bool consuming_ = false;
  std::deque<Pending> pending_;       // messages that wait for room in the core
  uint64_t acked_ = 0, ack_due_ = 0;  // all up to these are acknowledged, are to be
  uint64_t generation_ = 0;           // of the link; upper half of an AckToken
  Status broken_;                     // Subscribe lost the link: Poll reports it
};

}  // namespace dsmsg

#endif  // DSMSG_ADAPTORS_AMQP_AMQP_CONSUMER_H_
