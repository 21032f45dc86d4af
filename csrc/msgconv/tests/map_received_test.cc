// SPDX-License-Identifier: Apache-2.0
// Maps of received messages (each: message), and the reader of their payloads.
#include <gtest/gtest.h>

#include <random>

#include "json_check.h"
#include "msgconv/json_payload.h"
#include "msgconv/received_mapper.h"

namespace dsmsg::msgconv {
namespace {

DsmsgReceived MessageOf(std::string_view payload) {
  DsmsgReceived message{};
  message.size = sizeof message;
  message.topic = "sensors/hall/telemetry";
  message.payload = reinterpret_cast<const uint8_t*>(payload.data());
  message.payload_len = payload.size();
  message.timestamp_ms = 1'700'000'000'123;
  message.offset = message.partition = -1;
  message.id = "";
  return message;
}

std::string Made(const std::string& text, const DsmsgReceived& message) {
  const auto map = Map::Parse(text, "m.yaml");
  EXPECT_TRUE(map.ok()) << map.status().message();
  if (!map.ok()) return "";
  ReceivedMapper mapper(map.value(), '/');
  const auto made = mapper.Make(message);
  return made ? std::string(*made) : "left out";
}

/// "-": left out.
std::string ValueOf(const std::string& value, std::string_view payload) {
  const std::string made =
      Made("each: message\nmessage: {v: '" + value + "'}\n", MessageOf(payload));
  return made == "{}" ? "-" : made.substr(5, made.size() - 6);
}

TEST(ReceivedMapTest, ValuesOfAPayload) {
  constexpr std::string_view kPayload =
      R"({"a": {"b": [1, {"c": "x\"\u00e9"}]}, "n": 21.50, "big": 12345678901234567890123,)"
      R"( "t": true, "null": null, "odd name": -3, "text": "4.5", "ts": "2026-11-30T10:15:30Z",)"
      R"( "s": 1700000000, "twice": 1, "twice": 2, "tags": ["red", 7]})";
  const std::pair<const char*, const char*> kCases[] = {
      {"${payload.a.b[0]}", "1"},
      {"${payload.a.b[-1].c}", R"("x\"é")"},
      {"${payload.a.b[2]}", "-"},
      {"${payload.a.b}", R"([1, {"c": "x\"\u00e9"}])"},
      {"${payload.n}", "21.50"},
      {"${payload.n * 2}", "43"},
      {"${payload.big}", "12345678901234567890123"},
      {"${payload.t}", "true"},
      {"${payload.null}", "-"},
      {"${payload[\"odd name\"]}", "-3"},
      {"${payload.text | number}", "4.5"},
      {"${payload.ts | time | unix}", "1796033730"},
      {"${payload.s | from_unix}", R"("2023-11-14T22:13:20.000Z")"},
      {"${payload.n | from_unix_ms | unix_ns}", "21500000"},
      {"${payload.twice}", "2"},
      {"${\"red\" in payload.tags and 7 in payload.tags}", "true"},
      {"${payload.no ?? payload.null ?? payload.n}", "21.50"},
      {"${payload.no | default:http-device}", R"("http-device")"},
      {"${topic}", R"("sensors/hall/telemetry")"},
      {"${topic[1]}", R"("hall")"},
      {"${topic[-1]}", R"("telemetry")"},
      {"${topic[3]}", "-"},
      {"${timestamp}", R"("2023-11-14T22:13:20.123Z")"},
      {"${key}", "-"},
      {"${offset}", "-"},
      {"${headers.content-type}", "-"},
      {"a ${payload.n} b", R"("a 21.50 b")"},
      {"id-${payload.big}", R"("id-12345678901234567890123")"},
      {"${payload.big | text}", R"("12345678901234567890123")"},
      {"a ${payload.a} b", "-"},
  };
  for (const auto& [value, expected] : kCases)
    EXPECT_EQ(ValueOf(value, kPayload), expected) << value;
}

// What a double cannot hold exactly is not cut off to the millisecond before.
TEST(ReceivedMapTest, SecondsWithAFractionAreThatTime) {
  constexpr int64_t kFirst = 1'764'497'730'000;
  for (int64_t ms = kFirst; ms < kFirst + 1000; ++ms) {
    std::string digits = std::to_string(ms);
    ASSERT_EQ(ValueOf("${payload.ms | from_unix_ms | unix_ms}", "{\"ms\":" + digits + ".0}"),
              digits);
    const std::string seconds = std::string(digits).insert(10, ".");
    ASSERT_EQ(ValueOf("${payload.s | from_unix | unix_ms}", "{\"s\":" + seconds + "}"), digits);
  }
}

TEST(ReceivedMapTest, KeyAndHeaders) {
  DsmsgReceived message = MessageOf("{}");
  const std::string key = "k\xff";
  message.key = reinterpret_cast<const uint8_t*>(key.data());
  message.key_len = key.size();
  const DsmsgReceivedHeader headers[] = {{"a-b", reinterpret_cast<const uint8_t*>("1"), 1},
                                         {"a-b", reinterpret_cast<const uint8_t*>("22"), 2},
                                         {"x y", reinterpret_cast<const uint8_t*>("3"), 1}};
  message.headers = headers;
  message.num_headers = 3;
  EXPECT_EQ(Made("each: message\nmessage: {k: '${key}', h: '${headers.a-b}', "
                 "x: '${headers[\"x y\"]}', n: '${headers.no}'}\n",
                 message),
            "{\"k\":\"k\xef\xbf\xbd\",\"h\":\"22\",\"x\":\"3\"}");
}

