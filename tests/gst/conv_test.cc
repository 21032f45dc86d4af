// SPDX-License-Identifier: Apache-2.0
// dsmsgconv: what it makes of regions of interest, and what it does not change.
#include <gmock/gmock.h>

#include <cstring>
#include <filesystem>
#include <set>

#include "conv_support.h"
#include "msgconv/tests/json_check.h"

namespace dsmsg_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kEveryFrame[] = " msg2p-newapi=true frame-interval=1 ";

constexpr char kConfig[] =
    "[sensor0]\nenable=1\ntype=Camera\nid=CAMERA_001\ndescription=Gate\nlocation=45.2;-75.8;"
    "48\ncoordinate=1;2;3\n"
    "[place0]\nenable=1\nid=1\ntype=garage\nname=Lot\n"
    "[analytics0]\nenable=1\nid=A1\ndescription=People\nsource=hog\nversion=1.0\n";

std::string With(const std::string& more) { return kEveryFrame + more; }

TEST(Conv, FullPayloadOfARegion) {
  const TextFile config(kConfig);
  ConvHarness h(With("config=" + config.path()));
  GstBuffer* buffer = Picture();
  auto* car = AddRegion(buffer, "car", 0.75);
  AddTracking(car, 18);
  gst_video_region_of_interest_meta_add_param(
      car, gst_structure_new("classifier_layer", "attribute_name", G_TYPE_STRING, "color", "label",
                             G_TYPE_STRING, "blue", "confidence", G_TYPE_DOUBLE, 0.6, nullptr));
  gst_video_region_of_interest_meta_add_param(
      car, gst_structure_new("mood", "label", G_TYPE_STRING, "calm", "tensor_id", G_TYPE_INT, 3,
                             nullptr));
  gst_video_region_of_interest_meta_add_param(
      car, gst_structure_new("raw", "data", G_TYPE_INT, 1, nullptr));
  AddRegion(buffer, "roadsign", 0.5);
  const auto payloads = h.Payloads(buffer);
  ASSERT_THAT(payloads, SizeIs(2));

  const auto first = ParseJson(payloads[0]);
  EXPECT_EQ(KeysOf(first), (Keys{"messageid", "mdsversion", "@timestamp", "place", "sensor",
                                 "analyticsModule", "object", "event", "videoPath"}));
  EXPECT_EQ(KeysOf(At(first, {"place"})), (Keys{"id", "name", "type"}));
  EXPECT_EQ(KeysOf(At(first, {"sensor"})),
            (Keys{"id", "type", "description", "location", "coordinate"}));
  EXPECT_EQ(KeysOf(At(first, {"analyticsModule"})),
            (Keys{"id", "description", "source", "version"}));
  EXPECT_EQ(KeysOf(At(first, {"object"})),
            (Keys{"id", "speed", "direction", "orientation", "vehicle", "bbox"}));
  EXPECT_EQ(
      KeysOf(At(first, {"object", "vehicle"})),
      (Keys{"type", "make", "model", "color", "licenseState", "license", "confidence", "mood"}));
  EXPECT_EQ(Text(first, {"sensor", "id"}), "CAMERA_001");
  EXPECT_EQ(Text(first, {"object", "id"}), "18");
  EXPECT_EQ(Text(first, {"object", "vehicle", "type"}), "car");
  EXPECT_EQ(Text(first, {"object", "vehicle", "color"}), "blue");
  EXPECT_EQ(Text(first, {"object", "vehicle", "mood"}), "calm");
  EXPECT_EQ(Number(first, {"object", "vehicle", "confidence"}), 0.75);
  EXPECT_EQ(Number(first, {"object", "bbox", "topleftx"}), 10);
  EXPECT_EQ(Number(first, {"object", "bbox", "toplefty"}), 4);
  EXPECT_EQ(Number(first, {"object", "bbox", "bottomrightx"}), 30);
  EXPECT_EQ(Number(first, {"object", "bbox", "bottomrighty"}), 20);

  const auto second = ParseJson(payloads[1]);
  EXPECT_EQ(KeysOf(At(second, {"object", "roadsign"})), (Keys{"confidence"}));
  EXPECT_EQ(Text(second, {"object", "id"}), "");
  EXPECT_THAT(h.Messages(), IsEmpty());
}

