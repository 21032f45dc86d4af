// SPDX-License-Identifier: Apache-2.0
// Says why the brokers accept no messages although they can be reached, such as an unmet
// min.insync.replicas. librdkafka retries such messages for ever and reports it only in its debug
// lines, so if nothing has been acknowledged for a while, these are read for a moment. Used by the
// I/O thread only.
#ifndef DSMSG_ADAPTORS_KAFKA_STALL_WATCH_H_
#define DSMSG_ADAPTORS_KAFKA_STALL_WATCH_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "adaptors/kafka/connection.h"
#include "core/base/time.h"
#include "core/driver/driver.h"

namespace dsmsg::kafka {

class StallWatch {
 public:
  StallWatch(KafkaConnection& client, DriverHost& host) : connection_(client), host_(host) {}
  ~StallWatch() { connection_.ListenToRefusals(false); }
  StallWatch(const StallWatch&) = delete;
  StallWatch& operator=(const StallWatch&) = delete;

  /// A broker acknowledged something.
  void OnAnswer() { since_ = Clock::now(); }
  /// Some messages get no answer while others do.
  void Suspect();
  /// Does what is due; `waiting` messages are unacknowledged. Returns how long a wait may last, at
  /// most `budget`.
  Millis Tick(size_t waiting, Millis budget);

 private:
  void Listen(Deadline now);
  void Tell(const std::string& refusal, size_t waiting);

  KafkaConnection& connection_;
  DriverHost& host_;
  bool waited_ = false, listening_ = false, told_ = false;
  Deadline since_{};  // earliest time since when messages may have been waiting, or the last check
  Deadline until_{};  // while listening
};

/// "<topic> [<partition>]: MessageSet with ... encountered error: <error> (actions ...)" turned
/// into what a user needs: "topic 't': <error> (<advice>)". Empty: it is another kind of line.
std::string RefusalIn(std::string_view line);

}  // namespace dsmsg::kafka

#endif  // DSMSG_ADAPTORS_KAFKA_STALL_WATCH_H_
