// SPDX-License-Identifier: Apache-2.0
#include "space/rules.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/base/text_file.h"
#include "msgconv/yaml_tree.h"
#include "space/geometry.h"

namespace dsmsg::space {
namespace {

using msgconv::IsPlainYaml;
using msgconv::UnknownYamlName;
using msgconv::YamlFail;
using msgconv::YamlText;

constexpr size_t kLargestFile = 1 << 20;
constexpr size_t kMostSources = 4096, kMostShapes = 64, kMostPoints = 64, kLongestName = 64;
constexpr double kMostSeconds = 1e6;

struct NamedAnchor {
  std::string_view name;
  Anchor anchor;
};
constexpr NamedAnchor kAnchors[] = {
    {"bottom-center", {0.5F, 1}}, {"center", {0.5F, 0.5F}},   {"top-center", {0.5F, 0}},
    {"bottom-left", {0, 1}},      {"bottom-right", {1, 1}},   {"top-left", {0, 0}},
    {"top-right", {1, 0}},        {"center-left", {0, 0.5F}}, {"center-right", {1, 0.5F}},
};

class RulesReader {
 public:
  RulesReader(yaml_document_t* document, Rules* rules) : document_(document), rules_(rules) {}

  void Read() {
    const yaml_node_t* const root = yaml_document_get_root_node(document_);
    if (root == nullptr) throw msgconv::YamlMistake{{}, "the file is empty: it needs \"sources:\""};
    NeedMapping(*root, "\"sources:\", with the cameras below");
    const yaml_node_t* sources = nullptr;
    bool sized = false;
    ForEach(*root, [&](const yaml_node_t& key, const yaml_node_t& value) {
      const std::string_view name = YamlText(key);
      if (name == "sources") {
        sources = &value;
      } else if (name == "coordinates") {
        rules_->pixels = OneOf(value, {"fractions", "pixels"}) == 1;
      } else if (name == "size") {
        ReadSize(value);
        sized = true;
      } else if (name == "send") {
        rules_->send = static_cast<Rules::Send>(OneOf(value, {"events", "all", "changed"}));
      } else if (name == "lost-after") {
        rules_->lost_ns = Seconds(value);
      } else if (name == "max-tracks") {
        rules_->most_tracks = Count(value, 100'000);
      } else if (name == "tracks") {
        rules_->track_events = Flag(value);
      } else if (name != "description") {
        Unknown(key, {"sources", "coordinates", "size", "send", "lost-after", "max-tracks",
                      "tracks", "description"});
      }
    });
    if (sized && !rules_->pixels)
      YamlFail(*root, "\"size\" says what picture pixels refer to: it needs coordinates: pixels");
    if (sources == nullptr) YamlFail(*root, "\"sources:\" is missing: lines and zones of cameras");
    NeedMapping(*sources, "a camera, as in \"0:\" or \"*\":, with its lines and zones below");
    ForEach(*sources,
            [&](const yaml_node_t& key, const yaml_node_t& value) { ReadSource(key, value); });
  }

 private:
  using Names = std::initializer_list<std::string_view>;
  template <typename Do>
  void ForEach(const yaml_node_t& mapping, Do with) {
    msgconv::ForEachYamlMember(document_, mapping, with);
  }
  [[noreturn]] static void Unknown(const yaml_node_t& key, Names names) {
    YamlFail(key, UnknownYamlName(YamlText(key), {names.begin(), names.size()}));
  }
  static void NeedMapping(const yaml_node_t& node, const std::string& what) {
    if (node.type != YAML_MAPPING_NODE) YamlFail(node, "expected " + what);
  }
  static std::string_view Text(const yaml_node_t& node, const char* what) {
    if (node.type != YAML_SCALAR_NODE) YamlFail(node, std::string("expected ") + what);
    return YamlText(node);
  }
  static size_t OneOf(const yaml_node_t& node, Names names) {
    const std::string_view text = Text(node, "one word");
    const auto* const found = std::find(names.begin(), names.end(), text);
    if (found == names.end()) YamlFail(node, UnknownYamlName(text, {names.begin(), names.size()}));
    return static_cast<size_t>(found - names.begin());
  }
  static bool Flag(const yaml_node_t& node) { return OneOf(node, {"false", "true"}) == 1; }
  static double Number(const yaml_node_t& node, double least, double most) {
    const std::string_view text = Text(node, "a number");
    double value = 0;
    const char* const end = text.data() + text.size();
    const auto result = std::from_chars(text.data(), end, value);
    if (!IsPlainYaml(node) || result.ec != std::errc() || result.ptr != end)
      YamlFail(node, "\"" + std::string(text) + "\" is not a number");
    if (!(value >= least && value <= most)) {
      YamlFail(node, std::string(text) + " is not from " + Short(least) + " to " + Short(most));
    }
    return value;
  }
  static std::string Short(double value) {
    std::string text(32, '\0');
    const auto end =
        std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed).ptr;
    text.resize(static_cast<size_t>(end - text.data()));
    return text;
  }
  static uint64_t Seconds(const yaml_node_t& node) {
    return static_cast<uint64_t>(std::llround(Number(node, 0, kMostSeconds) * 1e9));
  }
  static uint32_t Count(const yaml_node_t& node, uint32_t most) {
    const double value = Number(node, 1, most);
    if (value != std::floor(value)) YamlFail(node, "a whole number is expected");
    return static_cast<uint32_t>(value);
  }
  std::vector<const yaml_node_t*> Items(const yaml_node_t& node, const char* what) {
    if (node.type != YAML_SEQUENCE_NODE) YamlFail(node, std::string("expected ") + what);
    std::vector<const yaml_node_t*> items;
    const auto& list = node.data.sequence.items;
    for (const yaml_node_item_t* item = list.start; item < list.top; ++item)
      items.push_back(&msgconv::YamlNode(document_, *item));
    return items;
  }

