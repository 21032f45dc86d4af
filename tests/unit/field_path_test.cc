// SPDX-License-Identifier: Apache-2.0
#include "core/options/field_path.h"

#include <gtest/gtest.h>

#include <protozero/pbf_writer.hpp>
#include <random>

namespace dsmsg {
namespace {

/// The values of `paths` in `payload`; a missing one is "-".
std::vector<std::string> Read(std::string_view payload, const std::vector<std::string>& paths) {
  FieldReader reader;
  for (const std::string& path : paths) {
    const auto index = reader.Add(path);
    EXPECT_TRUE(index.ok()) << path << ": " << index.status().message();
  }
  std::vector<FieldValue> values(7);
  reader.Extract(payload, &values);
  EXPECT_EQ(values.size(), reader.size());
  std::vector<std::string> out;
  out.reserve(values.size());
  for (const FieldValue& value : values) out.push_back(value.found ? value.text : "-");
  return out;
}

std::string One(std::string_view payload, const std::string& path) {
  return Read(payload, {path}).at(0);
}

using Strings = std::vector<std::string>;

constexpr std::string_view kFull = R"({
  "messageid" : "84a3a0ad-7eb8-49a2-9aa7-104ded6764d0", "mdsversion" : "1.0",
  "@timestamp" : "2026-11-21T05:06:07.123Z",
  "place" : {"id" : "1", "name" : "XYZ", "type" : "garage",
    "location" : {"lat" : 30.32, "lon" : -40.549999999999997, "alt" : 100.0},
    "aisle" : {"id" : "walsh", "name" : "lane1", "level" : "P2", "coordinate" : {"x" : 1.0, "y" : 2.0, "z" : 3.0}}},
  "sensor" : {"id" : "CAMERA_ID", "type" : "Camera", "description" : "\"Entrance of Garage Right Lane\"",
    "location" : {"lat" : 45.29, "lon" : -75.83, "alt" : 48.15}, "coordinate" : {"x" : 5.2, "y" : 10.1, "z" : 11.2}},
  "analyticsModule" : {"id" : "XYZ", "description" : "\"Vehicle Detection and License Plate Recognition\"", "source" : "OpenALR", "version" : "1.0"},
  "object" : {"id" : "18446744073709551615", "speed" : 0.0, "direction" : 0.0, "orientation" : 0.0,
    "vehicle" : {"type" : "sedan", "make" : "Bugatti", "model" : "M", "color" : "blue", "licenseState" : "CA", "license" : "XX1234", "confidence" : -0.10000000149011612},
    "bbox" : {"topleftx" : 585, "toplefty" : 472, "bottomrightx" : 642, "bottomrighty" : 518}, "location" : {"lat" : 0.0, "lon" : 0.0, "alt" : 0.0}},
  "event" : {"id" : "4f8436ab-c611-4257-8b83-b9134c6cab0d", "type" : "moving"}, "videoPath" : ""
})";

TEST(FieldPathTest, FullSchema) {
  EXPECT_EQ(Read(kFull, {"sensor.id", "place.id", "object.id", "event.type", "videoPath",
                         "object.bbox.topleftx", "place.aisle.coordinate.z", "sensor.description",
                         "@timestamp", "sensorId", "object.vehicle.confidence", "sensor.location"}),
            (Strings{"CAMERA_ID", "1", "18446744073709551615", "moving", "", "585", "3.0",
                     "\"Entrance of Garage Right Lane\"", "2026-11-21T05:06:07.123Z", "-",
                     "-0.10000000149011612", "-"}));
}

