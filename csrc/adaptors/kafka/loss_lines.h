// SPDX-License-Identifier: Apache-2.0
// Reads in librdkafka's log lines which partitions had messages under way when a connection ended.
// A partition counts once for each end, however many of its requests were under way.
//
// Threads: the caller's lock.
#ifndef DSMSG_ADAPTORS_KAFKA_LOSS_LINES_H_
#define DSMSG_ADAPTORS_KAFKA_LOSS_LINES_H_

#include <pthread.h>

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dsmsg::kafka {

/// "<topic> [<partition>]" of the line that says that a connection ended with messages of it on
/// their way, or "".
std::string LossIn(std::string_view line);

class LossLines {
 public:
  struct Losses {
    bool ended = false;  // a connection that was open has
    std::vector<std::string> partitions;
  };
  /// A broker's thread begins to connect. (That a connection has ended librdkafka does not log when
  /// it has logged the same of late.)
  void AddConnect(pthread_t thread) { counted_.erase(thread); }
  /// An open connection has ended, says a line.
  void AddEnd() { new_.ended = true; }
  /// Any other line of that thread. False: it says nothing of a loss.
  bool Add(std::string_view line, pthread_t thread);
  /// Since the last call.
  Losses Take() { return std::exchange(new_, {}); }

 private:
  Losses new_;
  std::map<pthread_t, std::set<std::string>> counted_;  // of the last connection
};

}  // namespace dsmsg::kafka

#endif  // DSMSG_ADAPTORS_KAFKA_LOSS_LINES_H_
