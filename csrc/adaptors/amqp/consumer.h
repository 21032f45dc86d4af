// SPDX-License-Identifier: Apache-2.0
// Receives messages: a queue (private, or the named one) bound to the exchange once for each topic,
// and acknowledgements after the host's callback. An existing named queue is used as it is,
// whatever its type and arguments; that needs no configure permission.
//
// Calls of a topic change that may be refused (declare, bind) go over the side channel: on a
// refusal the broker closes only that one, and messages waiting in a private queue are not lost. A
// message of a topic no longer subscribed to is not delivered. From a private queue it is removed.
// In a named one it stays, unacknowledged, up to half of `prefetch` of them; more are rejected (a
// dead-letter exchange gets them, if the queue has one), because they would hold up all others.
//
// It keeps reading while the core has no room: the broker sends at most `prefetch` messages ahead
// of the acknowledgements, and it would end a connection that does not read for some seconds.
//
// Threads: the connection's I/O thread only. Settings, link and host outlive it.
#ifndef DSMSG_ADAPTORS_AMQP_CONSUMER_H_
#define DSMSG_ADAPTORS_AMQP_CONSUMER_H_

#include <deque>
#include <set>
#include <span>
#include <string>

#include "adaptors/amqp/connection.h"
#include "adaptors/amqp/settings.h"
#include "core/base/time.h"
#include "core/driver/driver.h"

namespace dsmsg::amqp {

class AmqpConsumer {
 public:
  AmqpConsumer(const AmqpSettings& settings, AmqpConnection& link, DriverHost& host)
      : settings_(settings), connection_(link), host_(host) {}

  /// Call it after the link was opened: declares the exchange and sets the prefetch.
  Status Start(Deadline deadline, int cancel_fd);
  /// After the link was closed.
  void Reset();
  /// Replaces the topics (binding keys). If it returns ok, everything sent from now on will be
  /// received. On an error the previous topics are in force again (driver.h).
  Status Subscribe(std::span<const std::string> topics, Deadline deadline, int cancel_fd);
  /// Matches like a topic exchange: words between dots, * is any word, # any number of words.
  static bool Matches(std::string_view filter, std::string_view topic);
  Status Poll(Millis budget, int wake_fd);
  void Ack(AckToken token) noexcept;
  void Release(AckToken token) noexcept;
  /// Sends pending acknowledgements before the link is closed.
  void Drain(Deadline deadline, int cancel_fd) noexcept;

 private:
  struct Pending {
    InMessage message;
    uint64_t tag;
  };

  using Topics = std::set<std::string>;
  Status Change(const Topics& wanted, Deadline deadline, int cancel_fd);
  Status BindAll(const Topics& wanted, Topics* added, Deadline deadline, int cancel_fd);
  Status Unbind(const Topics& topics, Deadline deadline, int cancel_fd);
  Status Reopen(Deadline deadline, int cancel_fd);
  Status FindQueue(Deadline deadline, int cancel_fd);
  Status DeclareQueue(bool passive, Deadline deadline, int cancel_fd);
  Status Consume(Deadline deadline, int cancel_fd);
  Status Cancel(Deadline deadline, int cancel_fd);
  Status Call(amqp_method_number_t id, const void* method, amqp_method_number_t answer,
              const std::string& what, Deadline deadline, int cancel_fd, bool side);
  AmqpConnection::OtherEvents Others();
  bool named() const { return !settings_.queue.empty(); }
  bool GivenUp(const std::string& topic) const;
  void TurnAway(uint64_t tag);
  void GiveBackKept();
  std::string QueueName() const;
  void TakeMessage(AmqpEvent& event);
  void DeliverPending();
  /// Whether it was delivered over this connection and not settled; now it is.
  bool TakeDelivered(AckToken token);
  void SendAcks();
  Status ReadEvents(bool* got);
  Status OnEvent(AmqpEvent& event);

  const AmqpSettings& settings_;
  AmqpConnection& connection_;
  DriverHost& host_;
  std::string queue_;  // empty: not declared yet
  Topics bound_;
  Topics
      left_;  // unsubscribed, or perhaps bound without being subscribed to: their messages may come
  std::set<uint64_t> kept_;         // tags of such messages, unacknowledged
  std::set<uint64_t> settled_;      // tags above acked_ that were answered one by one
  std::deque<uint64_t> delivered_;  // to the core and not settled: tags, ascending
  bool consuming_ = false;
  std::deque<Pending> pending_;       // messages waiting for room in the core
  uint64_t acked_ = 0, ack_due_ = 0;  // all up to these are acknowledged, are to be
  uint64_t generation_ = 0;           // of the link; upper half of an AckToken
  Status broken_;                     // Subscribe lost the link; Poll reports it
};

}  // namespace dsmsg::amqp

#endif  // DSMSG_ADAPTORS_AMQP_CONSUMER_H_
