// SPDX-License-Identifier: Apache-2.0
#include "msgconv/conv_config.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <span>

#include "core/base/text_file.h"
#include "core/options/config_parser.h"
#include "msgconv/config_entries.h"

namespace dsmsg::msgconv {
namespace {

constexpr size_t kLargestFile = size_t{16} << 20;  // thousands of cameras

// "sensor12" with the prefix "sensor" is 12.
std::optional<uint32_t> GroupNumber(std::string_view group, std::string_view prefix) {
  if (!group.starts_with(prefix)) return std::nullopt;
  const std::string_view digits = group.substr(prefix.size());
  // Each number has only one spelling; otherwise [sensor1] and [sensor01] would be the same group
  // twice.
  if (digits.empty() || (digits.size() > 1 && digits.front() == '0')) return std::nullopt;
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

bool ParseNumber(std::string_view text, double* number) {
  text = Trim(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *number);
  return error == std::errc() && stop == end && std::isfinite(*number);
}

std::string_view Unquote(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  return text;
}

// Each returns what was expected, or nullptr if the value is valid.
const char* Assign(std::string_view text, bool* target) {
  if (text == "1" || text == "true") {
    *target = true;
  } else if (text == "0" || text == "false") {
    *target = false;
  } else {
    return "0 or 1";
  }
  return nullptr;
}

const char* Assign(std::string_view text, std::string* target) {
  *target = Unquote(text);
  return nullptr;
}

const char* Assign(std::string_view text, std::optional<Triple>* target) {
  constexpr const char* kExpected = "three numbers \"a;b;c\", e.g. 45.29;-75.83;48.1";
  text = Trim(Unquote(text));
  if (text.ends_with(';')) text.remove_suffix(1);
  Triple triple{};
  for (size_t i = 0; i < triple.size(); ++i) {
    const size_t end = text.find(';');
    if ((end == std::string_view::npos) != (i + 1 == triple.size())) return kExpected;
    if (!ParseNumber(text.substr(0, end), &triple[i])) return kExpected;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  *target = triple;
  return nullptr;
}

template <class T>
struct Field {
  const char* name;
  const char* (*assign)(std::string_view text, T* target);
};

constexpr Field<SensorInfo> kSensorFields[] = {
    {"enable", [](std::string_view v, SensorInfo* s) { return Assign(v, &s->enable); }},
    {"type", [](std::string_view v, SensorInfo* s) { return Assign(v, &s->type); }},
    {"id", [](std::string_view v, SensorInfo* s) { return Assign(v, &s->id); }},
    {"location", [](std::string_view v, SensorInfo* s) { return Assign(v, &s->location); }},
    {"description", [](std::string_view v, SensorInfo* s) { return Assign(v, &s->description); }},
    {"coordinate", [](std::string_view v, SensorInfo* s) { return Assign(v, &s->coordinate); }},
};

constexpr Field<PlaceInfo> kPlaceFields[] = {
    {"enable", [](std::string_view v, PlaceInfo* p) { return Assign(v, &p->enable); }},
    {"id", [](std::string_view v, PlaceInfo* p) { return Assign(v, &p->id); }},
    {"type", [](std::string_view v, PlaceInfo* p) { return Assign(v, &p->type); }},
    {"name", [](std::string_view v, PlaceInfo* p) { return Assign(v, &p->name); }},
    {"location", [](std::string_view v, PlaceInfo* p) { return Assign(v, &p->location); }},
    {"coordinate", [](std::string_view v, PlaceInfo* p) { return Assign(v, &p->coordinate); }},
    {"place-sub-field1",
     [](std::string_view v, PlaceInfo* p) { return Assign(v, &p->sub_field[0]); }},
    {"place-sub-field2",
     [](std::string_view v, PlaceInfo* p) { return Assign(v, &p->sub_field[1]); }},
    {"place-sub-field3",
     [](std::string_view v, PlaceInfo* p) { return Assign(v, &p->sub_field[2]); }},
};

constexpr Field<AnalyticsInfo> kAnalyticsFields[] = {
    {"enable", [](std::string_view v, AnalyticsInfo* a) { return Assign(v, &a->enable); }},
    {"id", [](std::string_view v, AnalyticsInfo* a) { return Assign(v, &a->id); }},
    {"description",
     [](std::string_view v, AnalyticsInfo* a) { return Assign(v, &a->description); }},
    {"source", [](std::string_view v, AnalyticsInfo* a) { return Assign(v, &a->source); }},
    {"version", [](std::string_view v, AnalyticsInfo* a) { return Assign(v, &a->version); }},
};

}  // namespace

class ConvConfigParser {
 public:
  explicit ConvConfigParser(ConvConfig* config) : config_(config) {}

  Status ReadGroup(const ConfigEntries::Group& group) {
    if (const auto n = GroupNumber(group.name, "sensor")) {
      return ReadFields<SensorInfo>(group, kSensorFields, &config_->sensors_[*n]);
    }
    if (const auto n = GroupNumber(group.name, "place")) {
      return ReadFields<PlaceInfo>(group, kPlaceFields, &config_->places_[*n]);
    }
    if (const auto n = GroupNumber(group.name, "analytics")) {
      return ReadFields<AnalyticsInfo>(group, kAnalyticsFields, &config_->analytics_[*n]);
    }
    if (group.name == "message-converter") return ReadHostGroup(group);
    if (group.name == "ds3d::datamap") return ReadDataMap(group);
    Warn(group.line,
         group.name == "schema"
             ? "group [schema] has no effect here: set the format of the messages with the "
               "element's properties payload-type and minimal-format"
             : "unknown group [" + group.name +
                   "] (known: [sensorN], [placeN], [analyticsN], N being the source id)");
    return {};
  }

 private:
  template <class T>
  Status ReadFields(const ConfigEntries::Group& group, std::span<const Field<T>> fields,
                    T* target) {
    for (const auto& [key, value, line] : group.entries) {
      const Field<T>* field = nullptr;
      for (const Field<T>& candidate : fields) {
        if (key == candidate.name) field = &candidate;
      }
      if (field == nullptr) {
        std::string known;
        for (const Field<T>& each : fields) {
          if (!known.empty()) known += ", ";
          known += each.name;
        }
        std::string text = "unknown key \"";
        text.append(key).append("\" in [").append(group.name);
        Warn(line, text.append("] (known: ").append(known).append(")"));
        continue;
      }
      if (const char* expected = field->assign(value, target)) {
        std::string text = At(config_->origin_, line);
        text.append(key).append("=").append(value).append(" in [").append(group.name);
        text.append("]: expected ").append(expected).append(CommentHint(value));
        return {Code::kInvalidArgument, text};
      }
    }
    return {};
  }

  // Found in DeepStream's other configuration files; what it sets is a property here.
  Status ReadHostGroup(const ConfigEntries::Group& group) {
    for (const auto& [key, value, line] : group.entries) {
      if (key == "minimal-format") {
        if (value != "objects" && value != "delimited") {
          return Unexpected(line, key, value, "objects or delimited");
        }
        config_->minimal_format_ =
            value == "delimited" ? MinimalFormat::kDelimited : MinimalFormat::kObjects;
      } else if (key == "dialect") {
        if (value != "deepstream" && value != "dsmsg") {
          return Unexpected(line, key, value, "deepstream or dsmsg");
        }
        config_->dialect_ = value == "dsmsg" ? Dialect::kDsmsg : Dialect::kDeepStream;
      } else if (key == "payload-type") {
        Warn(line,
             "payload-type in [message-converter] has no effect here: set the converter's property "
             "payload-type=" +
                 value);
      } else if (key == "enable" || key == "msg-format" || key == "schema-file") {
        Warn(line, key +
                       " in [message-converter] has no effect here: set the format of the messages "
                       "with the converter's properties payload-type, minimal-format and, for your "
                       "own format, msg2p-lib");
      } else {
        Warn(line,
             "unknown key \"" + key + "\" in [message-converter] (known: minimal-format, dialect)");
      }
    }
    return {};
  }

  // The names of lidar data in DeepStream's ds3d buffers.
  Status ReadDataMap(const ConfigEntries::Group& group) {
    constexpr std::string_view kKnown[] = {"2d_objects_key",      "3d_objects_key",
                                           "fused_detection_key", "lidar_data_key",
                                           "lidar_element_size",  "lidar_element_max_points"};
    Warn(group.line,
         "group [ds3d::datamap] has no effect here: data maps of DeepStream's ds3d elements are "
         "not read");
    for (const auto& [key, value, line] : group.entries) {
      if (std::find(std::begin(kKnown), std::end(kKnown), key) != std::end(kKnown)) continue;
      Warn(line, "unknown key \"" + key + "\" in [ds3d::datamap]");
    }
    return {};
  }

  Status Unexpected(size_t line, const std::string& key, const std::string& value,
                    const std::string& expected) const {
    return {Code::kInvalidArgument, At(config_->origin_, line) + key + "=" + value +
                                        " in [message-converter]: expected " + expected};
  }

  void Warn(size_t line, const std::string& what) {
    config_->warnings_.push_back(At(config_->origin_, line) + what);
  }

  ConvConfig* const config_;
};

Result<ConvConfig> ConvConfig::Load(const std::string& path) {
  const Result<std::string> text = ReadTextFile(path, kLargestFile);
  if (!text.ok()) {
    return Status(Code::kInvalidArgument,
                  "cannot read the configuration " + path + ": " + text.status().message());
  }
  return Parse(text.value(), path);
}

Result<ConvConfig> ConvConfig::Parse(std::string_view text, const std::string& origin) {
  text = WithoutByteOrderMark(text);
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return Status(Code::kInvalidArgument,
                  origin + ": byte " + std::to_string(nul) + " is 0: this is not a text file");
  }
  const ConfigForm form = FormOf(origin);
  Result<ConfigEntries> entries = form == ConfigForm::kYaml  ? ReadYaml(text, origin)
                                  : form == ConfigForm::kCsv ? ReadCsv(text, origin)
                                                             : ReadIni(text, origin);
  if (!entries.ok()) return entries.status();
  ConvConfig config;
  config.origin_ = origin;
  config.is_csv_ = form == ConfigForm::kCsv;
  config.warnings_ = std::move(entries->warnings);
  if (entries->groups.empty()) {
    config.warnings_.push_back(origin +
                               ": the configuration is empty: messages are sent without sensor, "
                               "place and analyticsModule");
    return config;
  }
  ConvConfigParser parser(&config);
  for (const ConfigEntries::Group& group : entries->groups) {
    if (Status status = parser.ReadGroup(group); !status.ok()) return status;
  }
  return config;
}

std::string ConvConfig::Missing(uint32_t source, bool sensor_only) const {
  std::string missing;
  const auto note = [&](bool there, const char* kind) {
    if (there) return;
    if (!missing.empty()) missing += ", ";
    missing += "[" + std::string(kind) + std::to_string(source) + "]";
  };
  note(sensors_.contains(source), "sensor");
  if (!sensor_only) {
    note(places_.contains(source), "place");
    note(analytics_.contains(source), "analytics");
  }
  return missing;
}

}  // namespace dsmsg::msgconv
