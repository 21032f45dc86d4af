// SPDX-License-Identifier: Apache-2.0
#include "adaptors/kafka/loss_lines.h"

namespace dsmsg::kafka {
namespace {

constexpr size_t kMaxLosses = 1000;

}  // namespace

// "[thrd:h:1/1]: h:1/1: t [0]: MessageSet with 2 message(s) (MsgId 1, BaseSeq 0) encountered error:
// Local: Broker transport failure (actions ...)"
std::string LossIn(std::string_view line) {
  const size_t end = line.find("]: MessageSet with ");
  if (end == line.npos || line.find("error: Local: Broker transport failure") == line.npos) {
    return "";
  }
  line = line.substr(0, end + 1);
  const size_t begin = line.rfind(": ");
  return std::string(begin == line.npos ? line : line.substr(begin + 2));
}

bool LossLines::Add(std::string_view line, pthread_t thread) {
  std::string partition = LossIn(line);
  if (partition.empty()) return false;
  const bool counts = counted_[thread].insert(partition).second;
  if (counts && new_.partitions.size() < kMaxLosses) {
    new_.partitions.push_back(std::move(partition));
  }
  return true;
}

}  // namespace dsmsg::kafka
