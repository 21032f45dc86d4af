// SPDX-License-Identifier: Apache-2.0
// CPU of the whole process for each message under host A (the sink's default mode: a mutex around
// send_async that the callback takes, do_work while sends are pending, no sleep), at a fixed rate;
// beside it the same for a null adaptor, which completes at once: what the host alone costs. The
// broker's process is not counted.
//
// Usage: host_cpu null | NAME | <library.so> <connection string> [topic] [config file]
// NAME (redis, kafka, ...) starts its server itself, with the adaptor's default settings.
// Environment: RATE (messages a second, 900), BURST (so many at once, 1; 30 are the objects of a
// frame), DURATION (seconds, 20), PAYLOAD (bytes, 500). Prints one JSON object.
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "hosts.h"
#include "target.h"

namespace dsmsg::conformance {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

/// Completes every send at once: do_work finds it or waits for it, as rule 4 asks of an adaptor.
class NullAdaptor {
 public:
  static AdaptorFunctions Functions() {
    AdaptorFunctions functions;
    functions.connect = [](char*, nvds_msgapi_connect_cb_t, char*) -> NvDsMsgApiHandle {
      return &The();
    };
    functions.send_async = [](NvDsMsgApiHandle, char*, const uint8_t*, size_t,
                              nvds_msgapi_send_cb_t callback, void* user) {
      std::lock_guard lock(The().mutex_);
      The().ready_.emplace_back(callback, user);
      The().changed_.notify_one();
      return NVDS_MSGAPI_OK;
    };
    functions.do_work = [](NvDsMsgApiHandle) { The().Work(); };
    functions.disconnect = [](NvDsMsgApiHandle) { return NVDS_MSGAPI_OK; };
    return functions;
  }

 private:
  static NullAdaptor& The() {
    static NullAdaptor adaptor;
    return adaptor;
  }
  void Work() {
    std::deque<std::pair<nvds_msgapi_send_cb_t, void*>> batch;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, 50ms, [this] { return !ready_.empty(); });
      batch.swap(ready_);
    }
    for (const auto& [callback, user] : batch) callback(user, NVDS_MSGAPI_OK);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<nvds_msgapi_send_cb_t, void*>> ready_;
};

long FromEnvironment(const char* name, long fallback) {
  const char* text = std::getenv(name);
  return text == nullptr ? fallback : std::strtol(text, nullptr, 10);
}

/// What the host sends.
struct Load {
  long rate = 900, burst = 1, seconds = 20, size = 500;
};

struct Result {
  double cpu_seconds = 0;
  long peak_kilobytes = 0;
  long sent = 0, ok = 0;
  std::vector<double> latency_us;
};

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.npos, end) == 0;
}

/// Sends at absolute points in time, so that a slow send does not lower the rate.
Result Drive(const Link& link, const std::string& topic, const Load& load) {
  const long count = load.rate * load.seconds;
  Ledger ledger;
  std::vector<Record*> records;
  for (long i = 0; i < count; ++i) {
    // Outside of what is measured.
    records.push_back(&ledger.Add(
        topic, "", bench::Payload(static_cast<size_t>(i), static_cast<size_t>(load.size))));
  }
  std::vector<Clock::time_point> begun(static_cast<size_t>(count)),
      ended(static_cast<size_t>(count));
  HostA host(link, ledger, {.endless = EndsWith(link.adaptor().path(), "libnvds_mqtt_proto.so")});
  const auto take_lock = ledger.on_callback;
  ledger.on_callback = [&](Record& record) {
    ended[record.id] = Clock::now();
    take_lock(record);
  };
  host.Start();
  Result result;
  timespec next{};
  clock_gettime(CLOCK_MONOTONIC, &next);
  const double before = bench::CpuSeconds();
  for (Record* record : records) {
    begun[record->id] = Clock::now();
    if (!host.Render(*record)) break;
    if (++result.sent % load.burst != 0) continue;
    next.tv_nsec += 1'000'000'000 / load.rate * load.burst;
    while (next.tv_nsec >= 1'000'000'000) {
      next.tv_nsec -= 1'000'000'000;
      ++next.tv_sec;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, nullptr);
  }
  host.Drain(30s);
  result.cpu_seconds = bench::CpuSeconds() - before;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  result.peak_kilobytes = usage.ru_maxrss;
  host.Stop();
  result.ok = static_cast<long>(ledger.Count(NVDS_MSGAPI_OK));
  for (size_t i = 0; i < static_cast<size_t>(result.sent); ++i) {
    if (ledger[i].flag != NVDS_MSGAPI_OK) continue;
    result.latency_us.push_back(
        std::chrono::duration<double, std::micro>(ended[i] - begun[i]).count());
  }
  std::sort(result.latency_us.begin(), result.latency_us.end());
  return result;
}