TEST(ReceivedMapTest, ListsAndTexts) {
  constexpr std::string_view kMap = R"(each: message
when: payload.list is not missing
message:
  list: {$each: payload.list, $when: item.a > 1, $item: {x: "${item.a}", in: {$each: item.b, $item: "${item}"}}}
  none: {$each: payload.none, $item: 1}
  data: {$json: {command: "${payload.method}", none: "${payload.none}"}}
)";
  EXPECT_EQ(Made(std::string(kMap),
                 MessageOf(R"({"list": [{"a": 1}, {"a": 2, "b": [3, "y"]}], "method": "set"})")),
            R"({"list":[{"x":2,"in":[3,"y"]}],"none":[],"data":"{\"command\":\"set\"}"})");
  EXPECT_EQ(Made(std::string(kMap), MessageOf("{}")), "left out");
}

TEST(ReceivedMapTest, APayloadThatIsNotJsonIsAText) {
  for (const std::string_view payload : {"hello", "{\"a\":1", "{\"a\":1}x", "\xff", "nul"}) {
    EXPECT_EQ(ValueOf("${payload.a}", payload), "-") << payload;
    const std::string whole = ValueOf("${payload}", payload);
    EXPECT_TRUE(dsmsg_test::ParseJson("[" + whole + "]").IsArray()) << whole;
  }
  EXPECT_EQ(ValueOf("${payload}", "hello"), R"("hello")");
  EXPECT_EQ(ValueOf("${payload}", ""), "-");
  EXPECT_EQ(ValueOf("${payload.a}", std::string_view("{\"a\":1}\0", 8)), "-");
}

TEST(ReceivedMapTest, MistakesAreToldWithLineAndColumn) {
  const std::pair<const char*, const char*> kCases[] = {
      {"message: {a: '${payload.a}'}\n", "m.yaml:1:17: payload belongs to a received message"},
      {"each: message\nmessage: {a: '${frame.time}'}\n",
       "m.yaml:2:17: frame.time belongs to the metadata of a frame"},
      {"each: message\nmessage: {a: '${item.a}'}\n", "item belongs to an element of a list"},
      {"each: message\nmessage: {a: '${topik}'}\n",
       "there is no value \"topik\" (did you mean topic?)"},
      {"each: message\nmessage: {a: '${payload.}'}\n",
       "m.yaml:2:24: a name is missing behind the dot"},
      {"each: message\nmessage: {a: '${payload[x]}'}\n", "in [...] a number is expected"},
      {"each: message\nmessage: {a: '${headers}'}\n", "headers is followed by a name"},
      {"each: message\nformat: protobuf\nmessage: {}\n",
       "received messages are mapped to JSON only"},
      {"each: message\nmessage: {a: {$each: topic, $item: 1}}\n",
       "a list of the payload is expected"},
      {"each: object\nmessage: {a: '${keypoint.x}'}\n", "beside $each: object.keypoints"},
      {"each: object\nmessage: {a: '${track.id}'}\n", "set each: track at the top"},
      {"message: {$json: {a: 1}}\n", "a message has names and values"},
  };
  for (const auto& [text, expected] : kCases) {
    const auto map = Map::Parse(text, "m.yaml");
    ASSERT_FALSE(map.ok()) << text;
    EXPECT_NE(map.status().message().find(expected), std::string::npos)
        << text << map.status().message();
  }
}

// Whatever arrives, what is made is a JSON document.
TEST(ReceivedMapTest, DamagedPayloadsNeverMakeABrokenDocument) {
  constexpr std::string_view kGood =
      R"({"a": {"b": [1, -2.5e3, {"c": "x\"\u00e9\\"}], "e": {}}, "t": [true, null, "y"], "z": "é"})";
  constexpr std::string_view kBytes = "{}[]\":,\\ 0123456789.eE+-truefalsn\xc3\xa9\x01";
  const auto map = Map::Parse(
      "each: message\nmessage: {r: '${payload}', a: '${payload.a}', c: '${payload.a.b[-1].c}', "
      "l: {$each: payload.t, $item: '${item}'}, n: '${payload.a.b[1]}', j: {$json: {x: "
      "'${payload.a}'}}}\n",
      "m.yaml");
  ASSERT_TRUE(map.ok());
  ReceivedMapper mapper(map.value(), '/');
  std::mt19937 random(11);
  size_t json = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text(kGood);
    for (auto i = random() % 4; i > 0; --i) {
      const size_t at = random() % text.size();
      if (random() % 3 == 0) {
        text.erase(at, 1 + random() % 4);
      } else {
        text[at] = kBytes[random() % kBytes.size()];
      }
      if (text.empty()) text = "1";
    }
    const auto made = mapper.Make(MessageOf(text));
    ASSERT_TRUE(made);
    ASSERT_TRUE(dsmsg_test::ParseJson(std::string(*made)).IsObject()) << text << "\n" << *made;
    json += mapper.was_json() ? 1 : 0;
  }
  EXPECT_GT(json, 3000U);
}

TEST(JsonPayloadTest, DepthAndNumberOfValuesAreBounded) {
  JsonPayload payload;
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(payload.Read(nested(JsonPayload::kDeepest)));
  EXPECT_FALSE(payload.Read(nested(JsonPayload::kDeepest + 1)));
  EXPECT_TRUE(payload.empty());
  EXPECT_FALSE(payload.Read(nested(1'000'000)));
  std::string many = "[0";
  for (size_t i = 0; i < JsonPayload::kMostValues; ++i) many += ",0";
  EXPECT_FALSE(payload.Read(many + "]"));
  EXPECT_TRUE(payload.Read("[1]"));
}

}  // namespace
}  // namespace dsmsg::msgconv
