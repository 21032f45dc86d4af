// SPDX-License-Identifier: Apache-2.0
#include "run.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <fstream>
#include <limits>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "senders.h"

namespace dsmsg::bench {
namespace {

using std::chrono::microseconds;

constexpr uint64_t kTogether = 256;  // between two looks at the clock
constexpr microseconds kLongest{100'000}, kLook{200};
constexpr std::chrono::seconds kPatience{60};
constexpr size_t kMostBytes = size_t{256} << 20;

double Seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }
Clock::duration Time(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

double MemoryMb() {
  uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> pages;
  return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

/// Looks at this process ten times a second, on a thread of its own.
class Sampler {
 public:
  Sampler() : thread_([this] { Watch(); }) {}
  ~Sampler() { (void)Stop(); }
  std::vector<Sample> Stop() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable()) thread_.join();
    return std::move(samples_);
  }

 private:
  void Watch() {
    const auto begin = Clock::now();
    auto last = begin;
    double cpu = CpuSeconds();
    for (bool over = false; !over;) {
      std::unique_lock lock(mutex_);
      over = changed_.wait_for(lock, kLongest, [this] { return over_; });
      const auto now = Clock::now();
      const double used = CpuSeconds();
      samples_.push_back({Seconds(now - begin), (used - cpu) / Seconds(now - last), MemoryMb()});
      last = now;
      cpu = used;
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::vector<Sample> samples_;
  std::thread thread_;
};

/// When a message of a paced run is due.
class Schedule {
 public:
  explicit Schedule(const Plan& plan)
      : plan_(plan), count_(static_cast<uint64_t>(plan.rate * plan.seconds)) {}
  uint64_t count() const { return count_; }
  Clock::time_point Due(uint64_t number) const {
    const auto burst = static_cast<double>(number / plan_.burst * plan_.burst);
    return begin_ + Time(burst / plan_.rate);
  }

 private:
  const Plan& plan_;
  const uint64_t count_;
  const Clock::time_point begin_ = Clock::now();
};

uint64_t Window(const Plan& plan) {
  if (plan.pattern == Pattern::kSync) return 1;
  return plan.pattern == Pattern::kWindowed ? plan.window : std::numeric_limits<uint64_t>::max();
}

/// Until every message is acknowledged; a server that is slow goes on, one that is silent does not.
class Patience {
 public:
  void Check(const Tracker& tracker) {
    const auto now = Clock::now();
    if (tracker.done() != done_) since_ = now;
    done_ = tracker.done();
    if (now - since_ < kPatience) return;
    throw std::runtime_error(std::to_string(tracker.outstanding()) +
                             " messages were not acknowledged");
  }

 private:
  uint64_t done_ = 0;
  Clock::time_point since_ = Clock::now();
};

/// Several raw clients in turn, as one.
class RawFleet final : public RawClient {
 public:
  RawFleet(Target& target, size_t connections) {
    for (size_t i = 0; i < connections; ++i) clients_.push_back(target.Connect());
  }
  void Submit(const Letter& letter, Sent* sent) override {
    clients_[next_++ % clients_.size()]->Submit(letter, sent);
  }
  void Poll(microseconds wait) override {
    // One client waits; several are asked in turn, for a moment each.
    if (clients_.size() > 1) wait = std::min(wait, kLook);
    for (const auto& client : clients_) client->Poll(wait);
  }

 private:
  std::vector<std::unique_ptr<RawClient>> clients_;
  size_t next_ = 0;
};

void DriveRaw(RawClient& client, const Plan& plan, const Letters& letters, uint64_t window,
              Tracker& tracker) {
  const auto end = Clock::now() + Time(plan.seconds);
  Patience patience;
  for (bool more = true; more || tracker.outstanding() > 0;) {
    for (uint64_t i = 0; more && i < kTogether && tracker.outstanding() < window; ++i) {
      const auto now = tracker.timed() ? Clock::now() : Clock::time_point();
      client.Submit(letters.At(tracker.begun()), tracker.Begin(now));
    }
    more = Clock::now() < end;
    client.Poll(more && tracker.outstanding() < window ? microseconds(0) : kLongest);
    patience.Check(tracker);
  }
}

void PaceRaw(RawClient& client, const Plan& plan, const Letters& letters, Tracker& tracker) {
  const Schedule schedule(plan);
  Patience patience;
  while (tracker.begun() < schedule.count() || tracker.outstanding() > 0) {
    auto wait = kLongest;
    while (tracker.begun() < schedule.count()) {
      const auto due = schedule.Due(tracker.begun());
      const auto left = std::chrono::ceil<microseconds>(due - Clock::now());
      if (left.count() > 0) {
        wait = std::min(wait, left);
        break;
      }
      client.Submit(letters.At(tracker.begun()), tracker.Begin(due));
    }
    // Writes what was submitted before it waits.
    client.Poll(wait);
    patience.Check(tracker);
  }
}

/// All connections of one run through an adaptor, in turn.
class Fleet {
 public:
  Fleet(Side side, const Plan& plan, const Letters& letters, const Endpoint& endpoint)
      : letters_(letters) {
    std::vector<Letter> list;
    if (side != Side::kAdaptor) {
      const uint64_t count = Schedule(plan).count();
      for (uint64_t i = 0; i < count; ++i) list.push_back(letters.At(i));
    }
    for (size_t i = 0; i < plan.connections; ++i) {
      senders_.push_back(side == Side::kAdaptor ? MakeDirect(endpoint)
                         : side == Side::kHostB ? MakeHostB(endpoint, list)
                                                : MakeHostA(endpoint, list));
    }
  }

  void SendAndWait(Tracker& tracker) {
    const uint64_t number = tracker.begun();
    Sent* sent = tracker.Begin(Clock::now());
    Tracker::Done(sent, senders_[number % senders_.size()]->SendAndWait(letters_.At(number)));
  }

  void Send(Clock::time_point due, Tracker& tracker, std::vector<double>* calls) {
    const uint64_t number = tracker.begun();
    Sent* sent = tracker.Begin(due);
    const auto before = tracker.timed() ? Clock::now() : Clock::time_point();
    if (!senders_[number % senders_.size()]->Send(letters_.At(number), sent)) {
      Tracker::Done(sent, false);
    }
    if (!tracker.timed()) return;
    calls->push_back(std::chrono::duration<double, std::micro>(Clock::now() - before).count());
  }

  uint64_t Finish() {
    uint64_t failed = 0;
    for (const auto& sender : senders_) failed += sender->Finish();
    return failed;
  }

 private:
  const Letters& letters_;
  std::vector<std::unique_ptr<Sender>> senders_;
};

void DriveFleet(Fleet& fleet, const Plan& plan, Tracker& tracker, std::vector<double>* calls) {
  const auto end = Clock::now() + Time(plan.seconds);
  for (auto now = Clock::now(); now < end; now = Clock::now()) {
    if (plan.pattern == Pattern::kSync) {
      fleet.SendAndWait(tracker);
    } else if (tracker.timed()) {
      tracker.AwaitBelow(plan.window);
      fleet.Send(Clock::now(), tracker, calls);
    } else {
      for (uint64_t i = 0; i < kTogether; ++i) fleet.Send(now, tracker, calls);
    }
  }
}

void PaceFleet(Fleet& fleet, const Plan& plan, Tracker& tracker, std::vector<double>* calls) {
  const Schedule schedule(plan);
  while (tracker.begun() < schedule.count()) {
    const auto due = schedule.Due(tracker.begun());
    std::this_thread::sleep_until(due);
    fleet.Send(due, tracker, calls);
  }
}

}  // namespace

Letters::Letters(const Plan& plan) {
  for (size_t i = 0; i < plan.topics; ++i) {
    topics_.push_back(i == 0 ? kTopic : kTopic + ("." + std::to_string(i)));
  }
  for (size_t i = 0; i < plan.sensors; ++i) keys_.push_back("cam" + std::to_string(i));
  // Large ones are fewer: memory is for the messages on their way. A multiple of the sensors, so
  // that a payload's sensor is its key.
  const size_t most = std::clamp<size_t>((size_t{64} << 20) / (plan.bytes + 1), 1, 300);
  const size_t different = (most + plan.sensors - 1) / plan.sensors * plan.sensors;
  for (size_t i = 0; i < different; ++i) {
    payloads_.push_back(Payload(i, plan.bytes, keys_[i % keys_.size()]));
  }
}

Result Run(Side side, const Plan& plan, const Letters& letters, Target& target,
           const conformance::Adaptor& adaptor, const std::string& config, uint64_t* total) {
  malloc_trim(0);
  const double memory = MemoryMb();
  Tracker tracker(plan.pattern != Pattern::kUnbounded);
  Result result;
  std::unique_ptr<RawClient> client;
  std::unique_ptr<Fleet> fleet;
  if (side == Side::kRaw) {
    client = std::make_unique<RawFleet>(target, plan.connections);
  } else {
    fleet = std::make_unique<Fleet>(
        side, plan, letters,
        Endpoint{side == Side::kNull ? NullAdaptor() : adaptor, target.connection(), config});
  }
  Sampler sampler;
  const double cpu = CpuSeconds(), server_cpu = CpuSeconds(target.server());
  const auto begin = Clock::now();
  if (side == Side::kRaw && plan.pattern == Pattern::kPaced) {
    PaceRaw(*client, plan, letters, tracker);
  } else if (side == Side::kRaw) {
    // Not more memory than the adaptor takes.
    const uint64_t most = std::max<uint64_t>(8, kMostBytes / plan.bytes);
    DriveRaw(*client, plan, letters, std::min({Window(plan), target.window(), most}), tracker);
  } else if (plan.pattern == Pattern::kPaced) {
    PaceFleet(*fleet, plan, tracker, &result.call_us);
  } else {
    DriveFleet(*fleet, plan, tracker, &result.call_us);
  }
  Patience patience;
  for (; tracker.outstanding() > 0; patience.Check(tracker)) std::this_thread::sleep_for(kLook);
  if (side != Side::kNull) target.WaitReceived(*total += tracker.done() - tracker.failed());
  result.seconds = Seconds(Clock::now() - begin);
  const auto of_each = [&](double seconds) {
    return seconds * 1e6 / static_cast<double>(tracker.begun());
  };
  result.cpu_us = of_each(CpuSeconds() - cpu);
  result.server_cpu_us = of_each(CpuSeconds(target.server()) - server_cpu);
  result.samples = sampler.Stop();
  result.messages = tracker.begun();
  result.failed = tracker.failed() + (fleet != nullptr ? fleet->Finish() : 0);
  for (const Sample& sample : result.samples) {
    result.memory_mb = std::max(result.memory_mb, sample.memory_mb - memory);
  }
  result.latency_us = tracker.Latencies();
  std::sort(result.call_us.begin(), result.call_us.end());
  return result;
}

}  // namespace dsmsg::bench
