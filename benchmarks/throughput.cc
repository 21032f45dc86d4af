// SPDX-License-Identifier: Apache-2.0
// Throughput of an adaptor, driven as a host drives it (dlopen, send_async on one thread, do_work
// on another), beside the client library alone: same server, same run, in turns, every message
// acknowledged in both, the same window. Prints JSON; the ratio is the result, the absolute rates
// belong to the machine.
//
// usage: throughput NAME [--messages 300000] [--bytes 400] [--rounds 3] [--min-ratio R]
// [--lib library.so], or throughput --list
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "adaptor.h"
#include "target.h"

namespace dsmsg::bench {
namespace {

using Clock = std::chrono::steady_clock;
using conformance::Adaptor;
using conformance::Link;

struct Result {
  double rate = 0;    // messages a second
  double cpu_us = 0;  // of this process, for each message
};

/// Begins now; Stop gives the result.
class Watch {
 public:
  Result Stop(size_t messages) const {
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    const double cpu = CpuSeconds() - cpu_;
    const auto count = static_cast<double>(messages);
    return {count / seconds, cpu * 1e6 / count};
  }

 private:
  Clock::time_point start_ = Clock::now();
  double cpu_ = CpuSeconds();
};

struct Counters {
  std::atomic<size_t> done{0}, failed{0};
};

void OnSent(void* user, NvDsMsgApiErrorType status) {
  auto* counters = static_cast<Counters*>(user);
  if (status != NVDS_MSGAPI_OK) counters->failed.fetch_add(1, std::memory_order_relaxed);
  counters->done.fetch_add(1, std::memory_order_relaxed);
}

Payloads MakePayloads(size_t bytes) {
  // Large ones are fewer: memory is for the messages on their way.
  const size_t different = std::clamp<size_t>((size_t{64} << 20) / (bytes + 1), 1, 300);
  Payloads payloads;
  for (size_t i = 0; i < different; ++i) payloads.push_back(Payload(i, bytes));
  return payloads;
}

/// One target with what was sent to it so far.
class Comparison {
 public:
  Comparison(Target& target, const std::string& library, size_t bytes)
      : target_(target),
        adaptor_(Adaptor::Load(library)),
        config_(target.config()),
        payloads_(MakePayloads(bytes)) {}

  Result RunAdaptor(size_t messages) {
    const Link link = Link::Open(*adaptor_, target_.connection(), config_.path(),
                                 [](NvDsMsgApiHandle, NvDsMsgApiEventType) {});
    if (!link.ok()) throw std::runtime_error("the adaptor does not connect (its log says why)");
    Counters counters;
    size_t refused = 0;
    const Watch watch;
    std::thread work([&] {
      while (counters.done.load(std::memory_order_relaxed) < messages) link.DoWork();
    });
    std::string topic = kTopic;
    for (size_t i = 0; i < messages; ++i) {
      if (link.SendAsync(topic.data(), payloads_[i % payloads_.size()], OnSent, &counters) ==
          NVDS_MSGAPI_OK)
        continue;
      ++refused;
      ++counters.done;
    }
    work.join();
    Received(messages - refused - counters.failed);
    const Result result = watch.Stop(messages);
    link.Disconnect();
    if (refused + counters.failed > 0) {
      throw std::runtime_error(std::to_string(refused + counters.failed) +
                               " messages were not acknowledged by the adaptor");
    }
    return result;
  }

  Result RunRaw(size_t messages) {
    const std::unique_ptr<RawClient> client = target_.Connect();
    const Watch watch;
    client->Send(messages, payloads_);
    Received(messages);
    return watch.Stop(messages);
  }

 private:
  void Received(size_t more) {
    total_ += more;
    target_.WaitReceived(total_);
  }

  Target& target_;
  const std::unique_ptr<Adaptor> adaptor_;
  const ConfigFile config_;
  const Payloads payloads_;
  size_t total_ = 0;
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return (values[values.size() / 2] + values[(values.size() - 1) / 2]) / 2;
}

struct Arguments {
  std::string name, library;
  size_t messages = 0, bytes = 400;
  int rounds = 3;
  double min_ratio = 0;
};

Arguments Parse(int argc, char** argv) {
  Arguments arguments;
  if (argc >= 2) arguments.name = argv[1];
  for (int i = 2; i < argc; i += 2) {
    const std::string name = argv[i];
    if (i + 1 == argc) throw std::runtime_error(name + ": there is no value");
    const std::string value = argv[i + 1];
    if (name == "--lib") {
      arguments.library = value;
    } else if (name == "--messages") {
      arguments.messages = std::max(1UL, std::stoul(value));
    } else if (name == "--bytes") {
      arguments.bytes = std::stoul(value);
    } else if (name == "--rounds") {
      arguments.rounds = std::max(1, std::stoi(value));
    } else if (name == "--min-ratio") {
      arguments.min_ratio = std::stod(value);
    } else {
      throw std::runtime_error("unknown argument " + name +
                               " (known: --lib --messages --bytes --rounds --min-ratio)");
    }
  }
  return arguments;
}

int Run(const Arguments& arguments) {
  Target* target = FindTarget(arguments.name);
  if (target == nullptr) {
    throw std::runtime_error("there is no target '" + arguments.name +
                             "' (known: " + TargetNames() + ")");
  }
  target->Start();
  const size_t messages = arguments.messages != 0 ? arguments.messages : target->default_messages();
  Comparison comparison(*target, arguments.library.empty() ? LibraryOf(*target) : arguments.library,
                        arguments.bytes);
  std::vector<double> ours_rate, raw_rate, ratios, ours_cpu, raw_cpu;
  comparison.RunRaw(messages / 5 + 1);  // the server and the caches are warm for both
  for (int round = 0; round < arguments.rounds; ++round) {
    const Result ours = comparison.RunAdaptor(messages);
    const Result raw = comparison.RunRaw(messages);
    std::fprintf(stderr, "round %d: adaptor %.0f/s, %s %.0f/s, ratio %.2f\n", round + 1, ours.rate,
                 target->client().c_str(), raw.rate, ours.rate / raw.rate);
    ours_rate.push_back(ours.rate);
    raw_rate.push_back(raw.rate);
    ratios.push_back(ours.rate / raw.rate);
    ours_cpu.push_back(ours.cpu_us);
    raw_cpu.push_back(raw.cpu_us);
  }
  const double ratio = Median(ratios);
  std::printf(
      "{\"benchmark\": \"throughput\", \"target\": \"%s\", \"client\": \"%s\", \"terms\": \"%s\", "
      "\"messages\": %zu, \"payload_bytes\": %zu, \"rounds\": %d, \"adaptor_per_s\": %.0f, "
      "\"client_per_s\": %.0f, \"ratio\": %.3f, \"adaptor_cpu_us\": %.3f, "
      "\"client_cpu_us\": %.3f}\n",
      target->name().c_str(), target->client().c_str(), target->terms().c_str(), messages,
      arguments.bytes, arguments.rounds, Median(ours_rate), Median(raw_rate), ratio,
      Median(ours_cpu), Median(raw_cpu));
  return ratio >= arguments.min_ratio ? 0 : 1;
}

int Main(int argc, char** argv) {
  int result = 2;
  try {
    if (argc == 2 && std::string(argv[1]) == "--list") {
      for (const Target* target : Targets()) std::printf("%s\n", target->name().c_str());
      result = 0;
    } else {
      result = Run(Parse(argc, argv));
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "throughput: %s\n", error.what());
  }
  CloseTargets();
  return result;
}

}  // namespace
}  // namespace dsmsg::bench

int main(int argc, char** argv) { return dsmsg::bench::Main(argc, argv); }
