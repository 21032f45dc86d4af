// SPDX-License-Identifier: Apache-2.0
// Objects per second that one core turns into payloads: each form, and beside the full one the same
// message built with json-glib, as a tree and then as text. Prints JSON. The options are Google
// Benchmark's.
#include <benchmark/benchmark.h>
#include <json-glib/json-glib.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "msgconv/converter.h"
#include "msgconv/map_maker.h"
#include "msgconv/received_mapper.h"
#include "scene.h"

namespace {

using namespace dsmsg::msgconv;
using dsmsg::bench::Config;
using dsmsg::bench::kObjects;
using dsmsg::bench::Street;

// The same with a pose of 34 joints and an embedding of 256 numbers for each object.
Frame Crowd() {
  Frame frame = Street();
  for (int i = 0; i < 34; ++i) {
    frame.keypoints.push_back({"left-wrist", {100.5 + i, 200.25 + i, 0.5}, 0.875F, {}});
  }
  static std::vector<std::string> names;
  names.clear();
  names.reserve(34);
  for (size_t i = 0; i < 34; ++i) {
    names.push_back("joint-" + std::to_string(i));
    frame.keypoints[i].name = names.back();
  }
  for (int i = 0; i < 256; ++i) frame.numbers.push_back(std::sin(static_cast<float>(i)));
  for (Object& object : frame.objects) {
    object.pose_type = "pose25D";
    object.keypoints = {0, 34};
    object.embedding = {0, 256};
  }
  return frame;
}

void Report(benchmark::State* state, size_t bytes) {
  state->SetItemsProcessed(static_cast<int64_t>(state->iterations() * kObjects));
  state->counters["bytes_per_object"] =
      static_cast<double>(bytes) / static_cast<double>(state->iterations() * kObjects);
}

void Made(benchmark::State& state, PayloadMaker* maker, const Frame& frame) {
  Frame next = frame;
  size_t bytes = 0;
  for (auto _ : state) {
    next.time_ns += 33'000'000;  // a new frame has a new time
    for (size_t i = 0, n = maker->Count(next); i < n; ++i) {
      const std::string_view payload = maker->Render(next, i);
      benchmark::DoNotOptimize(payload.data());
      bytes += payload.size();
    }
  }
  Report(&state, bytes);
}

void Ours(benchmark::State& state, ConverterOptions options, const Frame& frame) {
  Converter converter(Config(), options);
  Made(state, &converter, frame);
}

// A map of cfg/maps; "minimal" makes the same messages as the minimal form.
void Mapped(benchmark::State& state, const std::string& name, const Frame& frame) {
  const auto map = Map::Load(std::string(DSMSG_CFG_DIR) + "/maps/" + name + ".yaml");
  if (!map.ok()) return state.SkipWithError(map.status().message().c_str());
  MapMaker maker(map.value(), Config());
  Made(state, &maker, frame);
}

void Triple3(JsonObject* parent, const char* name, const char* const (&keys)[3],
             const Triple& values) {
  JsonObject* object = json_object_new();
  for (size_t i = 0; i < 3; ++i) json_object_set_double_member(object, keys[i], values[i]);
  json_object_set_object_member(parent, name, object);
}

constexpr const char* const kLocation[] = {"lat", "lon", "alt"};
constexpr const char* const kCoordinate[] = {"x", "y", "z"};

JsonObject* GlibPlace(const PlaceInfo& place) {
  JsonObject* object = json_object_new();
  json_object_set_string_member(object, "id", place.id.c_str());
  json_object_set_string_member(object, "name", place.name.c_str());
  json_object_set_string_member(object, "type", place.type.c_str());
  Triple3(object, "location", kLocation, *place.location);
  JsonObject* aisle = json_object_new();
  json_object_set_string_member(aisle, "id", place.sub_field[0].c_str());
  json_object_set_string_member(aisle, "name", place.sub_field[1].c_str());
  json_object_set_string_member(aisle, "level", place.sub_field[2].c_str());
  Triple3(aisle, "coordinate", kCoordinate, *place.coordinate);
  json_object_set_object_member(object, "aisle", aisle);
  return object;
}

JsonObject* GlibSensor(const SensorInfo& sensor) {
  JsonObject* object = json_object_new();
  json_object_set_string_member(object, "id", sensor.id.c_str());
  json_object_set_string_member(object, "type", sensor.type.c_str());
  json_object_set_string_member(object, "description", sensor.description.c_str());
  Triple3(object, "location", kLocation, *sensor.location);
  Triple3(object, "coordinate", kCoordinate, *sensor.coordinate);
  return object;
}

JsonObject* GlibAnalytics(const AnalyticsInfo& analytics) {
  JsonObject* object = json_object_new();
  json_object_set_string_member(object, "id", analytics.id.c_str());
  json_object_set_string_member(object, "description", analytics.description.c_str());
  json_object_set_string_member(object, "source", analytics.source.c_str());
  json_object_set_string_member(object, "version", analytics.version.c_str());
  return object;
}

JsonObject* GlibObject(const Object& car) {
  JsonObject* object = json_object_new();
  char id[24];
  snprintf(id, sizeof(id), "%llu", static_cast<unsigned long long>(*car.id));
  json_object_set_string_member(object, "id", id);
  for (const char* key : {"speed", "direction", "orientation"}) {
    json_object_set_double_member(object, key, 0);
  }
  JsonObject* vehicle = json_object_new();
  json_object_set_string_member(vehicle, "type", "sedan");
  json_object_set_string_member(vehicle, "make", "audi");
  json_object_set_string_member(vehicle, "model", "");
  json_object_set_string_member(vehicle, "color", "blue");
  json_object_set_string_member(vehicle, "licenseState", "");
  json_object_set_string_member(vehicle, "license", "");
  json_object_set_double_member(vehicle, "confidence", static_cast<double>(*car.confidence));
  json_object_set_object_member(object, "vehicle", vehicle);
  JsonObject* bbox = json_object_new();
  const Box& box = car.box;
  json_object_set_double_member(bbox, "topleftx", static_cast<double>(box.left));
  json_object_set_double_member(bbox, "toplefty", static_cast<double>(box.top));
  json_object_set_double_member(bbox, "bottomrightx", static_cast<double>(box.left + box.width));
  json_object_set_double_member(bbox, "bottomrighty", static_cast<double>(box.top + box.height));
  json_object_set_object_member(object, "bbox", bbox);
  return object;
}

// The full message as a tree of json-glib, written without indentation.
std::string GlibMessage(const ConvConfig& config, const Frame& frame, const Object& car) {
  JsonObject* root = json_object_new();
  gchar* uuid = g_uuid_string_random();
  json_object_set_string_member(root, "messageid", uuid);
  json_object_set_string_member(root, "mdsversion", "1.0");
  const time_t seconds = static_cast<time_t>(frame.time_ns / 1'000'000'000);
  struct tm utc = {};
  char time[40], text[48];
  strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &utc));
  snprintf(text, sizeof(text), "%s.%03dZ", time,
           static_cast<int>(frame.time_ns / 1'000'000 % 1000));
  json_object_set_string_member(root, "@timestamp", text);
  json_object_set_object_member(root, "place", GlibPlace(*config.Place(0)));
  json_object_set_object_member(root, "sensor", GlibSensor(*config.Sensor(0)));
  json_object_set_object_member(root, "analyticsModule", GlibAnalytics(*config.Analytics(0)));
  json_object_set_object_member(root, "object", GlibObject(car));
  JsonObject* event = json_object_new();
  g_free(uuid);
  uuid = g_uuid_string_random();
  json_object_set_string_member(event, "id", uuid);
  json_object_set_string_member(event, "type", "moving");
  json_object_set_object_member(root, "event", event);
  json_object_set_string_member(root, "videoPath", "");
  g_free(uuid);
  JsonNode* node = json_node_init_object(json_node_alloc(), root);
  gchar* json = json_to_string(node, FALSE);
  std::string message = json;
  g_free(json);
  json_node_unref(node);
  json_object_unref(root);
  return message;
}