  void ReadSize(const yaml_node_t& node) {
    const auto items = Items(node, "width and height in pixels, as in [1920, 1080]");
    if (items.size() != 2)
      YamlFail(node, "expected width and height in pixels, as in [1920, 1080]");
    rules_->width = Count(*items[0], 1 << 20);
    rules_->height = Count(*items[1], 1 << 20);
  }

  /// A name is part of other names: "gate.in".
  static std::string Name(const yaml_node_t& node) {
    const std::string_view text = Text(node, "a name");
    const bool fits = !text.empty() && text.size() <= kLongestName &&
                      std::all_of(text.begin(), text.end(), [](char c) {
                        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                               (c >= '0' && c <= '9') || c == '_' || c == '-';
                      });
    if (!fits) {
      YamlFail(node, "\"" + std::string(text) +
                         "\" is not a name: up to 64 letters, digits, \"-\" and \"_\"");
    }
    return std::string(text);
  }

  void ReadSource(const yaml_node_t& key, const yaml_node_t& node) {
    const std::string_view name = YamlText(key);
    SourceRules source;
    NeedMapping(node, "\"lines:\" and \"zones:\" of this camera");
    names_.clear();
    ForEach(node, [&](const yaml_node_t& part, const yaml_node_t& value) {
      const bool lines = YamlText(part) == "lines";
      if (!lines && YamlText(part) != "zones") Unknown(part, {"lines", "zones"});
      NeedMapping(value, lines ? "a line, as in \"gate:\", with its points below"
                               : "a zone, as in \"yard:\", with its points below");
      ForEach(value, [&](const yaml_node_t& shape, const yaml_node_t& members) {
        AddName(shape);
        if (names_.size() > kMostShapes) YamlFail(shape, "a camera has at most 64 lines and zones");
        NeedMapping(members, "\"points:\" of " + std::string(YamlText(shape)));
        if (lines) {
          source.lines.push_back(ReadLine(shape, members));
        } else {
          source.zones.push_back(ReadZone(shape, members));
        }
      });
    });
    if (++sources_ > kMostSources) YamlFail(key, "there are more than 4096 cameras");
    uint32_t number = 0;
    const char* const end = name.data() + name.size();
    const auto read = std::from_chars(name.data(), end, number);
    if (name == "*") {
      rules_->others = std::move(source);
    } else if (IsPlainYaml(key) && read.ec == std::errc() && read.ptr == end) {
      if (!rules_->by_number.try_emplace(number, std::move(source)).second)
        YamlFail(key, "camera " + std::to_string(number) + " is here twice");
    } else {
      rules_->by_name[std::string(name)] = std::move(source);
    }
  }

