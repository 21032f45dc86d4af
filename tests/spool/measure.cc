// SPDX-License-Identifier: Apache-2.0
// What the spool costs: measure [dir] [messages] [bytes]. One thread appends as fast as it can,
// then at 5000 a second; everything is fetched and deleted again, so that this is measured too.
#include <sys/resource.h>
#include <time.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "core/base/fd.h"
#include "core/spool/spool.h"

namespace dsmsg {
namespace {

class Counter final : public SpoolListener {
 public:
  void OnSpooled(std::span<const SpoolTicket> tickets) noexcept override {
    spooled += tickets.size();
    ++groups;
  }
  void OnSpoolFailed(std::span<const SpoolTicket> tickets, const Status& status) noexcept override {
    std::fprintf(stderr, "%zu failed: %s\n", tickets.size(), status.message().c_str());
    std::exit(1);
  }
  void OnSpoolReady() noexcept override { ready.Signal(); }
  std::atomic<uint64_t> spooled{0}, groups{0};
  WakeFd ready;
};

double CpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Lap {
  Clock::time_point start = Clock::now();
  double cpu = CpuSeconds();
  void Print(const char* what, const char* sync, uint64_t count, uint64_t groups) const {
    const double wall = std::chrono::duration<double>(Clock::now() - start).count();
    const double used = CpuSeconds() - cpu;
    std::printf("%-8s %-6s %9.0f msg/s  %6.2f us CPU per message  %6.1f messages a group\n", what,
                sync, static_cast<double>(count) / wall, used * 1e6 / static_cast<double>(count),
                groups == 0 ? 0.0 : static_cast<double>(count) / static_cast<double>(groups));
  }
};

int Measure(const std::string& dir, uint64_t count, size_t size, bool full) {
  const char* sync = full ? "full" : "normal";
  Logger logger("TEST");
  Counter counter;
  SpoolOptions options;
  options.dir = dir;
  options.protocol = "TEST";
  options.endpoint = sync;
  options.sync_full = full;
  options.max_bytes = uint64_t{8} << 30;
  Result<std::unique_ptr<Spool>> opened = Spool::Open(options, logger);
  if (!opened.ok() || !opened.value()->Start(&counter).ok()) {
    std::fprintf(stderr, "%s\n", opened.status().message().c_str());
    return 1;
  }
  Spool& spool = *opened.value();
  const std::string payload(size, 'x');
  Message message;
  message.topic = "events";
  message.payload = payload;
  message.has_key = true;
  const auto append = [&](uint64_t ticket) {
    const std::string key = "camera-" + std::to_string(ticket % 30);
    message.key = key;
    while (!spool.Append(message, 1, ticket).ok()) std::this_thread::yield();
  };
  const auto flush = [&] { spool.Flush(Clock::now() + std::chrono::minutes(10)); };

  Lap lap;
  for (uint64_t i = 0; i < count; ++i) append(i);
  flush();
  lap.Print("append", sync, count, counter.groups);

  lap = Lap();
  std::vector<SpoolMessage> messages;
  std::vector<uint64_t> ids;
  for (uint64_t done = 0; done < count;) {
    messages.clear();
    ids.clear();
    if (spool.Fetch(500, size_t{1} << 20, &messages) == 0) {
      std::this_thread::yield();
      continue;
    }
    done += messages.size();
    for (const SpoolMessage& each : messages) ids.push_back(each.id);
    spool.MarkDelivered(ids);
  }
  flush();
  lap.Print("drain", sync, count, 0);

  // spool-mode=always with a broker that answers at once.
  lap = Lap();
  counter.groups = 0;
  const uint64_t paced = 25'000;
  for (uint64_t i = 0; i < paced; ++i) {
    append(i);
    if (i % 5 == 4) {
      messages.clear();
      ids.clear();
      spool.Fetch(500, size_t{1} << 20, &messages);
      for (const SpoolMessage& each : messages) ids.push_back(each.id);
      spool.MarkDelivered(ids);
      std::this_thread::sleep_until(lap.start + std::chrono::microseconds(200 * i));
    }
  }
  flush();
  lap.Print("always", sync, paced, counter.groups);
  spool.Close(Clock::now() + std::chrono::seconds(60));
  return 0;
}

}  // namespace
}  // namespace dsmsg

int main(int argc, char** argv) {
  const std::string dir =
      argc > 1 ? argv[1] : (std::filesystem::temp_directory_path() / "dsmsg-measure").string();
  const uint64_t count = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 200'000;
  const size_t size = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1000;
  for (const bool full : {false, true}) {
    if (const int code = dsmsg::Measure(dir, count, size, full); code != 0) return code;
  }
  return 0;
}
