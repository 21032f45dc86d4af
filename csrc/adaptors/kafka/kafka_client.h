// SPDX-License-Identifier: Apache-2.0
// One librdkafka instance: creation, the event queue with a descriptor to poll, log routing, the
// first answer of a broker, and an end that is bounded whatever the broker or the name server does.
#ifndef DSMSG_ADAPTORS_KAFKA_KAFKA_CLIENT_H_
#define DSMSG_ADAPTORS_KAFKA_KAFKA_CLIENT_H_

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "adaptors/kafka/kafka_config.h"
#include "adaptors/kafka/kafka_security.h"
#include "core/log.h"
#include "core/net.h"

namespace dsmsg::kafka {

struct EventDeleter {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};
using EventPtr = std::unique_ptr<rd_kafka_event_t, EventDeleter>;

/// What librdkafka's own threads touch. They may outlive the Client by the time that a name lookup
/// takes (see Destroy), so they share the ownership, and the logger is taken away under the lock.
struct ClientShared {
  WakeFd events;
  std::atomic<uint32_t> connects{0};  // connection attempts so far
  CertificateCheck certificates;
  std::mutex mutex;
  Logger* log = nullptr;  // guarded by mutex
};

/// Owned by the I/O thread, which calls everything here.
class Client {
 public:
  /// Starts librdkafka's threads, which begin to connect. A conflict of properties is
  /// kInvalidArgument.
  static Result<std::unique_ptr<Client>> Create(Role role, const Settings& settings, Logger& log);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Waits until a broker answered a metadata request. The error has the cause that librdkafka saw
  /// last.
  Status AwaitBroker(Deadline deadline, int cancel_fd);

  rd_kafka_t* get() const { return rk_; }
  int event_fd() const { return shared_->events.fd(); }
  /// To be called when event_fd() is readable and before NextEvent is called until it returns null.
  void DrainEventFd() { shared_->events.Drain(); }
  EventPtr NextEvent() { return EventPtr(rd_kafka_queue_poll(queue_, 0)); }

  /// An error event that IsLinkError() as a status: what happened, and what to do about it.
  Status Explain(rd_kafka_resp_err_t err, std::string_view text) const;

  /// Some broker connection is up now (does not wait; sends one small request if so).
  bool AnyBrokerUp();
  /// Connection attempts since the last call.
  uint32_t TakeConnects() { return shared_->connects.exchange(0, std::memory_order_relaxed); }

  /// Consumer: kAuth when the brokers say that this user may not. Other troubles show later.
  Status CheckMayRead(const std::string& topic, Deadline deadline, int cancel_fd);

  /// Consumer: commits what is stored and leaves the group, at most until `deadline` or cancelled.
  void LeaveGroup(Deadline deadline, int cancel_fd);

 private:
  Client(Role role, const Settings& settings) : role_(role), settings_(settings) {}
  /// Leaving a group that does not answer keeps rd_kafka_destroy waiting for seconds; without it,
  /// it returns at once.
  bool CoordinatorAnswers(Deadline deadline);
  bool AllRefused(bool all_down, rd_kafka_resp_err_t last);
  void Destroy();

  const Role role_;
  const Settings& settings_;
  std::shared_ptr<ClientShared> shared_ = std::make_shared<ClientShared>();
  rd_kafka_t* rk_ = nullptr;
  rd_kafka_queue_t* queue_ = nullptr;
};

/// Asks for metadata; blocks for `timeout` at most. Whether there was an answer.
bool AnyBrokerAnswers(rd_kafka_t* rk, Millis timeout);

/// poll(2) on at most three descriptors; a negative one is ignored. Bit n is set when the nth is
/// readable.
unsigned WaitReadable(std::initializer_list<int> fds, Millis timeout);

}  // namespace dsmsg::kafka

#endif  // DSMSG_ADAPTORS_KAFKA_KAFKA_CLIENT_H_
