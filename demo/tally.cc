// SPDX-License-Identifier: Apache-2.0
#include "tally.h"

#include <rapidjson/document.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace dsmsg_demo {
namespace {

constexpr size_t kWindow = 500;

double Percentile(std::vector<double> values, double part) {
  if (values.empty()) return 0;
  const auto index = static_cast<size_t>(std::floor(part * static_cast<double>(values.size() - 1)));
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(index);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

std::string_view Text(const rapidjson::Value& object, const char* name) {
  const auto found = object.FindMember(name);
  if (found == object.MemberEnd() || !found->value.IsString()) return {};
  return {found->value.GetString(), found->value.GetStringLength()};
}

constexpr size_t kShownEvents = 4;

void AddEvents(const rapidjson::Value& object, std::string_view time, Tally::Scene* scene) {
  const auto events = object.FindMember("events");
  if (events == object.MemberEnd() || !events->value.IsArray()) return;
  for (const rapidjson::Value& event : events->value.GetArray()) {
    std::string text(time.substr(std::min<size_t>(11, time.size()), 12));
    text.append("  person ").append(Text(object, "id")).append("  ").append(Text(event, "type"));
    text.append(" ").append(Text(event, "name"));
    if (const auto to = Text(event, "direction"); !to.empty()) text.append(" to the ").append(to);
    scene->events.push_back(std::move(text));
    ++scene->event_count;
    if (scene->events.size() > kShownEvents) scene->events.pop_front();
  }
}

void AddPictures(const rapidjson::Value& object, Tally::Scene* scene) {
  const auto evidence = object.FindMember("evidence");
  if (evidence == object.MemberEnd() || !evidence->value.IsObject()) return;
  for (const auto& [kind, picture] : evidence->value.GetObject()) {
    if (!picture.IsObject()) continue;
    if (Text(picture, "state") == "stored") {
      scene->last_picture = Text(picture, "uri");
      scene->pictures.insert(scene->last_picture);
    } else {
      ++scene->lost_pictures;
    }
  }
}

void ReadScene(const rapidjson::Value& json, Tally::Scene* scene) {
  scene->people.clear();
  for (const rapidjson::Value& object : json["objects"].GetArray()) {
    if (!object.IsObject()) continue;
    AddEvents(object, Text(json, "@timestamp"), scene);
    AddPictures(object, scene);
    const auto box = object.FindMember("bbox");
    if (box == object.MemberEnd() || !box->value.IsObject()) continue;
    const auto corner = [&](const char* name) {
      const auto found = box->value.FindMember(name);
      return found != box->value.MemberEnd() && found->value.IsNumber() ? found->value.GetDouble()
                                                                        : 0;
    };
    scene->people.push_back({std::string(Text(object, "id")),
                             (corner("topleftx") + corner("bottomrightx")) / 2,
                             corner("bottomrighty")});
  }
  const auto counts = json.FindMember("counts");
  if (counts == json.MemberEnd() || !counts->value.IsArray()) return;
  for (const rapidjson::Value& count : counts->value.GetArray()) {
    const auto value = count.FindMember("value");
    if (value == count.MemberEnd() || !value->value.IsUint64()) continue;
    const std::string name(Text(count, "name"));
    if (Text(count, "kind") == "lineTotal") scene->totals[name] = value->value.GetUint64();
    if (Text(count, "kind") == "zone") scene->zones[name] = value->value.GetUint64();
  }
}

}  // namespace

int64_t ParseTime(std::string_view text) {
  std::tm t = {};
  int millis = 0;
  char zone = 0;
  const std::string copy(text);
  if (std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3d%c", &t.tm_year, &t.tm_mon, &t.tm_mday,
                  &t.tm_hour, &t.tm_min, &t.tm_sec, &millis, &zone) != 8 ||
      zone != 'Z') {
    return -1;
  }
  t.tm_year -= 1900;
  t.tm_mon -= 1;
  return static_cast<int64_t>(timegm(&t)) * 1000 + millis;
}

void Tally::Add(std::string_view payload, std::chrono::system_clock::time_point now) {
  rapidjson::Document json;
  json.Parse(payload.data(), payload.size());
  const bool readable = !json.HasParseError() && json.IsObject() && json.HasMember("objects") &&
                        json["objects"].IsArray() && !Text(json, "messageid").empty();
  const std::lock_guard lock(mutex_);
  if (!readable) {
    ++unreadable_;
    return;
  }
  if (!ids_.insert(std::string(Text(json, "messageid"))).second) {
    ++duplicates_;
    return;
  }
  if (first_.empty()) first_ = payload;
  Sensor& sensor = sensors_[std::string(Text(json, "sensorId"))];
  ++sensor.messages;
  sensor.objects_in_last = json["objects"].Size();
  sensor.objects += sensor.objects_in_last;
  ReadScene(json, &scene_);
  const int64_t made_ms = ParseTime(Text(json, "@timestamp"));
  const auto now_ms = std::chrono::duration<double, std::milli>(now.time_since_epoch()).count();
  if (made_ms >= 0) sensor.latencies_ms.push_back(now_ms - static_cast<double>(made_ms));
}

Tally::Scene Tally::scene() const {
  const std::lock_guard lock(mutex_);
  return scene_;
}

std::string Tally::first() const {
  const std::lock_guard lock(mutex_);
  return first_;
}

uint64_t Tally::received() const {
  const std::lock_guard lock(mutex_);
  return ids_.size();
}

Tally::Totals Tally::Get(bool all) const {
  const std::lock_guard lock(mutex_);
  Totals totals;
  totals.received = ids_.size();
  totals.duplicates = duplicates_;
  totals.unreadable = unreadable_;
  for (const auto& [name, sensor] : sensors_) {
    const auto& latencies = sensor.latencies_ms;
    const size_t count = all ? latencies.size() : std::min(kWindow, latencies.size());
    const std::vector<double> recent(latencies.end() - static_cast<std::ptrdiff_t>(count),
                                     latencies.end());
    totals.rows.push_back({name, sensor.messages, sensor.objects, sensor.objects_in_last,
                           Percentile(recent, 0.5), Percentile(recent, 0.95)});
  }
  return totals;
}

}  // namespace dsmsg_demo
