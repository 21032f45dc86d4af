// SPDX-License-Identifier: Apache-2.0
// Checks the tables of docs/elements-metadata.md, which say how GStreamer's elements treat
// metadata, against the running GStreamer.
#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "analytics_support.h"
#include "conv_support.h"
#include "nvidia.h"
#include "support.h"

namespace dsmsg_test {
namespace {

using Row = std::vector<std::string>;

Row Cells(const std::string& line) {
  Row cells;
  std::stringstream rest(line.substr(1));
  for (std::string cell; std::getline(rest, cell, '|');) {
    const size_t begin = cell.find_first_not_of(" `"), end = cell.find_last_not_of(" `");
    cells.push_back(begin == std::string::npos ? "" : cell.substr(begin, end - begin + 1));
  }
  return cells;
}

/// The rows of the table under this heading, its head first.
std::vector<Row> Table(const std::string& heading) {
  std::ifstream page(DSMSG_TEST_DATA_DIR "/../../docs/elements-metadata.md");
  std::vector<Row> rows;
  bool found = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("#")) found = line == "## " + heading;
    if (found && line.starts_with("|") && !line.starts_with("|---")) rows.push_back(Cells(line));
  }
  return rows;
}

/// "1.26" for 1.25 (a preview) and 1.26.
std::string Release() {
  guint major = 0, minor = 0, micro = 0, nano = 0;
  gst_version(&major, &minor, &micro, &nano);
  return std::to_string(major) + "." + std::to_string(minor + minor % 2);
}

/// The column of the running release; 0: the page does not have it yet.
size_t Column(const Row& head) {
  for (size_t i = 1; i < head.size(); ++i) {
    if (head[i] == Release()) return i;
  }
  return 0;
}

std::string Fate(bool there, bool same_place) {
  return !there ? "lost" : same_place ? "kept" : "moved";
}

std::string FateOfRegion(GstBuffer* buffer) {
  const GstVideoRegionOfInterestMeta* region =
      gst_buffer_get_video_region_of_interest_meta_id(buffer, 5);
  if (region == nullptr) return "lost";
  const bool same = region->x == 10 && region->y == 4 && region->w == 20 && region->h == 16;
  return Fate(true, same) + (region->params == nullptr ? ", no parameters" : "");
}

std::string FateOfDetection(GstBuffer* buffer) {
  const dsmsg::AnalyticsApi* api = dsmsg::AnalyticsApi::Find();
  void* meta = api == nullptr ? nullptr : api->buffer_meta(buffer);
  gpointer state = nullptr;
  AnalyticsMtd mtd;
  if (meta == nullptr || !api->iterate(meta, &state, api->detection_type(), &mtd)) return "lost";
  gint x = 0, y = 0, width = 0, height = 0;
  gfloat confidence = 0;
  api->location(&mtd, &x, &y, &width, &height, &confidence);
  return Fate(true, x == 10 && y == 4 && width == 20 && height == 16);
}

std::string FateOfPayload(GstBuffer* buffer) { return Fate(!MetasOf(buffer).empty(), true); }

std::string FateOfBatch(GstBuffer* buffer) {
  const GType api = g_type_from_name("NvDsMetaAPI");
  return Fate(api != 0 && gst_buffer_get_meta(buffer, api) != nullptr, true);
}

void Attach(GstBuffer* buffer) {
  if (!nvidia::Folder().empty()) {
    nvidia::Batch batch(1);
    batch.AddFrame(0);
    batch.Attach(buffer);
  }
  auto* region = gst_buffer_add_video_region_of_interest_meta(buffer, "car", 10, 4, 20, 16);
  region->id = 5;
  gst_video_region_of_interest_meta_add_param(
      region, gst_structure_new("detection", "confidence", G_TYPE_DOUBLE, 0.5, nullptr));
  Analytics(buffer).Detection("car", 10, 4, 20, 16, 0.5F);
  DsmsgPayload what;
  what.payload = g_bytes_new_static("{}", 2);
  gst_buffer_add_dsmsg_payload_meta(buffer, what);
  g_bytes_unref(what.payload);
}

struct Fates {
  std::string region, detection, payload, batch;
};

/// Runs one picture through the element.
Fates Run(const std::string& element) {
  Pipeline pipeline(
      "videotestsrc num-buffers=2 ! video/x-raw,format=I420,width=64,height=32,framerate=30/1 ! "
      "identity name=begin ! " +
      element + " ! fakesink name=end sync=false");
  const auto probe = [&](const char* name, const char* pad_name, GstPadProbeCallback call,
                         gpointer data) {
    GstPad* pad = gst_element_get_static_pad(pipeline.Get(name), pad_name);
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, call, data, nullptr);
    gst_object_unref(pad);
  };
  probe(
      "begin", "src",
      [](GstPad*, GstPadProbeInfo* info, gpointer) {
        GstBuffer* buffer = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
        Attach(buffer);
        GST_PAD_PROBE_INFO_DATA(info) = buffer;
        return GST_PAD_PROBE_OK;
      },
      nullptr);
  Fates fates;
  probe(
      "end", "sink",
      [](GstPad*, GstPadProbeInfo* info, gpointer data) {
        GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
        *static_cast<Fates*>(data) = {FateOfRegion(buffer), FateOfDetection(buffer),
                                      FateOfPayload(buffer), FateOfBatch(buffer)};
        return GST_PAD_PROBE_OK;
      },
      &fates);
  pipeline.Set(GST_STATE_PLAYING);
  EXPECT_TRUE(pipeline.WaitEos()) << element;
  return fates;
}

/// Checks one table; `fate` selects what the page says of.
void Check(const std::string& heading, std::string Fates::*fate) {
  const std::vector<Row> rows = Table(heading);
  ASSERT_GT(rows.size(), 5U) << heading;
  const size_t column = Column(rows[0]);
  for (size_t i = 1; i < rows.size(); ++i) {
    const std::string is = Run(rows[i][0]).*fate;
    if (column == 0) {
      std::cout << heading << " | " << rows[i][0] << " | " << Release() << ": " << is << '\n';
    } else if (rows[i].at(column) != "-") {
      EXPECT_EQ(rows[i].at(column), is) << rows[i][0] << ", " << heading;
    }
  }
}

TEST(MetadataLoss, Regions) { Check("Regions of interest", &Fates::region); }
TEST(MetadataLoss, Analytics) { Check("Analytics metadata", &Fates::detection); }
TEST(MetadataLoss, Messages) { Check("Messages of dsmsgconv", &Fates::payload); }
TEST(MetadataLoss, DeepStreamsBatches) {
  // NVIDIA's library exists for this kind of machine only.
  if (!nvidia::Folder().empty()) Check("DeepStream's batches", &Fates::batch);
}

}  // namespace
}  // namespace dsmsg_test
