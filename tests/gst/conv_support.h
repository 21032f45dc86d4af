// SPDX-License-Identifier: Apache-2.0
// What the tests of the converter share: the element in a harness with a bus, buffers with regions
// of interest.
#ifndef DSMSG_TESTS_GST_CONV_SUPPORT_H_
#define DSMSG_TESTS_GST_CONV_SUPPORT_H_

#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <deque>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "gst/batch_payloads.h"
#include "gst/deepstream_reader.h"
#include "gst/payload_meta.h"

namespace dsmsg_test {

/// Text of a message and the element that posted it.
struct Said {
  GstMessageType type = GST_MESSAGE_UNKNOWN;
  std::string text, debug;
};

/// A file with this content, gone at the end.
class TextFile {
 public:
  explicit TextFile(const std::string& text) {
    path_ = testing::TempDir() + "dsmsgconvXXXXXX.txt";
    close(mkstemps(path_.data(), 4));
    std::ofstream(path_) << text;
  }
  ~TextFile() { unlink(path_.c_str()); }
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// A converter made from a launch line, with a bus that nothing else reads.
class ConvElement {
 public:
  explicit ConvElement(const std::string& properties, const std::string& name = "dsmsgconv") {
    GError* error = nullptr;
    element_ = gst_parse_launch((name + " " + properties).c_str(), &error);
    if (element_ == nullptr) ADD_FAILURE() << error->message;
    g_clear_error(&error);
    gst_object_ref_sink(element_);
    bus_ = gst_bus_new();
    gst_element_set_bus(element_, bus_);
  }
  ~ConvElement() {
    gst_element_set_bus(element_, nullptr);
    gst_element_set_state(element_, GST_STATE_NULL);
    gst_object_unref(bus_);
    gst_object_unref(element_);
  }
  ConvElement(const ConvElement&) = delete;
  ConvElement& operator=(const ConvElement&) = delete;

  GstElement* get() const { return element_; }
  /// All messages of these types so far, in order. Posting is synchronous, so no waiting is needed.
  std::vector<Said> Messages(int types = GST_MESSAGE_ERROR | GST_MESSAGE_WARNING |
                                         GST_MESSAGE_INFO) {
    std::vector<Said> all;
    while (GstMessage* message = gst_bus_pop_filtered(bus_, static_cast<GstMessageType>(types))) {
      all.push_back(Parse(message));
      gst_message_unref(message);
    }
    return all;
  }

 private:
  static Said Parse(GstMessage* message) {
    Said said;
    said.type = GST_MESSAGE_TYPE(message);
    GError* error = nullptr;
    gchar* debug = nullptr;
    if (said.type == GST_MESSAGE_ERROR) gst_message_parse_error(message, &error, &debug);
    if (said.type == GST_MESSAGE_WARNING) gst_message_parse_warning(message, &error, &debug);
    if (said.type == GST_MESSAGE_INFO) gst_message_parse_info(message, &error, &debug);
    if (error != nullptr) said.text = error->message;
    if (debug != nullptr) said.debug = debug;
    g_clear_error(&error);
    g_free(debug);
    return said;
  }

  GstElement* element_ = nullptr;
  GstBus* bus_ = nullptr;
};

/// The converter between two pads: push buffers in, look at what comes out.
class ConvHarness : public ConvElement {
 public:
  explicit ConvHarness(
      const std::string& properties, const std::string& name = "dsmsgconv",
      const char* caps = "video/x-raw,format=GRAY8,width=64,height=32,framerate=30/1")
      : ConvElement(properties, name),
        harness_(gst_harness_new_with_element(get(), "sink", "src")) {
    if (caps != nullptr) gst_harness_set_src_caps_str(harness_, caps);
  }
  ~ConvHarness() { gst_harness_teardown(harness_); }

  /// Takes the buffer; the returned one belongs to the caller.
  GstBuffer* Push(GstBuffer* buffer) {
    EXPECT_EQ(gst_harness_push(harness_, buffer), GST_FLOW_OK);
    return gst_harness_pull(harness_);
  }
  /// The same; only the payloads of what came out.
  std::vector<std::string> Payloads(GstBuffer* buffer);
  GstHarness* harness() { return harness_; }

