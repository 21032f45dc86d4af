// SPDX-License-Identifier: Apache-2.0
// What pictures of events cost the streaming thread: microseconds of its processor time for a frame
// of 1920 x 1080 pixels (NV12) with one event, without a picture, with a crop of 240 x 144 pixels,
// with the whole frame. All else, encoding and storing, is off that thread, and not measured: each
// picture is stored before the next frame comes. The options are Google Benchmark's.
#include <benchmark/benchmark.h>
#include <gst/check/gstharness.h>
#include <gst/gst.h>

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string>
#include <thread>

#include "dsmsg_meta.h"

namespace {

constexpr char kCaps[] = "video/x-raw,format=NV12,width=1920,height=1080,framerate=30/1";
constexpr size_t kBytes = 1920 * 1080 * 3 / 2;

uint64_t Settled(GstElement* converter) {
  GstStructure* stats = nullptr;
  g_object_get(converter, "evidence-stats", &stats, nullptr);
  guint64 stored = 0, lost = 0;
  gst_structure_get_uint64(stats, "stored", &stored);
  gst_structure_get_uint64(stats, "lost", &lost);
  gst_structure_free(stats);
  return stored + lost;
}

double ThreadSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

GstBuffer* Frame(uint64_t number) {
  GstBuffer* const buffer = gst_buffer_new_allocate(nullptr, kBytes, nullptr);
  gst_buffer_memset(buffer, 0, static_cast<guint8>(number), kBytes);
  GST_BUFFER_PTS(buffer) = number * 33 * GST_MSECOND;
  GstStructure* const event = dsmsg_buffer_add_event(buffer, "stopped", "car");
  dsmsg_event_set_object(event, 7, 0.5);
  dsmsg_event_set_box(event, 800, 400, 200, 120);
  return buffer;
}

/// `pictures`: of the option of this name; "": none.
void Frames(benchmark::State& state, const std::string& pictures) {
  const std::string folder =
      std::filesystem::temp_directory_path() / ("dsmsg-bench-" + std::to_string(getpid()));
  std::string element = "dsmsgconv";
  if (!pictures.empty())
    element += " evidence=" + folder + " evidence-config=\"pictures=" + pictures + ";fsync=0\"";
  GstHarness* const harness = gst_harness_new_parse(element.c_str());
  GstElement* const converter = gst_harness_find_element(harness, "dsmsgconv");
  gst_harness_set_src_caps_str(harness, kCaps);
  gst_harness_set_drop_buffers(harness, TRUE);
  uint64_t number = 0;
  for (auto _ : state) {
    GstBuffer* const buffer = Frame(++number);
    const double start = ThreadSeconds();
    gst_harness_push(harness, buffer);
    state.SetIterationTime(ThreadSeconds() - start);
    while (!pictures.empty() && Settled(converter) < number)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  gst_object_unref(converter);
  gst_harness_teardown(harness);
  std::filesystem::remove_all(folder);
}

BENCHMARK_CAPTURE(Frames, no_picture, "")->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Frames, crop, "crop")
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond)
    ->Iterations(100);
BENCHMARK_CAPTURE(Frames, frame, "frame")
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond)
    ->Iterations(100);

}  // namespace

int main(int argc, char** argv) {
  setenv("GST_PLUGIN_PATH", DSMSG_BENCH_PLUGIN_DIR, 0);
  gst_init(&argc, &argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