  void AddName(const yaml_node_t& node) {
    std::string name = Name(node);
    if (std::find(names_.begin(), names_.end(), name) != names_.end()) {
      YamlFail(node,
               "\"" + name + "\" is a line and a zone of this camera: they share their names");
    }
    names_.push_back(std::move(name));
  }

  /// False: not a member that lines and zones share.
  bool ReadShared(std::string_view name, const yaml_node_t& value, Shape* shape) {
    if (name == "points") {
      ReadPoints(value, shape);
    } else if (name == "anchor") {
      const std::string_view text = Text(value, "a point of the box, such as bottom-center");
      const auto* const found =
          std::find_if(std::begin(kAnchors), std::end(kAnchors),
                       [&](const NamedAnchor& each) { return each.name == text; });
      if (found == std::end(kAnchors)) {
        std::vector<std::string_view> names;
        for (const NamedAnchor& each : kAnchors) names.push_back(each.name);
        YamlFail(value, UnknownYamlName(text, names));
      }
      shape->anchor = found->anchor;
    } else if (name == "labels") {
      for (const yaml_node_t* item : Items(value, "a list of classes, as in [car, bus]"))
        shape->labels.emplace_back(Text(*item, "the name of a class"));
      if (shape->labels.empty()) YamlFail(value, "the list is empty: nothing would be counted");
    } else if (name == "margin") {
      shape->margin = Number(value, 0, rules_->pixels ? 1e4 : 1);
    } else {
      return false;
    }
    return true;
  }

  void ReadPoints(const yaml_node_t& node, Shape* shape) {
    constexpr const char* kExpected = "a list of points, as in [[0.1, 0.5], [0.9, 0.5]]";
    const auto points = Items(node, kExpected);
    if (points.size() > kMostPoints) YamlFail(node, "there are more than 64 points");
    for (const yaml_node_t* point : points) {
      const auto numbers = Items(*point, "a point, as in [0.1, 0.5]");
      if (numbers.size() != 2) YamlFail(*point, "a point has two numbers, as in [0.1, 0.5]");
      shape->points.push_back({Coordinate(*numbers[0]), Coordinate(*numbers[1])});
      places_.push_back(point);
    }
  }

  /// A line may begin outside of the picture. Pixels in a file of fractions are a mistake.
  double Coordinate(const yaml_node_t& node) const {
    if (rules_->pixels) return Number(node, -1e5, 1e5);
    const double value = Number(node, -1e5, 1e5);
    if (value < -1 || value > 2) {
      YamlFail(node, std::string(YamlText(node)) +
                         " is no part of the picture, which is from 0 to 1 (write \"coordinates: "
                         "pixels\" at the top of the file for pixels)");
    }
    return value;
  }

  void CheckShape(const yaml_node_t& key, const Shape& shape, bool closed) {
    const size_t least = closed ? 3 : 2;
    if (shape.points.size() < least) {
      YamlFail(key,
               std::string("\"points\" of ") + std::string(YamlText(key)) + ": " +
                   (closed ? "a zone has three corners or more" : "a line has two points or more"));
    }
    // As places in a large picture: what is apart there is apart enough.
    std::vector<Place> places;
    const double scale = rules_->pixels ? 1 : 8192;
    for (const FilePoint& point : shape.points)
      places.push_back(*PlaceOf(point.x * scale, point.y * scale));
    if (const auto part = Touches(places, closed)) {
      YamlFail(*places_[*part], closed ? "the zone's border touches itself, from this corner on"
                                       : "the line touches itself, from this point on (a closed "
                                         "line is a zone)");
    }
  }