TEST(FieldPathTest, ArraysByIndex) {
  constexpr std::string_view kMinimal =
      R"({"sensorId":"cam-3","objects":[{"id":"7","bbox":{"x":1}},[1,[2,"deep"]],"5|1|2|3|4|Person"]})";
  EXPECT_EQ(Read(kMinimal, {"sensorId", "objects.0.id", "objects.0.bbox.x", "objects.1.0",
                            "objects.1.1.1", "objects.2", "objects.3", "objects.0", "objects.x"}),
            (Strings{"cam-3", "7", "1", "1", "deep", "5|1|2|3|4|Person", "-", "-", "-"}));
  EXPECT_EQ(Read(R"(["a",{"b":[true,false]}])", {"0", "1.b.1", "1.b.0", "2"}),
            (Strings{"a", "false", "true", "-"}));
  EXPECT_EQ(One(R"({"0":"name"})", "0"), "name");  // a number may be a name too
  EXPECT_EQ(One(R"([[],[],"x"])", "2"), "x");
  EXPECT_EQ(One(R"([null,{"a":1},"x"])", "1.a"), "1");
}

TEST(FieldPathTest, ScalarsAsWritten) {
  constexpr std::string_view kPayload =
      R"({"a":1e5,"b":-0.50,"c":true,"d":null,"e":{},"f":[],"g":"","h":123456789012345678901234567890,"i":"x"})";
  EXPECT_EQ(
      Read(kPayload, {"a", "b", "c", "d", "e", "f", "g", "h", "i"}),
      (Strings{"1e5", "-0.50", "true", "-", "-", "-", "", "123456789012345678901234567890", "x"}));
}

TEST(FieldPathTest, StringsAreUnescaped) {
  EXPECT_EQ(One(R"({"a":"q\"\\\/\n\u00fc\ud83d\ude00"})", "a"), "q\"\\/\nü😀");
  EXPECT_EQ(One(R"({"k\u0065y":"v"})", "key"), "v");
  EXPECT_EQ(One(R"({"a":"x\u0000y"})", "a"), std::string("x\0y", 3));
  EXPECT_EQ(One("{\"größe\":{\"日本\":\"ü\"}}", "größe.日本"), "ü");
}

TEST(FieldPathTest, PathsAreNotPrefixes) {
  constexpr std::string_view kPayload =
      R"({"sensors":{"id":"no"},"sensor.id":"no","x":{"sensor":{"id":"no"}},"id":"no","sensor":{"idx":"no","x":{"id":"no"},"id":"yes"}})";
  EXPECT_EQ(One(kPayload, "sensor.id"), "yes");
  EXPECT_EQ(One(R"({"a":{"b":1},"b":2})", "b"), "2");
  EXPECT_EQ(One(R"({"a":"x"})", "a.b"), "-");
  EXPECT_EQ(One(R"({"a":{"b":"x"}})", "a"), "-");
}

TEST(FieldPathTest, FirstOfRepeatedKeysCounts) {
  EXPECT_EQ(One(R"({"a":"1","a":"2"})", "a"), "1");
  EXPECT_EQ(One(R"({"a":null,"a":"2"})", "a"), "-");
  EXPECT_EQ(One(R"({"s":{"x":1},"s":{"id":"2"}})", "s.id"), "-");
  EXPECT_EQ(One(R"({"s":5,"s":{"id":"2"}})", "s.id"), "-");
}

TEST(FieldPathTest, SharedPrefixesAndRepeatedPaths) {
  FieldReader reader;
  EXPECT_EQ(reader.Add("a.b").value(), 0u);
  EXPECT_EQ(reader.Add("a.c").value(), 1u);
  EXPECT_EQ(reader.Add("a.b").value(), 0u);
  EXPECT_EQ(reader.size(), 2u);
  std::vector<FieldValue> values;
  reader.Extract(R"({"a":{"c":1,"b":2}})", &values);
  EXPECT_EQ(values[0].text, "2");
  EXPECT_EQ(values[1].text, "1");
  reader.Extract("{}", &values);
  EXPECT_FALSE(values[0].found);
  EXPECT_TRUE(values[0].text.empty());
}

