// SPDX-License-Identifier: Apache-2.0
// Detects that a broker ends its connections because of what we send: a request larger than it
// accepts. librdkafka retries it for ever, and everything after it waits. If two connections ended
// with messages of one partition in flight, and none of that partition got through, the core is
// told and sends suspects alone. librdkafka names the partitions in its debug lines, which are read
// from the first such end on. Used by the I/O thread only.
#ifndef DSMSG_ADAPTORS_KAFKA_LOSS_WATCH_H_
#define DSMSG_ADAPTORS_KAFKA_LOSS_WATCH_H_

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "adaptors/kafka/connection.h"
#include "core/base/time.h"

namespace dsmsg::kafka {

class LossWatch {
 public:
  explicit LossWatch(KafkaConnection& client) : connection_(client) {}
  ~LossWatch() { connection_.ListenToLosses(false); }
  LossWatch(const LossWatch&) = delete;
  LossWatch& operator=(const LossWatch&) = delete;

  /// A broker acknowledged messages of that partition.
  void OnAnswer(std::string_view topic, int32_t partition);
  /// Does what is due; `waiting` messages are unacknowledged. Returns the topic over whose messages
  /// the connections end, or "".
  std::string Tick(size_t waiting);

 private:
  KafkaConnection& connection_;
  bool listening_ = false;
  Deadline until_{};                   // while listening
  std::map<std::string, int> losses_;  // in a row, by "<topic> [<partition>]"
};

}  // namespace dsmsg::kafka

#endif  // DSMSG_ADAPTORS_KAFKA_LOSS_WATCH_H_
