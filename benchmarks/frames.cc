// SPDX-License-Identifier: Apache-2.0
// From a frame at the converter to the consumer: simulated sources at 30 frames a second with ten
// objects each go through dsmsgconv and dsmsgbroker into a Redis stream, which a process of its own
// reads. In front of the converter is a leaky queue, as in live pipelines: what does not keep up
// drops the oldest frames there. Prints one JSON object.
//
// A frame counts from the time at which it was due, also when it was made late. Its objects carry
// their number, by which the consumer, that writes times into shared memory, is compared.
//
// usage: frames [--dialect dsmsg|deepstream] [--sources 1,10,100,1000] [--seconds 4]
#include <gst/gst.h>
#include <hiredis/hiredis.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "dsmsg_meta.h"
#include "target.h"

namespace dsmsg::bench {
namespace {

constexpr uint64_t kObjects = 10, kFramesPerSecond = 30;
constexpr std::string_view kMark = "bench#";  // before an object's number
constexpr std::chrono::seconds kSilence{2};

double ThreadSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

int64_t Nanoseconds(Clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

/// When each object's message was received (0: it was not), and how many were.
class Receipts {
 public:
  explicit Receipts(size_t objects) : size_(sizeof(Shared) + objects * sizeof(int64_t)) {
    void* memory = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("no shared memory");
    shared_ = new (memory) Shared;
    objects_ = objects;
  }
  ~Receipts() { munmap(shared_, size_); }
  Receipts(const Receipts&) = delete;
  Receipts& operator=(const Receipts&) = delete;

  void Note(uint64_t object) {
    if (object >= objects_ || times()[object] != 0) return;
    times()[object] = Nanoseconds(Clock::now());
    shared_->count.fetch_add(1);
  }
  uint64_t count() const { return shared_->count.load(); }
  int64_t operator[](uint64_t object) const { return times()[object]; }

 private:
  struct Shared {
    std::atomic<uint64_t> count{0};
  };
  int64_t* times() const { return reinterpret_cast<int64_t*>(shared_ + 1); }

  const size_t size_;
  Shared* shared_ = nullptr;
  size_t objects_ = 0;
};

/// Reads the stream; runs in a process of its own.
void Consume(const std::string& host, int port, Receipts& receipts, int answer) {
  redisContext* redis = redisConnect(host.c_str(), port);
  if (redis == nullptr || redis->err != 0) return;
  dprintf(answer, "ready\n");
  std::string after = "0";
  for (;;) {
    auto* reply = static_cast<redisReply*>(
        redisCommand(redis, "XREAD COUNT 1000 BLOCK 1000 STREAMS %s %s", kTopic, after.c_str()));
    if (reply == nullptr || reply->type == REDIS_REPLY_ERROR) return;
    if (reply->type == REDIS_REPLY_ARRAY) {
      const redisReply* entries = reply->element[0]->element[1];
      for (size_t i = 0; i < entries->elements; ++i) {
        const redisReply* fields = entries->element[i]->element[1];
        const std::string_view text(fields->element[1]->str, fields->element[1]->len);
        const size_t mark = text.find(kMark);
        uint64_t number = 0;
        if (mark == text.npos) continue;
        std::from_chars(text.data() + mark + kMark.size(), text.data() + text.size(), number);
        receipts.Note(number);
      }
      after = entries->element[entries->elements - 1]->element[0]->str;
    }
    freeReplyObject(reply);
  }
}

class Pipeline {
 public:
  explicit Pipeline(const std::string& line) {
    GError* error = nullptr;
    pipeline_ = gst_parse_launch(line.c_str(), &error);
    if (error != nullptr) throw std::runtime_error(error->message);
    source_ = gst_bin_get_by_name(GST_BIN(pipeline_), "source");
    gst_element_set_state(pipeline_, GST_STATE_PLAYING);
  }
  ~Pipeline() {
    gst_element_set_state(pipeline_, GST_STATE_NULL);
    gst_object_unref(source_);
    gst_object_unref(pipeline_);
  }
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  void Push(GstBuffer* buffer) {
    GstFlowReturn flow = GST_FLOW_OK;
    g_signal_emit_by_name(source_, "push-buffer", buffer, &flow);
    gst_buffer_unref(buffer);
    if (flow != GST_FLOW_OK)
      throw std::runtime_error(std::string("push: ") + gst_flow_get_name(flow));
  }

 private:
  GstElement* pipeline_ = nullptr;
  GstElement* source_ = nullptr;
};

GstBuffer* MakeFrame(uint64_t number, uint64_t sources) {
  GstBuffer* buffer = gst_buffer_new_allocate(nullptr, 64 * 32, nullptr);
  GST_BUFFER_PTS(buffer) = number * GST_SECOND / kFramesPerSecond / sources;
  for (uint64_t i = 0; i < kObjects; ++i) {
    const std::string id = std::string(kMark) + std::to_string(number * kObjects + i);
    const auto at = static_cast<double>(i);
    gst_structure_set(dsmsg_buffer_add_event(buffer, "moving", "car"), "source-id", G_TYPE_UINT,
                      static_cast<guint>(number % sources), "object-id", G_TYPE_STRING, id.c_str(),
                      "confidence", G_TYPE_DOUBLE, 0.875, "left", G_TYPE_DOUBLE, 3 * at, "top",
                      G_TYPE_DOUBLE, at, "width", G_TYPE_DOUBLE, 20.5, "height", G_TYPE_DOUBLE,
                      10.25, nullptr);
  }
  return buffer;
}

struct Outcome {
  uint64_t frames = 0, received = 0;  // made; messages
  double seconds = 0, cpu_us = 0;     // of a frame that went through, without making it
  std::vector<double> latency_us;
};

Outcome Measure(const std::string& line, uint64_t sources, double seconds, Receipts& receipts) {
  Pipeline pipeline(line);
  Outcome outcome;
  const auto rate = static_cast<double>(sources * kFramesPerSecond);
  outcome.frames = static_cast<uint64_t>(rate * seconds);
  const auto begin = Clock::now() + std::chrono::milliseconds(200);
  const auto due = [&](uint64_t frame) {
    return begin +
           std::chrono::nanoseconds(static_cast<int64_t>(static_cast<double>(frame) / rate * 1e9));
  };
  double cpu = CpuSeconds() - ThreadSeconds();
  for (uint64_t frame = 0; frame < outcome.frames; ++frame) {
    std::this_thread::sleep_until(due(frame));
    pipeline.Push(MakeFrame(frame, sources));
  }
  // Until all have come, or nothing comes any more.
  auto last = Clock::now();
  for (uint64_t seen = 0; seen < outcome.frames * kObjects && Clock::now() - last < kSilence;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (receipts.count() == seen) continue;
    seen = receipts.count();
    last = Clock::now();
  }
  outcome.seconds = std::chrono::duration<double>(last - begin).count();
  cpu = CpuSeconds() - ThreadSeconds() - cpu;
  outcome.received = receipts.count();
  outcome.cpu_us = cpu * 1e6 * static_cast<double>(kObjects) /
                   static_cast<double>(std::max<uint64_t>(1, outcome.received));
  for (uint64_t object = 0; object < outcome.frames * kObjects; ++object) {
    if (receipts[object] == 0) continue;
    const int64_t late = receipts[object] - Nanoseconds(due(object / kObjects));
    outcome.latency_us.push_back(static_cast<double>(late) / 1000);
  }
  std::sort(outcome.latency_us.begin(), outcome.latency_us.end());
  return outcome;
}

void Print(uint64_t sources, const Outcome& outcome) {
  const auto at = [&](double part) {
    const auto& sorted = outcome.latency_us;
    return sorted.empty()
               ? 0.0
               : sorted[static_cast<size_t>(part * static_cast<double>(sorted.size() - 1))];
  };
  const auto passed = static_cast<double>(outcome.received) / static_cast<double>(kObjects);
  std::printf("  {\"sources\": %lu, \"asked_per_s\": %lu, \"frames_per_s\": %.1f, ", sources,
              sources * kFramesPerSecond, passed / outcome.seconds);
  std::printf("\"frames\": %lu, \"dropped\": %lu, \"cpu_us_per_frame\": %.1f, ", outcome.frames,
              outcome.frames * kObjects - outcome.received, outcome.cpu_us);
  std::printf("\"latency_us\": {\"p50\": %.0f, \"p90\": %.0f, \"p99\": %.0f, \"max\": %.0f}}",
              at(0.5), at(0.9), at(0.99), at(1));
}

int Run(const std::string& dialect, const std::string& counts, double seconds) {
  Target* target = FindTarget("redis");
  if (target == nullptr) throw std::runtime_error("the Redis adaptor was not built");
  target->Start({});
  const std::string connection = target->connection();
  const std::string host = connection.substr(0, connection.find(';'));
  const int port = std::stoi(connection.substr(host.size() + 1));
  const ConfigFile config(target->config());
  std::printf(
      "{\"benchmark\": \"frames\", \"target\": \"frames\", \"dialect\": \"%s\", \"frames\": [\n",
      dialect.c_str());
  std::istringstream list(counts);
  const char* separator = "";
  for (std::string text; std::getline(list, text, ',');) {
    const uint64_t sources = std::stoul(text);
    Receipts receipts(
        static_cast<size_t>(static_cast<double>(sources * kFramesPerSecond) * seconds) * kObjects);
    const Helper consumer([&](int answer) { Consume(host, port, receipts, answer); });
    // A fifth of a second for all sources.
    const std::string line =
        "appsrc name=source format=time caps=video/x-raw,format=GRAY8,width=64,height=32,"
        "framerate=30/1 max-bytes=0 ! queue leaky=downstream max-size-bytes=0 max-size-time=0 "
        "max-size-buffers=" +
        std::to_string(sources * 6) + " ! dsmsgconv frame-interval=1 dialect=" + dialect +
        " ! dsmsgbroker sync=false proto-lib=" + LibraryOf(*target) + " conn-str=\"" + connection +
        "\" topic=" + kTopic + " config=" + config.path();
    const Outcome outcome = Measure(line, sources, seconds, receipts);
    std::fprintf(stderr, "%s %lu sources: %lu of %lu messages\n", dialect.c_str(), sources,
                 outcome.received, outcome.frames * kObjects);
    if (outcome.received == 0) throw std::runtime_error("no message arrived (see above)");
    std::printf("%s", std::exchange(separator, ",\n"));
    Print(sources, outcome);
    target->Clear();
  }
  std::printf("]}\n");
  return 0;
}

int Main(int argc, char** argv) {
  gst_init(nullptr, nullptr);
  gst_registry_scan_path(gst_registry_get(), DSMSG_BENCH_PLUGIN_DIR);
  std::string dialect = "dsmsg", sources = "1,10,100,1000";
  double seconds = 4;
  int result = 2;
  try {
    for (int i = 1; i + 1 < argc; i += 2) {
      const std::string name = argv[i];
      if (name == "--dialect") dialect = argv[i + 1];
      if (name == "--sources") sources = argv[i + 1];
      if (name == "--seconds") seconds = std::stod(argv[i + 1]);
    }
    result = Run(dialect, sources, seconds);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "frames: %s\n", error.what());
  }
  CloseTargets();
  return result;
}

}  // namespace
}  // namespace dsmsg::bench

int main(int argc, char** argv) { return dsmsg::bench::Main(argc, argv); }
