// SPDX-License-Identifier: Apache-2.0
// The converter writes exactly what was put into random batches. DSMSG_SEEDS=10000 tries more of
// them.
#include <gmock/gmock.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "conv_support.h"
#include "msgconv/tests/json_check.h"
#include "nvidia_random.h"

namespace dsmsg_test {
namespace {

using namespace nvidia;  // the structures

std::string Rfc3339(uint64_t ns) {
  GDateTime* const time = g_date_time_new_from_unix_utc(static_cast<gint64>(ns / 1'000'000'000));
  gchar* const text = g_date_time_format(time, "%Y-%m-%dT%H:%M:%S");
  char all[64];
  snprintf(all, sizeof(all), "%s.%03uZ", text, static_cast<unsigned>(ns / 1'000'000 % 1000));
  g_free(text);
  g_date_time_unref(time);
  return all;
}

void Compare(const rapidjson::Value& object, const WantedObject& wanted) {
  EXPECT_EQ(Text(object, {"id"}), wanted.id);
  EXPECT_EQ(Text(object, {"type"}), wanted.label);
  if (wanted.confidence >= 0) {
    EXPECT_FLOAT_EQ(static_cast<float>(Number(object, {"confidence"})), wanted.confidence);
  }
  const auto near = [&object](const char* corner, float value) {
    EXPECT_NEAR(Number(object, {"bbox", corner}), value, 0.001 + static_cast<double>(value) * 1e-5)
        << corner;
  };
  near("topleftx", wanted.left);
  near("toplefty", wanted.top);
  near("bottomrightx", wanted.right);
  near("bottomrighty", wanted.bottom);
  // The first result of a name counts.
  std::vector<std::string> names;
  for (const WantedResult& result : wanted.results) {
    if (result.value.empty()) continue;
    if (std::find(names.begin(), names.end(), result.Name()) != names.end()) continue;
    names.push_back(result.Name());
    EXPECT_EQ(Text(object, {"attributes", names.back().c_str()}), result.value);
  }
  EXPECT_EQ(object.HasMember("attributes"), !names.empty());
  if (names.empty()) return;
  EXPECT_EQ(At(object, {"attributes"}).MemberCount(), names.size());
}

/// The object as a C++ stream writes it, which is what DeepStream's converter does.
std::string DelimitedText(const WantedObject& wanted) {
  std::ostringstream text;
  const Rectangle& box = wanted.box;
  text << (wanted.id.empty() ? "18446744073709551615" : wanted.id) << "|" << box.left << "|"
       << box.top << "|" << box.left + box.width << "|" << box.top + box.height << "|"
       << wanted.label;
  if (!wanted.classified) return text.str();
  text << "|#";
  for (auto result = wanted.results.rbegin(); result != wanted.results.rend(); ++result)
    text << "|" << result->value;
  text << "|" << wanted.confidence;
  return text.str();
}

void CompareDeepStreams(const DsmsgPayloadMeta& meta, const WantedFrame& wanted) {
  EXPECT_EQ(meta.source_id, wanted.source);
  const auto document = ParseJson(TextOf(meta));
  EXPECT_EQ(Text(document, {"id"}), std::to_string(wanted.number));
  const rapidjson::Value& objects = At(document, {"objects"});
  ASSERT_TRUE(objects.IsArray());
  ASSERT_EQ(objects.Size(), wanted.objects.size());
  for (rapidjson::SizeType i = 0; i < objects.Size(); ++i)
    EXPECT_EQ(objects[i].GetString(), DelimitedText(wanted.objects[i]));
}

void CompareOurs(const DsmsgPayloadMeta& meta, const WantedFrame& wanted) {
  EXPECT_EQ(meta.source_id, wanted.source);
  EXPECT_EQ(meta.timestamp_ns, wanted.ntp);
  const auto document = ParseJson(TextOf(meta));
  EXPECT_EQ(Text(document, {"@timestamp"}), Rfc3339(wanted.ntp));
  const rapidjson::Value& objects = At(document, {"objects"});
  ASSERT_TRUE(objects.IsArray());
  ASSERT_EQ(objects.Size(), wanted.objects.size());
  for (rapidjson::SizeType i = 0; i < objects.Size(); ++i) Compare(objects[i], wanted.objects[i]);
}

/// As the library's copy has it, which turns lists around and loses the types of classifiers (and
/// the muxer's size, which is then that of the caps).
void AsCopied(std::vector<WantedFrame>* frames) {
  for (WantedFrame& frame : *frames) {
    std::reverse(frame.objects.begin(), frame.objects.end());
    for (WantedObject& object : frame.objects) {
      std::reverse(object.results.begin(), object.results.end());
      for (WantedResult& result : object.results) result.type.clear();
    }
  }
}

class NvidiaProperty : public testing::TestWithParam<const char*> {};

TEST_P(NvidiaProperty, WhatWasPutInIsWritten) {
  const bool ours = GetParam() == std::string("dsmsg");
  ConvHarness h(std::string("msg2p-newapi=true frame-interval=1 payload-type=minimal dialect=") +
                GetParam() + (ours ? " minimal-format=objects" : ""));
  const unsigned seeds = Seeds(200);
  for (unsigned seed = 0; seed < seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    Batch batch(8);
    const bool copied = random.Once(3);
    std::vector<WantedFrame> wanted =
        copied ? AddRandomFrames(&random, &batch, 64, 32) : AddRandomFrames(&random, &batch);
    GstBuffer* buffer = batch.Attach(Picture());
    if (copied) {
      GstBuffer* copy = gst_buffer_copy(buffer);
      gst_buffer_unref(buffer);
      buffer = copy;
      AsCopied(&wanted);
    }
    // DeepStream's converter has a message for a frame without objects, too.
    wanted.erase(
        std::remove_if(wanted.begin(), wanted.end(),
                       [ours](const WantedFrame& frame) { return ours && frame.objects.empty(); }),
        wanted.end());
    GstBuffer* out = h.Push(buffer);
    const auto metas = MetasOf(out);
    EXPECT_EQ(metas.size(), wanted.size());
    for (size_t i = 0; i < metas.size() && i < wanted.size(); ++i)
      (ours ? CompareOurs : CompareDeepStreams)(*metas[i], wanted[i]);
    gst_buffer_unref(out);
    if (HasFailure()) return;
  }
  EXPECT_THAT(h.Messages(GST_MESSAGE_WARNING), testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(EachDialect, NvidiaProperty, testing::Values("dsmsg", "deepstream"));

}  // namespace
}  // namespace dsmsg_test
