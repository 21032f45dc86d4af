// SPDX-License-Identifier: Apache-2.0
// For the tests of the driver: a host that records, a mock cluster, and the loop of the core's I/O
// thread.
#ifndef DSMSG_ADAPTORS_KAFKA_TEST_TEST_HOST_H_
#define DSMSG_ADAPTORS_KAFKA_TEST_TEST_HOST_H_

#include <librdkafka/rdkafka.h>
// Needs the one above.
#include <librdkafka/rdkafka_mock.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/fd.h"
#include "core/export/export.h"

namespace dsmsg::kafka {

/// Records what a driver reports; thread-safe.
class TestHost final : public DriverHost {
 public:
  void Complete(Token token, const Status& status) noexcept override;
  Status Deliver(InMessage&& message, AckToken token) noexcept override;
  void LinkUp() noexcept override;
  void LinkDown(const Status& reason) noexcept override;
  void LostOverMessages() noexcept override { ++blamed; }
  std::shared_ptr<const void> HoldInFlight() noexcept override { return memory; }
  Logger& log() noexcept override { return log_; }

  /// Waits for `condition`, which runs under the lock; false after half a minute.
  bool Wait(const std::function<bool()>& condition);

  std::mutex mutex;
  std::map<Token, Status> completed;
  int twice = 0;  // completions of a completed token
  std::deque<std::pair<InMessage, AckToken>> delivered;
  size_t room = 1'000'000;  // for delivered
  int refusals = 0;         // answers kWouldBlock
  int ups = 0;
  int blamed = 0;  // LostOverMessages; the I/O thread's
  std::vector<Status> downs;
  std::shared_ptr<const void> memory = std::make_shared<int>();  // of what is in flight

 private:
  Logger log_{"KAFKA"};
  std::condition_variable changed_;
};

/// librdkafka's mock cluster. The brokers' numbers begin with 1; the address is the first one's.
class MockCluster {
 public:
  explicit MockCluster(int brokers = 1);
  ~MockCluster();
  MockCluster(const MockCluster&) = delete;
  MockCluster& operator=(const MockCluster&) = delete;
  rd_kafka_mock_cluster_t* get() { return cluster_; }
  HostPort address() const;

 private:
  rd_kafka_t* rk_;
  rd_kafka_mock_cluster_t* cluster_;
};

/// A driver as the core runs it. `settings` are lines of the group [message-broker].
class Harness {
 public:
  Harness(const HostPort& broker, const std::string& settings);
  ~Harness() { Stop(); }

  Status configured() const { return configured_; }
  Status Open(Role role, Millis timeout = Millis(10'000));
  /// The I/O thread: Poll until Stop or until Poll gives an error (kept in poll_status).
  void Start();
  void Stop();
  /// Waits until Poll gives an error; Stop after ten seconds.
  void Join();
  /// As Driver::Submit, on the I/O thread if it runs.
  Status Submit(const Message& message, Token token);
  /// The same, again while the driver has no room; half a minute at most.
  Status SubmitWhenRoom(const Message& message, Token token);
  /// Subscribe and Ack belong to the I/O thread: they are run between two calls of Poll.
  void Run(std::function<void(Driver&)> task);
  Driver& driver() { return *driver_; }

  TestHost host;
  WakeFd cancel;
  Status poll_status;  // read it after Stop
  int polls = 0;       // the same

 private:
  std::unique_ptr<Driver> driver_;
  Status configured_;
  WakeFd wake_;
  std::mutex mutex_;
  bool stop_ = false;
  bool ended_ = false;
  std::condition_variable ended_changed_;
  std::vector<std::function<void(Driver&)>> tasks_;
  std::thread thread_;
};

Message MakeMessage(std::string_view topic, std::string_view payload);

}  // namespace dsmsg::kafka

#endif  // DSMSG_ADAPTORS_KAFKA_TEST_TEST_HOST_H_
