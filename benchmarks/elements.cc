// SPDX-License-Identifier: Apache-2.0
// Objects per second through the converter elements, on one core: regions of interest and
// DeepStream's batches of two layouts, in each form. Prints JSON; the options are Google
// Benchmark's. GST_PLUGIN_PATH names the elements of another build, to compare them.
#include <benchmark/benchmark.h>
#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <gst/video/gstvideometa.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "msgconv/deepstream_layout.h"

namespace {

namespace ds = dsmsg::deepstream;

constexpr int kObjects = 20, kBuffers = 64;

GstBuffer* Picture() { return gst_buffer_new_allocate(nullptr, 64 * 32, nullptr); }

// ---------------------------------------------------------------- regions of interest

GstBuffer* Regions() {
  GstBuffer* const buffer = Picture();
  for (guint i = 0; i < kObjects; ++i) {
    auto* const region =
        gst_buffer_add_video_region_of_interest_meta(buffer, "car", 2 * i, i, 8, 6);
    gst_video_region_of_interest_meta_add_param(
        region, gst_structure_new("detection", "confidence", G_TYPE_DOUBLE, 0.875, "label_id",
                                  G_TYPE_INT, 1, nullptr));
    gst_video_region_of_interest_meta_add_param(
        region, gst_structure_new("object_id", "id", G_TYPE_INT, static_cast<int>(i), nullptr));
    gst_video_region_of_interest_meta_add_param(
        region, gst_structure_new("color", "label", G_TYPE_STRING, "blue", "confidence",
                                  G_TYPE_DOUBLE, 0.5, nullptr));
  }
  return buffer;
}

// ---------------------------------------------------------------- DeepStream's batches

/// One frame of objects with a classifier each, by the offsets of a layout.
class Batch {
 public:
  explicit Batch(const ds::Layout& layout) : layout_(layout) {
    batch_ = New(ds::kBatchMeta, 192);
    Put(batch_, ds::kBaseBatch, batch_);
    char* const frames = NewPool(ds::kFrameMeta, layout.frame_size);
    Put(batch_, ds::batch::kFramePool, frames);
    Put(batch_, ds::batch::kObjectPool, NewPool(ds::kObjectMeta, layout.object_size));
    char* const frame = New(ds::kFrameMeta, layout.frame_size);
    GList* objects = nullptr;
    for (uint64_t i = 0; i < kObjects; ++i) objects = g_list_prepend(objects, NewObject(i));
    Put(frame, ds::frame::kObjects, uint32_t{kObjects});
    Put(frame, ds::frame::kObjectList, objects);
    Put(frame, ds::frame::kNtp, uint64_t{1'705'314'600'123'000'000});
    Put(frame, ds::frame::kPipelineWidth, std::array<uint32_t, 2>{640, 480});
    Put(batch_, 40, uint32_t{1});  // the most frames that it may have
    Put(batch_, ds::batch::kFrames, uint32_t{1});
    Put(batch_, ds::batch::kFrameList, g_list_prepend(nullptr, frame));
  }

  GstBuffer* Attached() const {
    GstBuffer* const buffer = Picture();
    auto* const meta = reinterpret_cast<char*>(gst_buffer_add_meta(buffer, Info(), nullptr));
    Put(meta, ds::kGstData, batch_);
    Put(meta, ds::kGstType, ds::kBatchGstMeta);
    return buffer;
  }

