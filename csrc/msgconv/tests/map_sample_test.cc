// SPDX-License-Identifier: Apache-2.0
// Maps over everything that the model has: each value with the full sample, lists, tracks,
// protobuf, and no allocation for a message.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <new>
#include <regex>
#include <sstream>

#include "json_check.h"
#include "msgconv/map_fields.h"
#include "msgconv/map_maker.h"
#include "msgconv/sample_frame.h"
#include "render.h"

namespace {
thread_local size_t g_allocations = 0;  // of this thread
}

void* operator new(size_t size) {
  ++g_allocations;
  void* const memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++g_allocations;
  return std::malloc(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace dsmsg::msgconv {
namespace {

using dsmsg_test::RenderAll;
using Strings = std::vector<std::string>;

std::unique_ptr<Sample> SampleOf(std::string_view text) {
  auto sample = ReadSample(text, "s.json");
  EXPECT_TRUE(sample.ok()) << sample.status().message();
  return std::move(sample.value());
}

Strings Made(const std::string& text) {
  const auto map = Map::Parse(text, "m.yaml");
  EXPECT_TRUE(map.ok()) << text << map.status().message();
  if (!map.ok()) return {};
  const auto sample = SampleOf(FullSample());
  MapMaker maker(map.value(), sample->config);
  return RenderAll(&maker, sample->frame);
}

std::string TextOf(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream read;
  read << file.rdbuf();
  EXPECT_TRUE(file.good()) << path;
  return read.str();
}

/// How a map can show this value.
std::string MapFor(const MapField& field) {
  const std::string value = "\"${" + std::string(field.name) + "}\"";
  switch (field.context()) {
    case MapContext::kAlways:
    case MapContext::kFrame:
      return "message: {v: " + value + "}\n";
    case MapContext::kObject:
      return "each: object\nmessage: {v: " + value + "}\n";
    case MapContext::kTrack:
      return "each: track\nmessage: {v: " + value + "}\n";
    default:
      break;
  }
  for (const MapList& list : MapLists()) {
    if (list.gives != field.context()) continue;
    const std::string each = list.needs == MapContext::kObject  ? "object"
                             : list.needs == MapContext::kTrack ? "track"
                                                                : "frame";
    // Of the lists of groups, the interactions have everything.
    if (list.gives == MapContext::kGroup && list.name != "object.interactions") continue;
    return "each: " + each + "\nmessage: {v: {$each: " + std::string(list.name) +
           ", $item: " + value + "}}\n";
  }
  return "";
}

TEST(MapSampleTest, TheSampleHasEveryValue) {
  size_t shown = 0;
  for (const auto& group : MapFields()) {
    for (const MapField& field : group) {
      if (field.context() == MapContext::kReceived) continue;
      const Strings made = Made(MapFor(field));
      const auto shows = [](const std::string& each) {
        return each.starts_with("{\"v\":") && each != "{\"v\":[]}";
      };
      EXPECT_TRUE(std::ranges::any_of(made, shows)) << field.name;
      for (const std::string& each : made)
        EXPECT_TRUE(dsmsg_test::ParseJson(each).IsObject()) << each;
      ++shown;
    }
  }
  EXPECT_GT(shown, 160U);
}

TEST(MapSampleTest, ShapesAndLists) {
  EXPECT_EQ(
      Made("each: object\nwhen: object.index == 0\nmessage:\n"
           "  polygons: ${object.mask.polygons}\n  rle: ${object.mask.rle}\n"
           "  area: ${object.mask.area}\n  embedding: ${object.embedding}\n"
           "  joints: {$each: object.keypoints, $item: [\"${keypoint.name}\", \"${keypoint.x}\"]}\n"
           "  talk: {$each: object.conversations, $item: \"${conversation.response}\"}\n"
           "  vectors: {$each: object.llm_embeddings, $item: \"${embedding.vector}\"}\n"
           "  floor: ${object.segmentation.classes}\n"
           "  where: {$each: object.interactions, $item: \"${group.coordinates}\"}\n"),
      Strings{R"({"polygons":[[[10,20],[40,20],[40,60]]],"rle":[1,3,4],"area":3,)"
              R"("embedding":[0.5,-0.25],"joints":[["nose",25]],"talk":["A guest."],)"
              R"("vectors":[[0.5,1],[0.25]],"floor":[1,2],"where":[[[1,2,3]]]})"});
  EXPECT_EQ(
      Made("message:\n  lost: ${frame.lost}\n  lines: {$each: frame.counts, $when: count.kind == "
           "\"line\", $item: {n: \"${count.name}\", v: \"${count.value}\"}}\n"
           "  tracks: {$each: track, $item: \"${track.id}\"}\n"),
      Strings{R"({"lost":[3,4],"lines":[{"n":"gate","v":1}],"tracks":[5]})"});
}

TEST(MapSampleTest, EachTrack) {
  EXPECT_EQ(Made("each: track\nwhen: track.duration > 5\nmessage:\n  id: ${track.id}\n"
                 "  camera: ${sensor.id}\n  start: ${track.first}\n  seconds: ${track.duration}\n"
                 "  best: [\"${track.best_box.left}\", \"${track.confidence}\"]\n"
                 "  path: ${track.path}\n"
                 "  zones: {$each: track.dwells, $item: {z: \"${dwell.zone}\", s: "
                 "\"${dwell.seconds}\"}}\n"),
            Strings{R"({"id":5,"camera":"CAM-2","start":"2026-11-30T10:15:20.000Z","seconds":9.5,)"
                    R"("best":[200,0.95],"path":[[20,145],[220,157],[420,145]],)"
                    R"("zones":[{"z":"door","s":2.5}]})"});
}

TEST(MapSampleTest, ASampleMayHaveNoConfiguration) {
  for (const char* const text : {"{}", R"({"objects": [{"label": "car"}]})"}) {
    const auto sample = ReadSample(text, "s.json");
    ASSERT_TRUE(sample.ok()) << sample.status().message();
    ASSERT_NE(sample.value()->config, nullptr);
    EXPECT_EQ(sample.value()->config->Sensor(0), nullptr);
  }
}

TEST(MapSampleTest, WrongSamplesAreToldByTheirPlace) {
  const std::pair<const char*, const char*> kCases[] = {
      {"{", "s.json:1:2: this is not JSON"},
      {"[]", "must be an object"},
      {R"({"objects": [{"labl": "x"}]})",
       "objects[0].labl: there is no value \"object.labl\" (did you mean object.label?)"},
      {R"({"objects": [{"label": 1}]})", "objects[0].label: must be a text"},
      {R"({"frame": {"time": "now"}})", "frame.time: must be a time"},
      {R"({"objects": [{"box": {"left": "1"}}]})", "objects[0].box.left: must be a number"},
      {R"({"object": []})", "object: is unknown (there are frame, objects"},
  };
  for (const auto& [text, expected] : kCases) {
    const auto sample = ReadSample(text, "s.json");
    ASSERT_FALSE(sample.ok()) << text;
    EXPECT_NE(sample.status().message().find(expected), std::string::npos)
        << sample.status().message();
  }
}

TEST(MapSampleTest, ProtobufIsCheckedAtTheStart) {
  const std::pair<const char*, const char*> kCases[] = {
      {"message: {versio: x}",
       "nv.Frame has no such field: there is no \"versio\" here (did you mean version?)"},
      {"message: {id: '${frame.number}'}",
       "id is a text, and this is a number (| text makes one of it)"},
      {"message: {id: 4}", "id is a text, and this is 4 without quotes"},
      {"message: {timestamp: x}", "timestamp is a time, and this is a single value"},
      {"message: {timestamp: '${sensor.id}'}", "timestamp is a time, and this is a text"},
      {"message: {objects: {id: x}}",
       "objects is a list of nv.Object, and this is names and values"},
      {"message: {objects: [{bbox: {leftX: a}}]}", "leftX is a number, and this is a text"},
      {"message: {info: '${sensor.id}'}", "info is a table of names and texts, and this is a text"},
      {"message: {version: [a]}", "version has one value, not a list"},
      {"each: object\nmessage: {messageid: '${message.id}', objects: []}",
       "nv.Message has no such field"},
  };
  for (const auto& [text, expected] : kCases) {
    const auto map = Map::Parse("format: protobuf\n" + std::string(text) + "\n", "m.yaml");
    ASSERT_FALSE(map.ok()) << text;
    EXPECT_NE(map.status().message().find(expected), std::string::npos) << map.status().message();
  }
}

// What nv_schema.cc says is what nv.proto says.
TEST(MapSampleTest, TheSchemaIsThatOfTheProtoFile) {
  const std::string text =
      std::regex_replace(TextOf(DSMSG_CFG_DIR "/../include/nv.proto"), std::regex("//[^\n]*"), "");
  const auto check = [&](const NvMessage& message, const auto& self) -> void {
    const std::string name(message.name.substr(message.name.rfind('.') + 1));
    const size_t begin = text.find("message " + name + " {");
    ASSERT_NE(begin, text.npos) << name;
    size_t end = begin;
    int depth = 0;
    do {
      end = text.find_first_of("{}", end + 1);
      depth += text[end] == '{' ? 1 : -1;
    } while (depth > 0);
    std::string body = text.substr(begin + name.size() + 10, end - begin - name.size() - 10);
    body = std::regex_replace(body, std::regex("message \\w+ \\{[^}]*\\}"), "");
    const std::regex field("(repeated )?(map<string, string>|[\\w.]+) (\\w+) = (\\d+)");
    size_t count = 0;
    for (std::sregex_iterator at(body.begin(), body.end(), field), none; at != none;
         ++at, ++count) {
      ASSERT_LT(count, message.fields.size()) << name;
      const NvField& ours = message.fields[count];
      EXPECT_EQ(ours.name, (*at)[3].str()) << name;
      EXPECT_EQ(std::to_string(ours.number), (*at)[4].str()) << ours.name;
      EXPECT_EQ(ours.repeated, (*at)[1].matched) << ours.name;
      static const std::map<std::string, NvType> kTypes = {
          {"string", NvType::kString},           {"float", NvType::kFloat},
          {"double", NvType::kDouble},           {"int32", NvType::kInt32},
          {"map<string, string>", NvType::kMap}, {"google.protobuf.Timestamp", NvType::kTime}};
      const auto type = kTypes.find((*at)[2].str());
      EXPECT_EQ(ours.type, type == kTypes.end() ? NvType::kMessage : type->second) << ours.name;
      if (ours.message != nullptr) self(*ours.message, self);
    }
    EXPECT_EQ(count, message.fields.size()) << name;
  };
  check(NvFrame(), check);
  check(NvMessageOfObject(), check);
}

TEST(MapSampleTest, NoAllocationForAMessage) {
  std::vector<std::string> maps = {
      "message:\n  id: ${message.id}\n  t: ${frame.time}\n  u: \"x ${sensor.id | upper} ${now | "
      "unix}\"\n"
      "  n: {$json: {a: \"${frame.number}\"}}\n"
      "  objects: {$each: object, $when: \"object.confidence > 0.1 and object.label in [person, "
      "car]\",\n"
      "    $item: {id: \"${object.id | text}\", c: \"${object.confidence | round:2}\", a: "
      "\"${object.attributes}\",\n"
      "      m: \"${object.mask.polygons}\", k: {$each: object.keypoints, $item: "
      "\"${keypoint.x}\"}}}\n",
      "each: object\nformat: protobuf\nmessage:\n  messageid: ${message.id}\n  timestamp: "
      "${frame.time}\n"
      "  object: {id: \"${object.id}\", info: \"${object.attributes}\", embedding: {vector: "
      "\"${object.embedding}\"},\n"
      "    bbox: {leftX: \"${object.box.left}\"}, pose: {keypoints: {$each: object.keypoints, "
      "$item: {coordinates: [\"${keypoint.x}\"]}}}}\n",
  };
  for (const auto& each : std::filesystem::directory_iterator(DSMSG_CFG_DIR "/maps")) {
    if (each.path().filename() != "uplink.yaml") maps.push_back(TextOf(each.path()));
  }
  EXPECT_GT(maps.size(), 8U);
  const auto sample = SampleOf(FullSample());
  for (const std::string& text : maps) {
    const auto map = Map::Parse(text, "m.yaml");
    ASSERT_TRUE(map.ok()) << map.status().message();
    MapMaker maker(map.value(), sample->config);
    size_t bytes = 0;
    const auto make = [&] {
      for (size_t i = 0, n = maker.Count(sample->frame); i < n; ++i)
        bytes += maker.Render(sample->frame, i).size();
    };
    for (int i = 0; i < 10; ++i) make();  // buffers grow
    const size_t before = g_allocations;
    for (int i = 0; i < 100; ++i) make();
    EXPECT_EQ(g_allocations, before) << text;
    EXPECT_GT(bytes, 1000U);
  }
}

}  // namespace
}  // namespace dsmsg::msgconv