TEST(Conv, PayloadsOfAMap) {
  const TextFile objects(
      "each: object\nwhen: object.confidence > 0.6\nmessage: {l: '${object.label}', t: "
      "'${object.id}', c: '${object.attributes.color}'}\n");
  GstBuffer* buffer = Picture();
  auto* car = AddRegion(buffer, "car", 0.75);
  AddTracking(car, 18);
  gst_video_region_of_interest_meta_add_param(
      car, gst_structure_new("classifier_layer", "attribute_name", G_TYPE_STRING, "color", "label",
                             G_TYPE_STRING, "blue", "confidence", G_TYPE_DOUBLE, 0.6, nullptr));
  AddRegion(buffer, "roadsign", 0.5);
  ConvHarness h(With("map=" + objects.path()));
  EXPECT_THAT(h.Payloads(gst_buffer_ref(buffer)), ElementsAre(R"({"l":"car","t":18,"c":"blue"})"));
  const TextFile frames("message: {n: '${frame.objects}', w: '${frame.width}'}\n");
  ConvHarness whole(With("map=" + frames.path()));
  EXPECT_THAT(whole.Payloads(buffer), ElementsAre(R"({"n":2,"w":64})"));
  EXPECT_THAT(whole.Payloads(Picture()), IsEmpty());
  ConvHarness dummy(With("dummy-payload=true map=" + frames.path()));
  EXPECT_THAT(dummy.Payloads(Picture()), ElementsAre(R"({"n":0,"w":64})"));
  ConvHarness none(With("dummy-payload=true map=" + objects.path()));
  EXPECT_THAT(none.Payloads(Picture()), IsEmpty());
  EXPECT_THAT(h.Messages(), IsEmpty());
}

TEST(Conv, MinimalPayloadOfAFrame) {
  const TextFile config(kConfig);
  ConvHarness h(With("payload-type=1 config=" + config.path()));
  GstBuffer* buffer = PersonPicture();
  AddRegion(buffer, "car", 0.5);
  const auto payloads = h.Payloads(buffer);
  ASSERT_THAT(payloads, SizeIs(1));
  const auto document = ParseJson(payloads[0]);
  EXPECT_EQ(KeysOf(document),
            (Keys{"messageid", "mdsversion", "@timestamp", "sensorId", "objects"}));
  EXPECT_EQ(Text(document, {"sensorId"}), "CAMERA_001");
  const auto& objects = At(document, {"objects"});
  ASSERT_EQ(objects.Size(), 2U);
  EXPECT_EQ(KeysOf(objects[0]), (Keys{"id", "type", "confidence", "bbox"}));
  EXPECT_EQ(Text(objects[0], {"id"}), "7");
  EXPECT_EQ(Text(objects[1], {"type"}), "car");
}

TEST(Conv, MinimalPayloadDelimitedOrOneForEachObject) {
  const auto two = [] {
    GstBuffer* buffer = PersonPicture();
    AddRegion(buffer, "roadsign", 0.5);
    return buffer;
  };
  ConvHarness delimited(With("payload-type=minimal minimal-format=delimited"));
  const auto one = delimited.Payloads(two());
  ASSERT_THAT(one, SizeIs(1));
  const auto document = ParseJson(one[0]);
  EXPECT_EQ(KeysOf(document), (Keys{"version", "id", "@timestamp", "sensorId", "objects"}));
  EXPECT_STREQ(At(document, {"objects"})[0].GetString(), "7|10|4|30|20|person|#||||||0.9");
  EXPECT_STREQ(At(document, {"objects"})[1].GetString(), "|10|4|30|20|roadsign");
  ConvHarness multiple(With("payload-type=PAYLOAD_DEEPSTREAM_MINIMAL multiple-payloads=true"));
  EXPECT_THAT(multiple.Payloads(two()), SizeIs(2));
}