 private:
  template <class T>
  static void Put(char* block, size_t offset, const T& value) {
    std::memcpy(block + offset, &value, sizeof(value));
  }
  char* New(int32_t type, size_t size) {
    char* const block = blocks_.emplace_back(size).data();
    Put(block, ds::kBaseBatch, batch_);
    Put(block, ds::kBaseType, type);
    return block;
  }
  char* NewPool(int32_t type, size_t size) {
    char* const pool = blocks_.emplace_back(64).data();
    Put(pool, ds::pool::kType, type);
    Put(pool, ds::pool::kElementSize, static_cast<uint32_t>(size));
    return pool;
  }
  char* NewObject(uint64_t id) {
    char* const label = New(ds::kLabelInfoMeta, 200);
    std::strcpy(label + ds::classifier::kResult, "blue");
    char* const classifier = New(ds::kClassifierMeta, 64);
    Put(classifier, ds::classifier::kLabelList, g_list_prepend(nullptr, label));
    Put<const char*>(classifier, ds::classifier::kType, "color");
    char* const object = New(ds::kObjectMeta, layout_.object_size);
    Put(object, ds::object::kId, id);
    Put(object, ds::object::kConfidence, 0.875F);
    Put(object, ds::object::kBox, std::array<float, 4>{17.25F, 30.5F, 120.75F, 80.25F});
    std::strcpy(object + layout_.label, "car");
    Put(object, layout_.classifiers, g_list_prepend(nullptr, classifier));
    return object;
  }
  static const GstMetaInfo* Info() {
    static const GstMetaInfo* const info = [] {
      static const gchar* tags[] = {ds::kTag, nullptr};
      const GType api = gst_meta_api_type_register("BenchNvDsMetaAPI", tags);
      return gst_meta_register(
          api, "BenchNvDsMeta", ds::kGstSize,
          [](GstMeta* meta, gpointer, GstBuffer*) -> gboolean {
            std::memset(meta + 1, 0, ds::kGstSize - sizeof(GstMeta));
            return TRUE;
          },
          [](GstMeta*, GstBuffer*) {},
          [](GstBuffer*, GstMeta*, GstBuffer*, GQuark, gpointer) -> gboolean { return TRUE; });
    }();
    return info;
  }

  const ds::Layout& layout_;
  std::deque<std::vector<char>> blocks_;
  char* batch_ = nullptr;
};

// ---------------------------------------------------------------- measuring

template <class Make>
void Convert(benchmark::State& state, const std::string& element, const Make& make) {
  GstHarness* const harness = gst_harness_new_parse(element.c_str());
  gst_harness_set_src_caps_str(harness,
                               "video/x-raw,format=GRAY8,width=64,height=32,framerate=30/1");
  gst_harness_set_drop_buffers(harness, TRUE);
  uint64_t frame = 0;
  for (auto _ : state) {
    std::vector<GstBuffer*> buffers;
    for (int i = 0; i < kBuffers; ++i) {
      buffers.push_back(make());
      GST_BUFFER_PTS(buffers.back()) = ++frame * 33 * GST_MSECOND;
    }
    const auto start = std::chrono::steady_clock::now();
    for (GstBuffer* buffer : buffers) gst_harness_push(harness, buffer);
    state.SetIterationTime(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * kBuffers * kObjects);
  gst_harness_teardown(harness);
}

template <class Make>
void Register(const std::string& input, const Make& make) {
  for (const char* element : {"dsmsgconv", "nvmsgconv"}) {
    GstElementFactory* const factory = gst_element_factory_find(element);
    if (factory == nullptr) continue;
    gst_object_unref(factory);
    for (const char* type : {"0", "1", "2"}) {
      const std::string text =
          std::string(element) + " msg2p-newapi=true frame-interval=1 payload-type=" + type;
      benchmark::RegisterBenchmark(
          (input + "/" + element + "/type" + type).c_str(),
          [text, make](benchmark::State& state) { Convert(state, text, make); })
          ->UseManualTime();
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  setenv("GST_PLUGIN_PATH", DSMSG_BENCH_PLUGIN_DIR, 0);
  gst_init(&argc, &argv);
  Register("regions", Regions);
  static const Batch old(ds::kLayouts[0]), recent(ds::kLayouts[2]);
  Register("deepstream-7", [] { return old.Attached(); });
  Register("deepstream-9", [] { return recent.Attached(); });
  std::vector<char*> arguments(argv, argv + argc);
  char format[] = "--benchmark_format=json";
  arguments.insert(arguments.begin() + 1, format);
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