 private:
  GstHarness* const harness_;
};

inline std::string TextOf(const DsmsgPayloadMeta& meta) {
  gsize size = 0;
  const auto* data = static_cast<const char*>(g_bytes_get_data(meta.payload, &size));
  return {data, size};
}

/// What dsmsgconv attached to a batch of DeepStream, in the form for a buffer without a batch.
/// Lives until the end of the program.
inline const DsmsgPayloadMeta* AsMeta(const dsmsg::BatchPayload& payload) {
  static std::deque<DsmsgPayloadMeta> all;
  static std::deque<std::unique_ptr<GBytes, void (*)(GBytes*)>> bytes;
  bytes.emplace_back(g_bytes_new(payload.payload.payload, payload.payload.payloadSize),
                     g_bytes_unref);
  DsmsgPayloadMeta& meta = all.emplace_back();
  meta.payload = bytes.back().get();
  meta.component_id = payload.component_id;
  meta.source_id = payload.source_id;
  meta.content_type = payload.content_type;
  meta.timestamp_ns = payload.timestamp_ns;
  return &meta;
}

/// Everything that dsmsgconv attached, wherever it is.
inline std::vector<const DsmsgPayloadMeta*> MetasOf(GstBuffer* buffer) {
  std::vector<const DsmsgPayloadMeta*> metas;
  gpointer state = nullptr;
  while (const DsmsgPayloadMeta* meta = gst_buffer_iterate_dsmsg_payload_meta(buffer, &state))
    metas.push_back(meta);
  dsmsg::DeepStreamReader batch;
  if (!batch.Find(buffer)) return metas;
  for (const auto& payload : batch.payloads()) {
    if (const auto* own = dsmsg::OwnBatchPayload(payload.user_meta)) metas.push_back(AsMeta(*own));
  }
  return metas;
}

inline std::vector<std::string> ConvHarness::Payloads(GstBuffer* buffer) {
  std::vector<std::string> payloads;
  GstBuffer* out = Push(buffer);
  for (const DsmsgPayloadMeta* meta : MetasOf(out)) payloads.push_back(TextOf(*meta));
  gst_buffer_unref(out);
  return payloads;
}

/// A small picture with a pattern in it.
inline GstBuffer* Picture() {
  GstBuffer* buffer = gst_buffer_new_allocate(nullptr, 64 * 32, nullptr);
  GstMapInfo map;
  gst_buffer_map(buffer, &map, GST_MAP_WRITE);
  for (gsize i = 0; i < map.size; ++i) map.data[i] = static_cast<guint8>(i * 7);
  gst_buffer_unmap(buffer, &map);
  GST_BUFFER_PTS(buffer) = 5 * GST_SECOND;
  GST_BUFFER_DURATION(buffer) = GST_SECOND / 30;
  GST_BUFFER_OFFSET(buffer) = 150;
  return buffer;
}

/// Adds a region as a detector does; without parameters if `confidence` is negative.
inline GstVideoRegionOfInterestMeta* AddRegion(GstBuffer* buffer, const char* label,
                                               double confidence, int label_id = -1) {
  auto* region = gst_buffer_add_video_region_of_interest_meta(buffer, label, 10, 4, 20, 16);
  if (confidence >= 0) {
    GstStructure* detection =
        gst_structure_new("detection", "confidence", G_TYPE_DOUBLE, confidence, nullptr);
    if (label_id >= 0) gst_structure_set(detection, "label_id", G_TYPE_INT, label_id, nullptr);
    gst_video_region_of_interest_meta_add_param(region, detection);
  }
  return region;
}

inline void AddTracking(GstVideoRegionOfInterestMeta* region, int id) {
  gst_video_region_of_interest_meta_add_param(
      region, gst_structure_new("object_id", "id", G_TYPE_INT, id, nullptr));
}

/// A picture with one person of confidence 0.9.
inline GstBuffer* PersonPicture() {
  GstBuffer* buffer = Picture();
  AddTracking(AddRegion(buffer, "person", 0.9), 7);
  return buffer;
}

}  // namespace dsmsg_test

#endif  // DSMSG_TESTS_GST_CONV_SUPPORT_H_