void Glib(benchmark::State& state, const Frame& frame) {
  const auto config = Config();
  Frame next = frame;
  size_t bytes = 0;
  for (auto _ : state) {
    next.time_ns += 33'000'000;
    for (const Object& car : next.objects) bytes += GlibMessage(*config, next, car).size();
  }
  Report(&state, bytes);
}

// The same keys in the same order, the same values but for the ids and the last digits.
bool Same(JsonNode* a, JsonNode* b) {
  if (JSON_NODE_TYPE(a) != JSON_NODE_TYPE(b)) return false;
  if (JSON_NODE_HOLDS_OBJECT(a)) {
    GList* const in_a = json_object_get_members(json_node_get_object(a));
    GList* const in_b = json_object_get_members(json_node_get_object(b));
    bool same = g_list_length(in_a) == g_list_length(in_b);
    for (GList *i = in_a, *j = in_b; same && i != nullptr; i = i->next, j = j->next) {
      const auto* name = static_cast<const char*>(i->data);
      same = std::strcmp(name, static_cast<const char*>(j->data)) == 0 &&
             Same(json_object_get_member(json_node_get_object(a), name),
                  json_object_get_member(json_node_get_object(b), name));
    }
    g_list_free(in_a);
    g_list_free(in_b);
    return same;
  }
  if (json_node_get_value_type(a) == G_TYPE_STRING) {
    const bool id = std::strlen(json_node_get_string(a)) == 36;
    return id || std::strcmp(json_node_get_string(a), json_node_get_string(b)) == 0;
  }
  return std::abs(json_node_get_double(a) - json_node_get_double(b)) < 1e-5;
}

