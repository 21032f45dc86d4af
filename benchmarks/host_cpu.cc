// SPDX-License-Identifier: Apache-2.0
// CPU of the whole process for each message under host A (the sink's default mode: a mutex around
// send_async that the callback takes, do_work while sends are pending, no sleep), at a fixed rate;
// beside it the same for a null adaptor, which completes at once: what the host alone costs. The
// broker's process is not counted.
//
// Usage: host_cpu null | <library.so> <connection string> [topic] [config file]
// Environment: RATE (messages a second, 900), DURATION (seconds, 20), PAYLOAD (bytes, 500). Prints
// one JSON object.
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "hosts.h"

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

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

long FromEnvironment(const char* name, long fallback) {
  const char* text = std::getenv(name);
  return text == nullptr ? fallback : std::strtol(text, nullptr, 10);
}

/// A detection message of about `size` bytes, different each time, with a key to find.
std::string Payload(long i, long size) {
  std::string text = R"({"version":"4.0","id":")" + std::to_string(i) + R"(","sensorId":"cam)" +
                     std::to_string(i % 30) + R"(","sensor":{"id":"cam)" + std::to_string(i % 30) +
                     R"("},"objects":[")";
  if (text.size() + 4 < static_cast<size_t>(size)) {
    text.append(static_cast<size_t>(size) - text.size() - 3, 'o');
  }
  return text + "\"]}";
}

struct Result {
  double cpu_seconds = 0;
  long sent = 0, ok = 0;
  std::vector<double> latency_us;
};

/// Sends at absolute points in time, so that a slow send does not lower the rate.
Result Drive(const Link& link, const std::string& topic, long rate, long seconds, long size) {
  const long count = rate * seconds;
  Ledger ledger;
  std::vector<Record*> records;
  for (long i = 0; i < count; ++i) {
    records.push_back(&ledger.Add(topic, "", Payload(i, size)));  // outside of what is measured
  }
  std::vector<Clock::time_point> begun(static_cast<size_t>(count)),
      ended(static_cast<size_t>(count));
  HostA host(link, ledger, {});
  const auto take_lock = ledger.on_callback;
  ledger.on_callback = [&](Record& record) {
    ended[record.id] = Clock::now();
    take_lock(record);
  };
  host.Start();
  Result result;
  timespec next{};
  clock_gettime(CLOCK_MONOTONIC, &next);
  const double before = CpuSeconds();
  for (Record* record : records) {
    begun[record->id] = Clock::now();
    if (!host.Render(*record)) break;
    ++result.sent;
    next.tv_nsec += 1'000'000'000 / rate;
    if (next.tv_nsec >= 1'000'000'000) {
      next.tv_nsec -= 1'000'000'000;
      ++next.tv_sec;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, nullptr);
  }
  host.Drain(30s);
  result.cpu_seconds = CpuSeconds() - before;
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

void Print(const std::string& adaptor, const Result& result, long rate, long seconds, long size) {
  const auto percentile = [&](double part) {
    if (result.latency_us.empty()) return 0.0;
    const auto last = static_cast<double>(result.latency_us.size() - 1);
    return result.latency_us[static_cast<size_t>(part * last)];
  };
  std::printf(
      "{\"benchmark\": \"host_cpu\", \"adaptor\": \"%s\", \"rate_per_second\": %ld, "
      "\"seconds\": %ld, \"payload_bytes\": %ld, \"sent\": %ld, \"ok\": %ld, "
      "\"cpu_us_per_message\": %.1f, \"latency_us\": {\"p50\": %.0f, \"p90\": %.0f, \"p99\": %.0f, "
      "\"max\": %.0f}}\n",
      adaptor.c_str(), rate, seconds, size, result.sent, result.ok,
      result.sent > 0 ? result.cpu_seconds * 1e6 / static_cast<double>(result.sent) : 0.0,
      percentile(0.5), percentile(0.9), percentile(0.99), percentile(1.0));
}

int Run(int argc, char** argv) {
  if (argc < 2 || (std::string(argv[1]) != "null" && argc < 3)) {
    std::fprintf(stderr,
                 "usage: %s null | <library.so> <connection string> [topic] [config file]\n",
                 argv[0]);
    return 2;
  }
  const long rate = std::max(1L, FromEnvironment("RATE", 900));
  const long seconds = std::max(1L, FromEnvironment("DURATION", 20));
  const long size = FromEnvironment("PAYLOAD", 500);
  std::unique_ptr<Adaptor> adaptor;
  std::string name = "null";
  if (std::string(argv[1]) == "null") {
    adaptor = std::make_unique<Adaptor>(NullAdaptor::Functions());
  } else {
    adaptor = Adaptor::Load(argv[1]);
    name = adaptor->f.get_protocol_name();
  }
  const Link link = Link::Open(*adaptor, std::string(argc > 2 ? argv[2] : "null"),
                               argc > 4 ? std::optional<std::string>(argv[4]) : std::nullopt);
  if (!link.ok()) {
    std::fprintf(stderr, "host_cpu: %s gave no handle for %s (its log says why)\n", argv[1],
                 argv[2]);
    return 1;
  }
  const Result result = Drive(link, argc > 3 ? argv[3] : "host-cpu", rate, seconds, size);
  Print(name, result, rate, seconds, size);
  return result.sent == rate * seconds && result.ok == result.sent ? 0 : 1;
}

}  // namespace
}  // namespace dsmsg::conformance

int main(int argc, char** argv) {
  try {
    return dsmsg::conformance::Run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "host_cpu: %s\n", error.what());
    return 1;
  }
}