TEST(Conv, ThePayloadSaysWhatItIs) {
  ConvHarness h(With("comp-id=5 source-id=3"));
  const guint64 before = static_cast<guint64>(g_get_real_time()) * 1000;
  GstBuffer* out = h.Push(PersonPicture());
  const guint64 after = static_cast<guint64>(g_get_real_time()) * 1000;
  const auto metas = MetasOf(out);
  ASSERT_THAT(metas, SizeIs(1));
  EXPECT_EQ(metas[0]->component_id, 5U);
  EXPECT_EQ(metas[0]->source_id, 3U);
  EXPECT_EQ(metas[0]->content_type, DSMSG_CONTENT_JSON);
  EXPECT_EQ(metas[0]->partition_key, nullptr);
  EXPECT_GE(metas[0]->timestamp_ns, before);
  EXPECT_LE(metas[0]->timestamp_ns, after);
  gst_buffer_unref(out);
  ConvHarness unset(With(""));
  out = unset.Push(PersonPicture());
  EXPECT_EQ(MetasOf(out).at(0)->component_id, kDsmsgAnyComponent);
  gst_buffer_unref(out);
}

TEST(Conv, AnIdMayBeAsLargeAsItsType) {
  for (const guint64 id : {guint64{0}, guint64{1} << 63, G_MAXUINT64 - 1}) {
    GstBuffer* buffer = Picture();
    gst_video_region_of_interest_meta_add_param(
        AddRegion(buffer, "car", 0.5),
        gst_structure_new("object_id", "id", G_TYPE_UINT64, id, nullptr));
    ConvHarness h(" msg2p-newapi=true frame-interval=1");
    EXPECT_EQ(Text(ParseJson(h.Payloads(buffer).at(0)), {"object", "id"}), std::to_string(id));
  }
}

TEST(Conv, ThePayloadSurvivesCopies) {
  ConvHarness h(With(""));
  GstBuffer* out = h.Push(PersonPicture());
  const std::string payload = TextOf(*MetasOf(out).at(0));
  GstBuffer* copy = gst_buffer_copy_deep(out);
  gst_buffer_unref(out);
  ASSERT_THAT(MetasOf(copy), SizeIs(1));
  EXPECT_EQ(TextOf(*MetasOf(copy)[0]), payload);
  GstBuffer* part = gst_buffer_copy_region(copy, GST_BUFFER_COPY_ALL, 0, 10);
  gst_buffer_unref(copy);
  EXPECT_EQ(TextOf(*MetasOf(part).at(0)), payload);
  gst_buffer_unref(part);
}

TEST(Conv, TheSourcesOwnTimeCounts) {
  ConvHarness h(With(""));
  constexpr guint64 kTime = 1'705'314'600'123'000'000;
  GstBuffer* buffer = PersonPicture();
  GstCaps* caps = gst_caps_new_empty_simple("timestamp/x-unix");
  gst_buffer_add_reference_timestamp_meta(buffer, caps, kTime, GST_CLOCK_TIME_NONE);
  gst_caps_unref(caps);
  EXPECT_EQ(Text(ParseJson(h.Payloads(buffer).at(0)), {"@timestamp"}), "2024-01-15T10:30:00.123Z");
  buffer = PersonPicture();
  caps = gst_caps_new_empty_simple("timestamp/x-ntp");
  gst_buffer_add_reference_timestamp_meta(buffer, caps, kTime + 2208988800 * GST_SECOND,
                                          GST_CLOCK_TIME_NONE);
  gst_caps_unref(caps);
  EXPECT_EQ(Text(ParseJson(h.Payloads(buffer).at(0)), {"@timestamp"}), "2024-01-15T10:30:00.123Z");
}