bool BothMakeTheSameMessage() {
  const Frame frame = Street();
  Converter converter(Config(), {});
  const std::string ours(converter.Render(frame, 3));
  const std::string theirs = GlibMessage(*Config(), frame, frame.objects[3]);
  JsonNode* const a = json_from_string(ours.c_str(), nullptr);
  JsonNode* const b = json_from_string(theirs.c_str(), nullptr);
  const bool same = a != nullptr && b != nullptr && Same(a, b);
  if (!same) fprintf(stderr, "not the same message:\n%s\n%s\n", ours.c_str(), theirs.c_str());
  if (a != nullptr) json_node_unref(a);
  if (b != nullptr) json_node_unref(b);
  return same;
}

/// A sensor's JSON as telemetry; its items are messages.
void Received(benchmark::State& state) {
  const auto map = Map::Load(std::string(DSMSG_CFG_DIR) + "/maps/uplink.yaml");
  ReceivedMapper mapper(map.value(), '/');
  constexpr std::string_view kPayload =
      R"({"deviceId": "d-17", "temp": 21.5, "hum": 40, "battery": 0.93, "model": "T1000"})";
  DsmsgReceived message{};
  message.size = sizeof message;
  message.topic = "sensors/hall/telemetry";
  message.payload = reinterpret_cast<const uint8_t*>(kPayload.data());
  message.payload_len = kPayload.size();
  message.timestamp_ms = 1'705'314'600'123;
  message.id = "";
  size_t bytes = 0;
  for (auto _ : state) bytes += mapper.Make(message)->size();
  state.SetItemsProcessed(state.iterations());
  state.counters["bytes_per_object"] =
      static_cast<double>(bytes) / static_cast<double>(state.iterations());
}

// Keeps the best run of each, and prints one JSON object at the end.
class Reporter : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration) continue;
      Result& result = results_[run.run_name.function_name];
      result.rate = std::max(result.rate, run.counters.at("items_per_second").value);
      result.bytes = run.counters.at("bytes_per_object").value;
    }
  }
  void Print() const {
    printf("{\n  \"benchmark\": \"payload\",\n  \"objects_per_frame\": %zu", kObjects);
    for (const auto& [name, result] : results_) {
      printf(",\n  \"%s\": {\"objects_per_second\": %.0f, \"bytes_per_object\": %.0f}",
             name.c_str(), result.rate, result.bytes);
    }
    PrintRatio("map_minimal_to_minimal", "map_minimal", "minimal");
    PrintRatio("full_to_json_glib", "full", "json_glib_full");
    printf("\n}\n");
  }

 private:
  struct Result {
    double rate = 0, bytes = 0;
  };
  /// Not of benchmarks that a filter left out.
  void PrintRatio(const char* name, const char* over, const char* under) const {
    const auto a = results_.find(over), b = results_.find(under);
    if (a == results_.end() || b == results_.end()) return;
    printf(",\n  \"%s\": %.2f", name, a->second.rate / b->second.rate);
  }
  std::map<std::string, Result> results_;
};

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  if (!BothMakeTheSameMessage()) return 1;
  const Frame street = Street(), crowd = Crowd();
  const auto add = [](const char* name, PayloadType type, MinimalFormat format,
                      const Frame& frame) {
    benchmark::RegisterBenchmark(name, Ours, ConverterOptions{type, format, false}, frame)
        ->Repetitions(3);
  };
  const auto objects = MinimalFormat::kObjects, delimited = MinimalFormat::kDelimited;
  add("full", PayloadType::kFull, objects, street);
  benchmark::RegisterBenchmark("json_glib_full", Glib, street)->Repetitions(3);
  add("minimal", PayloadType::kMinimal, objects, street);
  add("minimal_delimited", PayloadType::kMinimal, delimited, street);
  add("protobuf", PayloadType::kProtobuf, objects, street);
  for (const char* name :
       {"minimal", "cloudevents", "rows", "deepstream-full", "dlstreamer", "nv-message"}) {
    benchmark::RegisterBenchmark((std::string("map_") + name).c_str(), Mapped, name, street)
        ->Repetitions(3);
  }
  benchmark::RegisterBenchmark("map_received", Received)->Repetitions(3);
  add("full_with_pose_and_embedding", PayloadType::kFull, objects, crowd);
  add("protobuf_with_pose_and_embedding", PayloadType::kProtobuf, objects, crowd);
  Reporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  reporter.Print();
  return 0;
}
