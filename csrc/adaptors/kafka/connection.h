// SPDX-License-Identifier: Apache-2.0
// One librdkafka instance: creation, the event queue with a descriptor to poll, log routing, the
// first answer of a broker, and an end that is bounded whatever the broker or the name server does.
#ifndef DSMSG_ADAPTORS_KAFKA_CONNECTION_H_
#define DSMSG_ADAPTORS_KAFKA_CONNECTION_H_

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adaptors/kafka/errors.h"
#include "adaptors/kafka/loss_lines.h"
#include "adaptors/kafka/partitioner.h"
#include "adaptors/kafka/security.h"
#include "adaptors/kafka/settings.h"
#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/base/time.h"
#include "core/net/hints.h"

namespace dsmsg::kafka {

struct EventDeleter {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};
using EventPtr = std::unique_ptr<rd_kafka_event_t, EventDeleter>;

/// State that librdkafka's own threads touch. They may outlive the KafkaConnection by the duration
/// of a name lookup (see Destroy), so they share ownership, and the logger is removed under the
/// lock.
struct ClientShared {
  WakeFd events;
  std::atomic<uint32_t> connects{0};  // connection attempts so far
  std::atomic<int> socket_error{0};   // errno of the last socket that could not be created
  CertificateCheck certificates;
  Partitioner partitioner;
  // Both set before librdkafka's threads start.
  Redactor redact;
  bool debugs_for_us = false;  // debug lines are read here and not logged
  std::mutex mutex;
  // Guarded by mutex.
  Logger* log = nullptr;
  std::string refusal;
  std::string failure;  // how a connection last ended
  LossLines losses;
};

/// Owned by the I/O thread, which calls everything here.
class KafkaConnection {
 public:
  /// Starts librdkafka's threads, which begin to connect. Conflicting properties are
  /// kInvalidArgument.
  static Result<std::unique_ptr<KafkaConnection>> Create(Role role, const KafkaSettings& settings,
                                                         Logger& log);
  ~KafkaConnection();
  KafkaConnection(const KafkaConnection&) = delete;
  KafkaConnection& operator=(const KafkaConnection&) = delete;

  /// Waits until a broker has answered a metadata request. The error contains the last cause that
  /// librdkafka saw.
  Status AwaitBroker(Deadline deadline, int cancel_fd);

  rd_kafka_t* get() const { return rk_; }
  Millis longest_answer() const { return settings_.longest_answer(); }
  /// For every topic of an idempotent producer.
  Partitioner& partitioner() { return shared_->partitioner; }
  int event_fd() const { return shared_->events.fd(); }
  /// Call it when event_fd() is readable, before calling NextEvent until that returns null.
  void DrainEventFd() { shared_->events.Drain(); }
  /// A text from librdkafka with its secrets removed.
  std::string Clean(std::string_view text) const { return shared_->redact(text); }
  EventPtr NextEvent() { return EventPtr(rd_kafka_queue_poll(queue_, 0)); }

  /// An error event that IsLinkError() as a status: what happened, and what to do about it.
  Status Explain(rd_kafka_resp_err_t err, std::string_view text);

  /// Producer: reads librdkafka's debug lines, which say why brokers refuse messages for a while.
  /// Not if the user reads them (`debug` in proto-cfg).
  void ListenToRefusals(bool on);
  /// What was read since (RefusalIn), or empty.
  std::string TakeRefusal();
  /// Producer: finds in the same lines which partitions had messages in flight when a connection
  /// ended.
  void ListenToLosses(bool on);
  /// Since the last call. `ended` is set even without listening.
  LossLines::Losses TakeLosses();
  /// How a connection last ended, as the text of an error event. Since librdkafka 2.11, the end of
  /// an open connection is only a log line. Empty: none ended, or it was not logged.
  std::string LastFailure() const;
  void ForgetFailure();

  /// For an error event about a broker that is not in the connection string but known from the
  /// cluster: its address; otherwise empty.
  std::string AdvertisedIn(std::string_view text) const;
  /// Explains the event for such a broker, given the `status` from Explain.
  Status ExplainAdvertised(const Status& status, std::string_view text) const;
  /// The addresses that the cluster advertises for its brokers. Empty: no answer within `timeout`.
  std::vector<std::string> Advertised(Millis timeout) const;

  /// Some broker connection is up now (does not wait; sends one small request if so).
  bool AnyBrokerUp();
  /// Connection attempts since the last call.
  uint32_t TakeConnects() { return shared_->connects.exchange(0, std::memory_order_relaxed); }

  /// Consumer: kAuth if the brokers say that this user may not, kInvalidArgument if they do not
  /// accept the name, kTimeout or kUnavailable if none answers. Other problems show later.
  Status CheckMayRead(const std::string& topic, Deadline deadline, int cancel_fd);

  /// Keeps what librdkafka's threads may still read until librdkafka has ended, however late.
  void HoldUntilDestroyed(std::shared_ptr<const void> held) { held_ = std::move(held); }

  /// Consumer: commits the stored offsets and leaves the group, at most until `deadline` or until
  /// cancelled.
  void LeaveGroup(Deadline deadline, int cancel_fd);

 private:
  KafkaConnection(Role role, const KafkaSettings& settings) : role_(role), settings_(settings) {}
  /// If the group does not answer, leaving it makes rd_kafka_destroy wait for seconds; without
  /// leaving, it returns at once.
  bool CoordinatorAnswers(Deadline deadline);
  bool AllRefused(bool all_down, rd_kafka_resp_err_t last, std::string_view text);
  /// What is known about a broker, for advice.
  Peer PeerAt(const std::string& address) const;
  void Destroy();
  void Listen(unsigned who, bool on);

  const Role role_;
  const KafkaSettings& settings_;
  std::shared_ptr<ClientShared> shared_ = std::make_shared<ClientShared>();
  std::shared_ptr<const void> held_ = shared_;
  rd_kafka_t* rk_ = nullptr;
  int log_level_ = 6;
  unsigned listeners_ = 0;  // a bit for each
  rd_kafka_queue_t* queue_ = nullptr;
  bool plain_ = false;              // no TLS
  std::set<std::string> answered_;  // "host:port" of brokers that have answered
};

/// For tests: called before an instance is destroyed, on the thread that does it.
inline std::atomic<void (*)()> before_destroy{nullptr};

/// How long one uninterruptible wait for an answer usually lasts.
inline constexpr Millis kSlice{100};

/// Asks for metadata; blocks for `timeout` at most. Whether there was an answer.
bool AnyBrokerAnswers(rd_kafka_t* rk, Millis timeout);
/// The same for one topic: what a broker says about it, or librdkafka's own error if none answers.
rd_kafka_resp_err_t AskTopic(rd_kafka_t* rk, rd_kafka_topic_t* topic, Millis timeout);

/// Something listens at "host:port", at any address of the host. Blocks for kSlice at most.
bool Reachable(const std::string& address);

/// poll(2) on at most three descriptors; a negative one is ignored. Bit n is set when the nth is
/// readable.
unsigned WaitReadable(std::initializer_list<int> fds, Millis timeout);

}  // namespace dsmsg::kafka

#endif  // DSMSG_ADAPTORS_KAFKA_CONNECTION_H_
