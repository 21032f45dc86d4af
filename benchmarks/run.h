// SPDX-License-Identifier: Apache-2.0
// One run: what is sent when, by whom, and what was measured.
//
// Threads: one at a time.
#ifndef DSMSG_BENCHMARKS_RUN_H_
#define DSMSG_BENCHMARKS_RUN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "adaptor.h"
#include "target.h"
#include "tracker.h"

namespace dsmsg::bench {

enum class Pattern {
  kUnbounded,  // as fast as it is taken
  kWindowed,   // as fast as acknowledgements come, with at most `window` under way
  kSync,       // one after the other, by the synchronous send
  kPaced       // at fixed times, whatever became of those before
};
enum class Side { kRaw, kAdaptor, kHostA, kHostB, kNull };

struct Plan {
  Pattern pattern = Pattern::kUnbounded;
  double seconds = 2;
  double rate = 900;   // kPaced: messages a second ...
  uint64_t burst = 1;  // ... so many at a time (30: the objects of a frame)
  uint64_t window = 256;
  size_t bytes = 1000, sensors = 30, topics = 1, connections = 1;
};

/// The messages of a run: topics and payloads in turn.
class Letters {
 public:
  explicit Letters(const Plan& plan);
  Letter At(uint64_t number) const {
    const size_t payload = number % payloads_.size();
    return {topics_[number % topics_.size()], keys_[payload % keys_.size()], payloads_[payload]};
  }

 private:
  std::vector<std::string> topics_, keys_, payloads_;
};

struct Sample {
  double seconds = 0, cpu = 0, memory_mb = 0;  // since the begin; cores in use since the last one
};

struct Result {
  uint64_t messages = 0, failed = 0;
  double seconds = 0;  // until the last acknowledgement
  double cpu_us = 0;   // of this process, for each message
  double server_cpu_us = 0;
  double memory_mb = 0;  // most resident memory, beyond that of before the connection
  std::vector<double> latency_us, call_us;  // sorted; call: of send_async
  std::vector<Sample> samples;
};

/// `config`: path of the adaptor's file. Throws std::runtime_error.
Result Run(Side side, const Plan& plan, const Letters& letters, Target& target,
           const conformance::Adaptor& adaptor, const std::string& config, uint64_t* total);

}  // namespace dsmsg::bench

#endif  // DSMSG_BENCHMARKS_RUN_H_