void Print(const std::string& adaptor, const Result& result, const Load& load) {
  const auto percentile = [&](double part) {
    if (result.latency_us.empty()) return 0.0;
    const auto last = static_cast<double>(result.latency_us.size() - 1);
    return result.latency_us[static_cast<size_t>(part * last)];
  };
  std::printf(
      "{\"benchmark\": \"host_cpu\", \"adaptor\": \"%s\", \"rate_per_second\": %ld, "
      "\"burst\": %ld, \"seconds\": %ld, \"payload_bytes\": %ld, \"sent\": %ld, \"ok\": %ld, "
      "\"lost\": %ld, \"peak_memory_mb\": %.1f, \"cpu_us_per_message\": %.1f, \"latency_us\": "
      "{\"p50\": %.0f, \"p90\": %.0f, \"p99\": %.0f, "
      "\"max\": %.0f}}\n",
      adaptor.c_str(), load.rate, load.burst, load.seconds, load.size, result.sent, result.ok,
      result.sent - result.ok, static_cast<double>(result.peak_kilobytes) / 1024,
      result.sent > 0 ? result.cpu_seconds * 1e6 / static_cast<double>(result.sent) : 0.0,
      percentile(0.5), percentile(0.9), percentile(0.99), percentile(1.0));
}

/// What the command line asks for.
struct Subject {
  std::unique_ptr<Adaptor> adaptor;
  std::string name = "null", connection = "null", topic = "host-cpu";
  std::optional<std::string> config;
  std::unique_ptr<bench::ConfigFile> config_file;
};

Subject FromArguments(const std::vector<std::string>& arguments) {
  Subject subject;
  if (arguments[0] == "null") {
    subject.adaptor = std::make_unique<Adaptor>(NullAdaptor::Functions());
  } else if (arguments.size() > 1) {
    subject.adaptor = Adaptor::Load(arguments[0]);
    subject.name = subject.adaptor->f.get_protocol_name();
    subject.connection = arguments[1];
    if (arguments.size() > 2) subject.topic = arguments[2];
    if (arguments.size() > 3) subject.config = arguments[3];
  } else {
    bench::Target* target = bench::FindTarget(arguments[0]);
    if (target == nullptr) {
      throw std::runtime_error("there is no target '" + arguments[0] + "' (known: null, " +
                               bench::TargetNames() + ")");
    }
    target->Start();
    // A pipeline's topic is there already: a first message would pay for making it.
    target->Connect()->Send(1, {bench::Payload(0, 100)});
    subject.adaptor = Adaptor::Load(bench::LibraryOf(*target));
    subject.name = target->name();
    subject.connection = target->connection();
    subject.topic = bench::kTopic;
    subject.config_file = std::make_unique<bench::ConfigFile>(target->config());
    subject.config = subject.config_file->path();
  }
  return subject;
}

int Run(const std::vector<std::string>& arguments) {
  Load load;
  load.rate = std::max(1L, FromEnvironment("RATE", load.rate));
  load.burst = std::max(1L, FromEnvironment("BURST", load.burst));
  load.seconds = std::max(1L, FromEnvironment("DURATION", load.seconds));
  load.size = FromEnvironment("PAYLOAD", load.size);
  const Subject subject = FromArguments(arguments);
  const Link link = Link::Open(*subject.adaptor, subject.connection, subject.config);
  if (!link.ok()) {
    throw std::runtime_error(subject.name + " gave no handle for " + subject.connection +
                             " (its log says why)");
  }
  const Result result = Drive(link, subject.topic, load);
  Print(subject.name, result, load);
  return result.sent == load.rate * load.seconds && result.ok == result.sent ? 0 : 1;
}

}  // namespace
}  // namespace dsmsg::conformance

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.empty()) {
    std::fprintf(stderr,
                 "usage: %s null | NAME | <library.so> <connection string> [topic] [config file]\n",
                 argv[0]);
    return 2;
  }
  int result = 1;
  try {
    result = dsmsg::conformance::Run(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "host_cpu: %s\n", error.what());
  }
  dsmsg::bench::CloseTargets();
  return result;
}