TEST(Conv, BuffersPassUnchangedAndUncopied) {
  ConvHarness h(With(""));
  GstBuffer* in = PersonPicture();
  GstBuffer* shared = gst_buffer_ref(in);  // another element holds it: a tee
  GstBuffer* expected = Picture();
  GstBuffer* out = h.Push(in);
  EXPECT_THAT(MetasOf(shared), IsEmpty()) << "changed while another element holds it";
  ASSERT_THAT(MetasOf(out), SizeIs(1));
  EXPECT_EQ(gst_buffer_peek_memory(out, 0), gst_buffer_peek_memory(shared, 0))
      << "pixels were copied";
  EXPECT_EQ(GST_BUFFER_PTS(out), GST_BUFFER_PTS(expected));
  EXPECT_EQ(GST_BUFFER_DURATION(out), GST_BUFFER_DURATION(expected));
  EXPECT_EQ(GST_BUFFER_OFFSET(out), GST_BUFFER_OFFSET(expected));
  EXPECT_NE(gst_buffer_get_video_region_of_interest_meta_id(out, 0), nullptr);
  GstMapInfo map, expected_map;
  gst_buffer_map(out, &map, GST_MAP_READ);
  gst_buffer_map(expected, &expected_map, GST_MAP_READ);
  ASSERT_EQ(map.size, expected_map.size);
  EXPECT_EQ(memcmp(map.data, expected_map.data, map.size), 0);
  gst_buffer_unmap(out, &map);
  gst_buffer_unmap(expected, &expected_map);
  for (GstBuffer* buffer : {shared, out, expected}) gst_buffer_unref(buffer);
}

TEST(Conv, ABufferWithNothingToConvertIsTheSameBuffer) {
  ConvHarness h(With(""));
  GstBuffer* in = gst_buffer_ref(Picture());
  GstBuffer* out = h.Push(gst_buffer_ref(in));
  EXPECT_EQ(out, in);
  gst_buffer_unref(out);
  gst_buffer_unref(in);
  gst_buffer_unref(in);
}

TEST(Conv, TakesAnyCapsOrNone) {
  ConvHarness text(With(""), "dsmsgconv", "text/x-raw,format=utf8");
  EXPECT_THAT(text.Payloads(PersonPicture()), SizeIs(1));
  ConvHarness memory(With(""), "dsmsgconv",
                     "video/x-raw(memory:NVMM),format=NV12,width=64,height=32");
  EXPECT_THAT(memory.Payloads(PersonPicture()), SizeIs(1));
}

TEST(Conv, RelativeBoxesNeedTheSizeOfTheFrame) {
  ConvHarness h(With(""));
  GstBuffer* buffer = Picture();
  auto* region = gst_buffer_add_video_region_of_interest_meta(buffer, nullptr, 0, 0, 0, 0);
  gst_video_region_of_interest_meta_add_param(
      region, gst_structure_new("detection", "x_min", G_TYPE_DOUBLE, 0.25, "x_max", G_TYPE_DOUBLE,
                                0.5, "y_min", G_TYPE_DOUBLE, 0.5, "y_max", G_TYPE_DOUBLE, 1.0,
                                "label", G_TYPE_STRING, "face", nullptr));
  const auto document = ParseJson(h.Payloads(buffer).at(0));
  EXPECT_TRUE(At(document, {"object"}).HasMember("face"));
  EXPECT_EQ(Number(document, {"object", "bbox", "topleftx"}), 16);
  EXPECT_EQ(Number(document, {"object", "bbox", "toplefty"}), 16);
  EXPECT_EQ(Number(document, {"object", "bbox", "bottomrightx"}), 32);
  EXPECT_EQ(Number(document, {"object", "bbox", "bottomrighty"}), 32);
}