TEST(FieldPathTest, FirstOfSeveral) {
  FieldReader reader;
  ASSERT_TRUE(reader.Add("sensor.id").ok());
  ASSERT_TRUE(reader.Add("sensorId").ok());
  const auto first = [&](std::string_view payload) {
    std::string text = "-";
    const bool found = reader.ExtractFirst(payload, &text);
    EXPECT_EQ(found, text != "-");
    return text;
  };
  EXPECT_EQ(first(kFull), "CAMERA_ID");
  EXPECT_EQ(first(R"({"sensorId":"a","sensor":{"id":"b"}})"), "a");
  EXPECT_EQ(first(R"({"sensor":{"id":"b"},"sensorId":"a"})"), "b");
  EXPECT_EQ(first(R"({"sensor":{},"sensorId":"a"})"), "a");
  EXPECT_EQ(first(R"({"sensor":null,"sensorId":{}})"), "-");
  EXPECT_EQ(first("{}"), "-");
  EXPECT_EQ(first(""), "-");
  std::string frame;
  protozero::pbf_writer(frame).add_string(4, "cam");
  EXPECT_EQ(first(frame), "cam");
}

TEST(FieldPathTest, TruncatedAndMalformedGiveWhatCameBefore) {
  EXPECT_EQ(Read(R"({"a":"1","b":"2)", {"a", "b"}), (Strings{"1", "-"}));
  EXPECT_EQ(Read(R"({"a":"1","b":tru)", {"a", "b"}), (Strings{"1", "-"}));
  EXPECT_EQ(Read(R"({"a":"1","b":12)", {"a", "b"}), (Strings{"1", "-"}));  // 12 or 123?
  EXPECT_EQ(Read(R"({"a":"1" "b":"2"})", {"a", "b"}), (Strings{"1", "-"}));
  EXPECT_EQ(One(R"({"a":"1"}garbage)", "a"), "1");
  EXPECT_EQ(One(R"({"a":"1")", "a"), "1");
  EXPECT_EQ(One("{a:1}", "a"), "-");
  EXPECT_EQ(One("{", "a"), "-");
  EXPECT_EQ(One("[", "0"), "-");
  EXPECT_EQ(One("", "a"), "-");
  EXPECT_EQ(One("   ", "a"), "-");
  EXPECT_EQ(One(std::string_view("{\"a\"\0:\"1\"}", 10), "a"), "-");
  for (size_t cut = 0; cut < kFull.size(); ++cut) {
    const std::string value = One(kFull.substr(0, cut), "sensor.id");
    EXPECT_TRUE(value == "-" || value == "CAMERA_ID") << cut << ": " << value;
  }
}

TEST(FieldPathTest, SpaceAndByteOrderMarkInFront) {
  EXPECT_EQ(One(" \r\n\t{\"a\":\"1\"}", "a"), "1");
  EXPECT_EQ(One("\xef\xbb\xbf{\"a\":\"1\"}", "a"), "1");
}

TEST(FieldPathTest, DeepNestingIsHarmless) {
  const std::string open(200000, '['), objects = [] {
    std::string text;
    for (int i = 0; i < 50000; ++i) text += "{\"a\":";
    return text;
  }();
  EXPECT_EQ(One(open, "0.0.0"), "-");
  EXPECT_EQ(One(objects, "a.a.b"), "-");
  EXPECT_EQ(One("{\"x\":" + open + std::string(200000, ']') + ",\"a\":\"1\"}", "a"), "1");
  std::string path = "a", payload = "{\"a\":";
  for (size_t i = 1; i < FieldReader::kDeepest; ++i) {
    path += ".a";
    payload += "{\"a\":";
  }
  EXPECT_EQ(One(payload + "\"x\"" + std::string(FieldReader::kDeepest, '}'), path), "x");
}

TEST(FieldPathTest, LongValues) {
  const std::string big(3'000'000, 'x');
  EXPECT_EQ(One("{\"skip\":\"" + big + "\",\"a\":\"1\"}", "a"), "1");
  EXPECT_EQ(One("{\"a\":\"" + big + "\"}", "a"), big);
}

TEST(FieldPathTest, BadPaths) {
  FieldReader reader;
  for (const char* path : {"", ".", "a.", ".a", "a..b"}) {
    EXPECT_FALSE(reader.Add(path).ok()) << path;
  }
  std::string deep = "a";
  for (size_t i = 0; i < FieldReader::kDeepest; ++i) deep += ".a";
  EXPECT_FALSE(reader.Add(deep).ok());
  for (size_t i = 0; i < FieldReader::kMostPaths; ++i) {
    EXPECT_TRUE(reader.Add("p" + std::to_string(i)).ok());
  }
  EXPECT_FALSE(reader.Add("one-more").ok());
  EXPECT_EQ(reader.Add("p7").value(), 7u);
  EXPECT_EQ(reader.size(), FieldReader::kMostPaths);
  // An index too large for any array is a name.
  EXPECT_EQ(One(R"({"99999999999":"x"})", "99999999999"), "x");
}

std::string Frame(const std::string& sensor, int objects) {
  std::string bytes;
  protozero::pbf_writer frame(bytes);
  frame.add_string(1, "4.0");
  frame.add_string(2, "1234");
  {
    protozero::pbf_writer timestamp(frame, 3);
    timestamp.add_int64(1, 1795000000);
    timestamp.add_int32(2, 5000);
  }
  frame.add_string(4, sensor);
  for (int i = 0; i < objects; ++i) {
    protozero::pbf_writer object(frame, 5);
    object.add_string(1, std::to_string(i));
    object.add_string(3, "Person");
    object.add_float(4, 0.5f);
  }
  return bytes;
}

TEST(FieldPathTest, ProtobufFrame) {
  EXPECT_EQ(Read(Frame("cam-ü", 20), {"sensorId", "sensor.id", "id", "version", "objects.0.id"}),
            (Strings{"cam-ü", "cam-ü", "1234", "4.0", "-"}));
  EXPECT_EQ(One(Frame("", 0), "sensorId"), "");
  EXPECT_EQ(One(Frame("x", 5), "place.id"), "-");
  std::string fourth_only;
  protozero::pbf_writer(fourth_only).add_string(4, "cam");
  EXPECT_EQ(Read(fourth_only, {"sensorId", "id"}), (Strings{"cam", "-"}));
}

TEST(FieldPathTest, ProtobufTruncatedOrForeign) {
  const std::string frame = Frame("camera", 3);
  for (size_t cut = 0; cut < frame.size(); ++cut) {
    const std::string value = One(std::string_view(frame).substr(0, cut), "sensorId");
    EXPECT_TRUE(value == "-" || value == "camera") << cut << ": " << value;
  }
  std::string varint;
  protozero::pbf_writer(varint).add_int32(4, 77);  // another wire type
  EXPECT_EQ(One(varint, "sensorId"), "-");
  std::string not_text;
  protozero::pbf_writer(not_text).add_string(4, "\xff\xfe");
  EXPECT_EQ(One(not_text, "sensorId"), "-");
}

TEST(FieldPathTest, RandomBytesNeverCrash) {
  FieldReader reader;
  for (const char* path : {"sensor.id", "sensorId", "objects.0.id", "0.1", "a.b.c.d"}) {
    ASSERT_TRUE(reader.Add(path).ok());
  }
  std::vector<FieldValue> values;
  std::mt19937 random(3);
  const std::string frame = Frame("camera", 5);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes;
    switch (round % 4) {
      case 0:  // any bytes
        for (auto i = random() % 60; i > 0; --i) bytes += static_cast<char>(random());
        break;
      case 1:  // bytes that look like JSON
        for (auto i = random() % 60; i > 0; --i) {
          bytes += "{{[[]}}\",:\\u0d8tfnae1-. \x80\xff"[random() % 26];
        }
        break;
      default:  // a good payload with some bytes changed
        bytes = round % 4 == 2 ? std::string(kFull) : frame;
        for (auto i = random() % 8; i > 0; --i) {
          bytes[random() % bytes.size()] = static_cast<char>(random());
        }
    }
    reader.Extract(bytes, &values);
    EXPECT_EQ(values.size(), reader.size());
  }
}

}  // namespace
}  // namespace dsmsg
