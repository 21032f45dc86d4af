// SPDX-License-Identifier: Apache-2.0
// Tells the core when no broker can be reached and when one can again, even without traffic.
// librdkafka's error events are only hints, and repeated ones are suppressed, so each hint is
// checked, and while the link is down librdkafka is asked twice a second. An answer from a broker
// of the connection string is not enough if none of the addresses works that it advertises for the
// cluster (advertised.listeners): messages go to those. Used by the I/O thread only.
#ifndef DSMSG_ADAPTORS_KAFKA_BROKERS_WATCH_H_
#define DSMSG_ADAPTORS_KAFKA_BROKERS_WATCH_H_

#include <map>
#include <string>
#include <string_view>

#include "adaptors/kafka/connection.h"
#include "adaptors/kafka/settings.h"
#include "core/base/time.h"
#include "core/driver/driver.h"

namespace dsmsg::kafka {

class BrokersWatch {
 public:
  BrokersWatch(KafkaConnection& client, const KafkaSettings& settings, DriverHost& host)
      : connection_(client), settings_(settings), host_(host) {}

  /// An error event that IsLinkError().
  void OnError(rd_kafka_resp_err_t err, std::string_view text);
  /// A broker answered. Cheap enough to call for every acknowledgement.
  void OnAnswer() {
    if (!up_) Up();
    if (!unreachable_.empty()) unreachable_.clear();
  }
  /// Does what is due. Returns how long a wait may last before the next call, at most `budget`.
  Millis Tick(Millis budget);

 private:
  void Up();
  void CountAttempts(Deadline now);
  bool Usable();

  KafkaConnection& connection_;
  const KafkaSettings& settings_;
  DriverHost& host_;
  bool up_ = true;
  bool due_set_ = false;
  Deadline due_{};           // of the next look
  Deadline tell_at_{};       // if no cause is known by then
  Deadline last_attempt_{};  // while down
  uint32_t connects_ = 0;    // attempts of single brokers not yet reported
  Status cause_;
  // Addresses from the cluster's list that failed last.
  std::map<std::string, Status> unreachable_;
};

}  // namespace dsmsg::kafka

#endif  // DSMSG_ADAPTORS_KAFKA_BROKERS_WATCH_H_
