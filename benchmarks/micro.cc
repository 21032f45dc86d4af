// SPDX-License-Identifier: Apache-2.0
// What the steps of a message cost, without a server: reading the key from the payload, rendering
// topic and key, building the message, the queue, the payload writers, a log call that prints
// nothing. The options are Google Benchmark's (--benchmark_format=json).
#include <benchmark/benchmark.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "core/base/log.h"
#include "core/options/field_path.h"
#include "core/options/settings.h"
#include "core/options/topic_template.h"
#include "core/queue/message_builder.h"
#include "core/queue/send_queue.h"
#include "scene.h"

namespace dsmsg::bench {
namespace {

using msgconv::MinimalFormat;
using msgconv::PayloadType;

std::string Message(PayloadType type, size_t objects) {
  const msgconv::Frame frame = Street(objects);
  msgconv::Converter converter(Config(), {type, MinimalFormat::kObjects, false});
  return std::string(converter.Render(frame, 0));
}

// About 1 KB each, as the converters write them.
std::string Full() { return Message(PayloadType::kFull, 1); }
std::string Minimal() { return Message(PayloadType::kMinimal, 4); }
std::string Protobuf() { return Message(PayloadType::kProtobuf, 12); }

/// The full one as DeepStream writes it: each member on a line of its own.
std::string Indented() {
  std::string out, indent = "\n";
  bool quoted = false;
  for (const char c : Full()) {
    if (c == '"') quoted = !quoted;
    if (!quoted && (c == '}' || c == ']')) indent.resize(indent.size() - 2), out += indent;
    out += c;
    if (quoted) continue;
    if (c == '{' || c == '[') indent += "  ";
    if (c == '{' || c == '[' || c == ',') out += indent;
    if (c == ':') out += ' ';
  }
  return out;
}

/// The full one with escapes in the members before the sensor.
std::string Escaped() {
  std::string text = Full();
  for (const char* value : {"ParkingLot_A", "garage", "Zone_A", "Lane_1"}) {
    text.insert(text.find(value), R"(\"caf\u00e9\" )");
  }
  return text;
}

void Key(benchmark::State& state, const std::string& payload) {
  FieldReader reader;
  (void)reader.Add("sensor.id");
  (void)reader.Add("sensorId");
  std::string key;
  for (auto _ : state) {
    if (!reader.ExtractFirst(payload, &key)) state.SkipWithError("no key was found");
    benchmark::DoNotOptimize(key.data());
  }
  state.counters["payload_bytes"] = static_cast<double>(payload.size());
}

void TopicTemplate(benchmark::State& state, const char* text) {
  const Template topic = Template::Compile(text).value();
  const std::string payload = Full();
  std::string out;
  for (auto _ : state) {
    out.clear();
    (void)topic.Render(payload, "topic", &out);
    benchmark::DoNotOptimize(out.data());
  }
}

const DriverInfo& Info() {
  static const std::string_view schemes[] = {"bench"};
  static const DriverInfo info = {
      .protocol = "BENCH",
      .env_suffix = "BENCH",
      .delivery = "in the benchmark",
      .library = "none",
      .options = {},
      .conn_rules = {.protocol = "bench", .schemes = schemes, .default_port = 1}};
  return info;
}

MessageBuilder Builder(const char* options, std::shared_ptr<Ledger>* ledger = nullptr) {
  const std::string path = std::filesystem::temp_directory_path() / "dsmsg-micro.txt";
  std::ofstream(path) << "[message-broker]\ntopic=bench\n" << options;
  const Result<Settings> settings = Settings::Load(Info(), "host;1", path);
  std::filesystem::remove(path);
  if (ledger != nullptr) *ledger = Ledger::Start(settings.value(), Info()).value();
  return MessageBuilder::Create(settings.value(), nullptr, ledger ? *ledger : nullptr).value();
}

void Build(benchmark::State& state, const char* options) {
  const MessageBuilder builder = Builder(options);
  const std::string payload = Full();
  Metrics metrics;
  Logger logger("BENCH");
  for (auto _ : state) {
    Outgoing outgoing;
    SendRequest request;
    request.topic = "bench";
    request.payload = payload;
    benchmark::DoNotOptimize(builder.Build(request, metrics, logger, &outgoing).ok());
  }
}

/// One message through the queue and its end, `batch` messages at a time. Built outside of the
/// measured time it could not be: the clock would cost more than the queue does.
void Queue(benchmark::State& state, const char* options, const std::string& payload) {
  const auto batch = static_cast<size_t>(state.range(0));
  Metrics metrics;
  const MessageBuilder builder = Builder(options, &metrics.ledger);
  Logger logger("BENCH");
  SendQueue queue(QueueLimits{}, metrics);
  std::vector<SendQueue::Submission> taken;
  std::vector<SendQueue::Outcome> outcomes;
  SendQueue::FinishedList finished;
  for (auto _ : state) {
    for (size_t i = 0; i < batch; ++i) {
      Outgoing outgoing;
      SendRequest request;
      request.topic = "bench";
      request.payload = payload;
      (void)builder.Build(request, metrics, logger, &outgoing);
      (void)queue.Push(std::move(outgoing), &finished);
    }
    taken.clear();
    (void)queue.Take(batch, &taken);
    outcomes.clear();
    for (const auto& submission : taken) outcomes.push_back({submission.token, Status()});
    (void)queue.Complete(outcomes, &finished);
    finished.clear();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void Write(benchmark::State& state, PayloadType type) {
  msgconv::Frame frame = Street();
  msgconv::Converter converter(Config(), {type, MinimalFormat::kObjects, false});
  size_t payloads = 0;
  for (auto _ : state) {
    frame.time_ns += 33'000'000;  // a new frame has a new time
    for (size_t i = 0, count = converter.Count(frame); i < count; ++i, ++payloads) {
      benchmark::DoNotOptimize(converter.Render(frame, i).data());
    }
  }
  state.SetItemsProcessed(static_cast<int64_t>(payloads));
}

void LogOff(benchmark::State& state) {
  Logger logger("BENCH");
  for (auto _ : state) logger.Debug("a line that is not wanted");
}

void Register() {
  const auto add = [](const char* name, auto function, auto... arguments) {
    return benchmark::RegisterBenchmark(name, function, arguments...);
  };
  add("key/full", Key, Full());
  add("key/full_indented", Key, Indented());
  add("key/full_with_escapes", Key, Escaped());
  add("key/minimal", Key, Minimal());
  add("key/protobuf", Key, Protobuf());
  add("template/text", TopicTemplate, "events");
  add("template/topic", TopicTemplate, "events/${topic}");
  add("template/sensor", TopicTemplate, "events/${sensor.id}");
  add("template/four_fields", TopicTemplate,
      "${place.id}/${sensor.id}/${object.id}/${event.type:-none}");
  add("build/plain", Build, "");
  add("build/key", Build, "key=${sensor.id}\n");
  add("build/key_and_topic", Build, "key=${sensor.id}\ntopic-template=events/${sensor.id}\n");
  const std::string full = Full(), minimal = Minimal();
  add("queue/build_push_take_complete", Queue, "", full)->Arg(1)->Arg(64)->Arg(1000);
  // Beside the next two: what a number costs. Kafka reads the source as its key anyway.
  add("queue/full_with_key", Queue, "key=${sensor.id}\n", full)->Arg(64);
  add("queue/full_with_ledger", Queue, "ledger=1\n", full)->Arg(64);
  add("queue/minimal", Queue, "", minimal)->Arg(64);
  add("queue/minimal_with_ledger", Queue, "ledger=1\n", minimal)->Arg(64);
  add("queue/minimal_with_ledger_in_field", Queue, "ledger=1\nledger-field=ledger\n", minimal)
      ->Arg(64);
  add("write/full", Write, PayloadType::kFull);
  add("write/minimal", Write, PayloadType::kMinimal);
  add("write/protobuf", Write, PayloadType::kProtobuf);
  add("log/off", LogOff);
}

}  // namespace
}  // namespace dsmsg::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  dsmsg::bench::Register();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
