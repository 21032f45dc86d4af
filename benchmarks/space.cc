// SPDX-License-Identifier: Apache-2.0
// What lines and zones cost, on one core: microseconds for a frame of ten tracked objects, with two
// lines and two zones, alone and with a map that makes a message for each object. The options are
// Google Benchmark's; the time of an iteration is that of a frame.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdlib>
#include <memory>

#include "msgconv/map_maker.h"
#include "space/engine.h"

namespace {

using namespace dsmsg::msgconv;
using dsmsg::space::Engine;
using dsmsg::space::Rules;

constexpr size_t kObjects = 10;
constexpr char kRules[] = R"(
send: all
tracks: true
sources:
  "*":
    lines:
      gate: {points: [[0.1, 0.5], [0.5, 0.45], [0.9, 0.5]], directions: [in, out], by-class: true}
      exit: {points: [[0.2, 0.2], [0.8, 0.3]], margin: 0.01}
    zones:
      yard: {points: [[0.1, 0.1], [0.6, 0.1], [0.7, 0.6], [0.2, 0.7]], dwell: 10}
      dock: {points: [[0.5, 0.5], [0.9, 0.5], [0.9, 0.9], [0.5, 0.9]], crowd: {count: 5, for: 3}}
)";
constexpr char kMap[] = R"(
each: object
message:
  time: ${frame.time}
  camera: ${sensor.id}
  id: ${object.id}
  label: ${object.label}
  confidence: ${object.confidence}
  box: {left: "${object.box.left}", top: "${object.box.top}", width: "${object.box.width}"}
  zones: ${object.zones}
  lines: ${object.lines}
)";

/// Objects that go around the picture, each on its own circle.
void Move(uint64_t number, Frame* frame) {
  frame->Clear();
  frame->number = number;
  frame->time_ns = 1'705'314'600'000'000'000 + number * 33'000'000;
  frame->width = 1920;
  frame->height = 1080;
  for (size_t i = 0; i < kObjects; ++i) {
    Object& object = frame->objects.emplace_back();
    object.id = i;
    object.label = i % 2 == 0 ? "car" : "person";
    object.confidence = 0.875F;
    const double angle = 0.02 * static_cast<double>(number) + static_cast<double>(i);
    const double radius = 100 + 40 * static_cast<double>(i);
    object.box = {static_cast<float>(960 + radius * std::cos(angle)),
                  static_cast<float>(500 + radius * std::sin(angle)), 80, 120};
  }
}

void Frames(benchmark::State& state, bool with_space, bool with_map) {
  const auto rules = Rules::Parse(kRules, "space.yaml");
  const auto map = Map::Parse(kMap, "map.yaml");
  if (!rules.ok() || !map.ok()) std::abort();
  Engine engine(rules.value(), /*summaries=*/true);
  MapMaker maker(map.value(), std::make_shared<ConvConfig>());
  Frame frame;
  uint64_t number = 0, events = 0;
  for (auto _ : state) {
    Move(++number, &frame);
    if (with_space) {
      engine.Apply(number * 33'000'000, {}, 0, &frame);
      events += frame.space_events.size();
    }
    if (!with_map) continue;
    for (size_t i = 0, n = maker.Count(frame); i < n; ++i)
      benchmark::DoNotOptimize(maker.Render(frame, i).data());
  }
  state.counters["events_per_frame"] =
      static_cast<double>(events) / static_cast<double>(state.iterations());
}

BENCHMARK_CAPTURE(Frames, frame_alone, false, false)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Frames, space, true, false)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Frames, map, false, true)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Frames, space_and_map, true, true)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