  LineRule ReadLine(const yaml_node_t& key, const yaml_node_t& node) {
    LineRule line;
    line.name = YamlText(key);
    line.right = "right";
    line.left = "left";
    places_.clear();
    ForEach(node, [&](const yaml_node_t& part, const yaml_node_t& value) {
      const std::string_view name = YamlText(part);
      if (ReadShared(name, value, &line.shape)) return;
      if (name == "directions") {
        const auto items = Items(value, "two names, as in [in, out]");
        if (items.size() != 2) YamlFail(value, "expected two names, as in [in, out]");
        line.right = Name(*items[0]);
        line.left = Name(*items[1]);
        if (line.right == line.left) YamlFail(value, "the two directions have the same name");
      } else if (name == "by-class") {
        line.by_class = Flag(value);
      } else {
        Unknown(part, {"points", "directions", "anchor", "labels", "margin", "by-class"});
      }
    });
    CheckShape(key, line.shape, /*closed=*/false);
    line.right_total = line.name + "." + line.right;
    line.left_total = line.name + "." + line.left;
    return line;
  }

  ZoneRule ReadZone(const yaml_node_t& key, const yaml_node_t& node) {
    ZoneRule zone;
    zone.name = YamlText(key);
    places_.clear();
    ForEach(node, [&](const yaml_node_t& part, const yaml_node_t& value) {
      const std::string_view name = YamlText(part);
      if (ReadShared(name, value, &zone.shape)) return;
      if (name == "dwell") {
        zone.dwell_ns = Seconds(value);
      } else if (name == "crowd") {
        ReadCrowd(value, &zone);
      } else if (name == "by-class") {
        zone.by_class = Flag(value);
      } else if (name == "events") {
        zone.tells_enter = zone.tells_leave = false;
        for (const yaml_node_t* item : Items(value, "a list, as in [enter, leave]"))
          (OneOf(*item, {"enter", "leave"}) == 0 ? zone.tells_enter : zone.tells_leave) = true;
      } else {
        Unknown(part,
                {"points", "anchor", "labels", "margin", "dwell", "crowd", "by-class", "events"});
      }
    });
    CheckShape(key, zone.shape, /*closed=*/true);
    return zone;
  }

  void ReadCrowd(const yaml_node_t& node, ZoneRule* zone) {
    NeedMapping(node, "how many and how long, as in {count: 5, for: 3}");
    ForEach(node, [&](const yaml_node_t& part, const yaml_node_t& value) {
      if (YamlText(part) == "count") {
        zone->crowd_count = Count(value, 1'000'000);
      } else if (YamlText(part) == "for") {
        zone->crowd_ns = Seconds(value);
      } else {
        Unknown(part, {"count", "for"});
      }
    });
    if (!zone->crowd_count) YamlFail(node, "\"count\" is missing: how many make a crowd");
  }

  yaml_document_t* const document_;
  Rules* const rules_;
  std::vector<std::string> names_;          // of the source at hand
  std::vector<const yaml_node_t*> places_;  // of the points of the shape at hand
  size_t sources_ = 0;
};

}  // namespace

bool Shape::Wants(std::string_view label) const {
  return labels.empty() || std::find(labels.begin(), labels.end(), label) != labels.end();
}

Result<std::shared_ptr<const Rules>> Rules::Parse(std::string_view text,
                                                  const std::string& origin) {
  auto rules = std::make_shared<Rules>();
  const Status status = msgconv::ReadYamlTree(
      text, origin, [&](yaml_document_t* document) { RulesReader(document, rules.get()).Read(); });
  if (!status.ok()) return status;
  return std::shared_ptr<const Rules>(std::move(rules));
}

Result<std::shared_ptr<const Rules>> Rules::Load(const std::string& path) {
  Result<std::string> text = ReadTextFile(path, kLargestFile);
  if (!text.ok()) {
    return Status(text.status().code(),
                  "cannot read the lines and zones of " + path + ": " + text.status().message());
  }
  return Parse(text.value(), path);
}

std::shared_ptr<const Rules> Rules::OnlyTracks() {
  auto rules = std::make_shared<Rules>();
  rules->send = Send::kAll;
  return rules;
}

const SourceRules* Rules::Find(uint32_t source, std::span<const std::string_view> names) const {
  if (const auto found = by_number.find(source); found != by_number.end()) return &found->second;
  if (!by_name.empty()) {
    for (const std::string_view name : names) {
      if (const auto found = by_name.find(name); found != by_name.end()) return &found->second;
    }
  }
  return others ? &*others : nullptr;
}

}  // namespace dsmsg::space
