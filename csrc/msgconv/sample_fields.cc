// SPDX-License-Identifier: Apache-2.0
#include "msgconv/sample_fields.h"

#include <algorithm>
#include <utility>

#include "core/base/nearest.h"
#include "msgconv/identity.h"
#include "msgconv/map_fields.h"

namespace dsmsg::msgconv::sample {
namespace {

std::string_view NameOf(const Json::Member& member) {
  return {member.name.GetString(), member.name.GetStringLength()};
}

/// Of every value that a sample may set.
std::vector<std::string_view> KnownNames(std::string_view prefix) {
  std::vector<std::string_view> names;
  for (const auto& group : MapFields()) {
    for (const MapField& field : group) {
      if (field.name.substr(0, field.name.find('.')) == prefix) names.push_back(field.name);
    }
  }
  return names;
}

}  // namespace

void Fail(std::string where, std::string what) { throw Wrong{std::move(where), std::move(what)}; }

void Reader::Fields(std::string_view prefix, const std::string& where, const Json& values) {
  if (!values.IsObject()) Fail(where, "must be names and values");
  for (const auto& member : values.GetObject()) {
    const std::string name = std::string(prefix) + "." + std::string(NameOf(member));
    const std::string inner = where + "." + std::string(NameOf(member));
    if (Set(name, inner, member.value) || SetList(name, inner, member.value)) continue;
    if (member.value.IsObject()) {  // object.box and so on
      Fields(name, inner, member.value);
      continue;
    }
    const auto names = KnownNames(prefix.substr(0, prefix.find('.')));
    const std::string_view nearest = Nearest(name, names);
    Fail(inner, "there is no value \"" + name + "\"" +
                    (nearest.empty() ? "" : " (did you mean " + std::string(nearest) + "?)"));
  }
}

template <typename Each>
void Reader::ForEach(const std::string& where, const Json& list, const Each& each) {
  if (!list.IsArray()) Fail(where, "must be a list");
  for (rapidjson::SizeType i = 0; i < list.Size(); ++i)
    each(where + "[" + std::to_string(i) + "]", list[i]);
}

void Reader::Objects(const Json& list) {
  ForEach("objects", list, [this](const std::string& where, const Json& each) {
    sample_.frame.objects.emplace_back();
    object().first_attribute = static_cast<uint32_t>(sample_.frame.attributes.size());
    Fields("object", where, each);
  });
}

void Reader::Tracks(const Json& list) {
  ForEach("tracks", list, [this](const std::string& where, const Json& each) {
    sample_.frame.tracks.emplace_back();
    Fields("track", where, each);
  });
}

std::string_view Reader::Text(const std::string& where, const Json& value) {
  if (!value.IsString()) Fail(where, "must be a text");
  return sample_.texts.emplace_back(value.GetString(), value.GetStringLength());
}

double Reader::Number(const std::string& where, const Json& value) {
  if (!value.IsNumber()) Fail(where, "must be a number");
  return value.GetDouble();
}

uint64_t Reader::Whole(const std::string& where, const Json& value) {
  if (!value.IsUint64()) Fail(where, "must be a whole number, 0 or more");
  return value.GetUint64();
}

uint64_t Reader::Time(const std::string& where, const Json& value) {
  const auto time = value.IsString() ? ParseTime(value.GetString()) : std::nullopt;
  if (!time) Fail(where, "must be a time, such as \"2026-11-30T10:15:30.123Z\"");
  return *time;
}

Range Reader::Texts(const std::string& where, const Json& value) {
  auto& texts = sample_.frame.texts;
  const auto first = static_cast<uint32_t>(texts.size());
  ForEach(where, value,
          [&](const std::string& at, const Json& each) { texts.push_back(Text(at, each)); });
  return {first, static_cast<uint32_t>(texts.size()) - first};
}

Range Reader::Table(const std::string& where, const Json& value) {
  auto& attributes = sample_.frame.attributes;
  const auto first = static_cast<uint32_t>(attributes.size());
  if (value.IsObject()) {
    for (const auto& member : value.GetObject()) {
      Attribute attribute;
      attribute.name = Text(where, member.name);
      attribute.value = Text(where + "." + std::string(NameOf(member)), member.value);
      attributes.push_back(attribute);
    }
  } else {
    ForEach(where, value, [&](const std::string& at, const Json& each) {
      attributes.emplace_back();
      Fields("attribute", at, each);
    });
  }
  return {first, static_cast<uint32_t>(attributes.size()) - first};
}

Range Reader::Floats(const std::string& where, const Json& value) {
  auto& numbers = sample_.frame.numbers;
  const auto first = static_cast<uint32_t>(numbers.size());
  ForEach(where, value, [&](const std::string& at, const Json& each) {
    numbers.push_back(static_cast<float>(Number(at, each)));
  });
  return {first, static_cast<uint32_t>(numbers.size()) - first};
}

Range Reader::Points(const std::string& where, const Json& value) {
  auto& points = sample_.frame.points;
  const auto first = static_cast<uint32_t>(points.size());
  ForEach(where, value, [&](const std::string& at, const Json& each) {
    if (!each.IsArray() || each.Size() != 2) Fail(at, "must be [x, y]");
    points.push_back(
        {static_cast<float>(Number(at, each[0])), static_cast<float>(Number(at, each[1]))});
  });
  return {first, static_cast<uint32_t>(points.size()) - first};
}

Range Reader::Polygons(const std::string& where, const Json& value) {
  auto& outlines = sample_.frame.outlines;
  const auto first = static_cast<uint32_t>(outlines.size());
  ForEach(where, value,
          [&](const std::string& at, const Json& each) { outlines.push_back(Points(at, each)); });
  return {first, static_cast<uint32_t>(outlines.size()) - first};
}

Range Reader::Coordinates(const std::string& where, const Json& value) {
  auto& places = sample_.frame.coordinates;
  const auto first = static_cast<uint32_t>(places.size());
  ForEach(where, value, [&](const std::string& at, const Json& each) {
    if (!each.IsArray() || each.Size() != 3) Fail(at, "must be [x, y, z]");
    places.push_back({Number(at, each[0]), Number(at, each[1]), Number(at, each[2])});
  });
  return {first, static_cast<uint32_t>(places.size()) - first};
}

bool Reader::SetList(std::string_view name, const std::string& where, const Json& value) {
  Frame& frame = sample_.frame;
  const auto fill = [&](auto* list, std::string_view prefix) {
    const auto first = static_cast<uint32_t>(list->size());
    ForEach(where, value, [&](const std::string& at, const Json& each) {
      list->emplace_back();
      Fields(prefix, at, each);
    });
    return Range{first, static_cast<uint32_t>(list->size()) - first};
  };
  const auto findings = [&]() -> Findings& { return Own(&frame.findings, &object().findings); };
  if (name == "frame.counts") return fill(&frame.counts, "count"), true;
  if (name == "frame.cameras") return fill(&frame.sources, "camera"), true;
  if (name == "track.dwells") return track().dwells = fill(&frame.dwells, "dwell"), true;
  if (name == "object.dwells") return object().dwells = fill(&frame.dwells, "dwell"), true;
  if (name == "object.space")
    return object().space_events = fill(&frame.space_events, "space"), true;
  if (name == "object.evidence") return object().evidence = fill(&frame.evidence, "evidence"), true;
  if (name == "object.keypoints")
    return object().keypoints = fill(&frame.keypoints, "keypoint"), true;
  if (name == "object.actions") return object().actions = fill(&frame.actions, "action"), true;
  if (name == "object.fov") return findings().fov = fill(&frame.groups, "group"), true;
  if (name == "object.interactions")
    return findings().interactions = fill(&frame.groups, "group"), true;
  if (name == "object.congestions")
    return findings().congestions = fill(&frame.groups, "group"), true;
  if (name == "object.conversations")
    return findings().conversations = fill(&frame.conversations, "conversation"), true;
  if (name == "object.llm_embeddings")
    return findings().llm_embeddings = fill(&frame.embeddings, "embedding"), true;
  if (name != "object.attributes") return false;
  const Range range = Table(where, value);
  object().first_attribute = range.first;
  object().attribute_count = range.count;
  return true;
}

}  // namespace dsmsg::msgconv::sample
