// SPDX-License-Identifier: Apache-2.0
// Sends messages through one adaptor as host A does, for benchmarks/guards.py to count the
// instructions of.
//
// usage: guard NAME MESSAGES
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "adaptor.h"
#include "target.h"

namespace dsmsg::bench {
namespace {

constexpr size_t kBurst = 30;

struct Counters {
  std::atomic<size_t> done{0}, failed{0};
};

void OnSent(void* user, NvDsMsgApiErrorType status) {
  auto* counters = static_cast<Counters*>(user);
  if (status != NVDS_MSGAPI_OK) ++counters->failed;
  ++counters->done;
}

void Run(Target& target, size_t messages) {
  target.Start({});
  const auto adaptor = conformance::Adaptor::Load(LibraryOf(target));
  const ConfigFile config(target.config());
  const auto link = conformance::Link::Open(*adaptor, target.connection(), config.path(),
                                            [](NvDsMsgApiHandle, NvDsMsgApiEventType) {});
  if (!link.ok()) throw std::runtime_error("the adaptor does not connect (its log says why)");
  Counters counters;
  std::string topic = kTopic;
  const std::string payload = Payload(1, 950, "camera-1");  // the minimal form
  for (size_t sent = 0; sent < messages;) {
    for (size_t i = 0; i < kBurst; ++i, ++sent) {
      if (link.SendAsync(topic.data(), payload, OnSent, &counters) != NVDS_MSGAPI_OK) {
        throw std::runtime_error("a message was refused");
      }
    }
    while (counters.done < sent) link.DoWork();
  }
  link.Disconnect();
  if (counters.failed > 0) throw std::runtime_error("messages were not acknowledged");
}

int Main(int argc, char** argv) {
  Target* const target = argc == 3 ? FindTarget(argv[1]) : nullptr;
  if (target == nullptr) {
    fprintf(stderr, "usage: guard NAME MESSAGES (%s)\n", TargetNames().c_str());
    return 2;
  }
  int status = 0;
  try {
    Run(*target, std::strtoul(argv[2], nullptr, 10));
  } catch (const std::exception& error) {
    fprintf(stderr, "guard: %s: %s\n", argv[1], error.what());
    status = 1;
  }
  CloseTargets();
  return status;
}

}  // namespace
}  // namespace dsmsg::bench

int main(int argc, char** argv) { return dsmsg::bench::Main(argc, argv); }