TEST(Conv, OnlyEveryNthFrame) {
  const auto made = [](ConvHarness* h, int frames) {
    std::vector<int> with_payload;
    for (int i = 0; i < frames; ++i) {
      if (!h->Payloads(PersonPicture()).empty()) with_payload.push_back(i);
    }
    return with_payload;
  };
  ConvHarness by_default("msg2p-newapi=true");
  EXPECT_THAT(made(&by_default, 65), ElementsAre(0, 30, 60));
  ConvHarness three("msg2p-newapi=true frame-interval=3");
  EXPECT_THAT(made(&three, 8), ElementsAre(0, 3, 6));
}

TEST(Conv, LeavesOutWhatIsUnsure) {
  ConvHarness h(With("min-confidence=0.7"));
  GstBuffer* buffer = Picture();
  AddRegion(buffer, "low", 0.69);
  AddRegion(buffer, "exact", 0.7);
  AddRegion(buffer, "unknown", -1);
  AddRegion(buffer, "high", 0.99);
  const auto payloads = h.Payloads(buffer);
  ASSERT_THAT(payloads, SizeIs(2));
  EXPECT_TRUE(At(ParseJson(payloads[0]), {"object"}).HasMember("exact"));
  EXPECT_TRUE(At(ParseJson(payloads[1]), {"object"}).HasMember("high"));
  ConvHarness all(With(""));
  buffer = Picture();
  AddRegion(buffer, "unknown", -1);
  EXPECT_THAT(all.Payloads(buffer), SizeIs(1));
}

TEST(Conv, NamesClassesByTheirNumber) {
  const auto types = [](ConvHarness* h) {
    GstBuffer* buffer = Picture();
    AddRegion(buffer, "label_1", 0.9, 1);
    AddRegion(buffer, "own", 0.9);
    AddRegion(buffer, "far", 0.9, 9);
    std::vector<std::string> all;
    const auto document = ParseJson(h->Payloads(buffer).at(0));
    for (const auto& object : At(document, {"objects"}).GetArray())
      all.push_back(Text(object, {"type"}));
    return all;
  };
  ConvHarness list(With("payload-type=1 labels=car,bicycle,person"));
  EXPECT_THAT(types(&list), ElementsAre("bicycle", "own", "far"));
  const auto said = list.Messages();
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_THAT(said[0].text, HasSubstr("labels has no name for class 9, only 3 names"));
  const TextFile file("car\nroad sign\n");
  ConvHarness named(With("payload-type=1 labels=" + file.path()));
  EXPECT_THAT(types(&named), ElementsAre("road sign", "own", "far"));
}

TEST(Conv, LimitsTheRate) {
  ConvHarness h(With("rate=0.001"));  // one, and the next in a quarter of an hour
  EXPECT_THAT(h.Payloads(PersonPicture()), SizeIs(1));
  for (int i = 0; i < 20; ++i) EXPECT_THAT(h.Payloads(PersonPicture()), IsEmpty());
  ConvHarness burst(With("rate=1000"));
  GstBuffer* buffer = Picture();
  for (int i = 0; i < 3; ++i) AddRegion(buffer, "person", 0.9);
  EXPECT_THAT(burst.Payloads(buffer), SizeIs(3));
}

TEST(Conv, WritesPayloadsToAFolder) {
  const std::string dir = testing::TempDir() + "dsmsg_payloads_" + std::to_string(getpid());
  std::filesystem::create_directory(dir);
  ConvHarness h(With("source-id=2 debug-payload-dir=" + dir));
  h.Payloads(PersonPicture());
  GstBuffer* buffer = PersonPicture();
  AddRegion(buffer, "car", 0.5);
  const auto payloads = h.Payloads(buffer);
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(dir))
    names.insert(entry.path().filename());
  EXPECT_THAT(names, ElementsAre("source2-frame00000000-000.json", "source2-frame00000001-000.json",
                                 "source2-frame00000001-001.json"));
  std::ifstream file(dir + "/source2-frame00000001-001.json");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), payloads.at(1));
  std::filesystem::remove_all(dir);
  h.Payloads(PersonPicture());
  h.Payloads(PersonPicture());
  const auto said = h.Messages(GST_MESSAGE_WARNING);
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_THAT(said[0].text, HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace dsmsg_test
