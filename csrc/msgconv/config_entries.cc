// SPDX-License-Identifier: Apache-2.0
// What the forms share, INI and CSV.
#include "msgconv/config_entries.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/options/config_parser.h"

namespace dsmsg::msgconv {
namespace {

constexpr size_t kShown = 60;  // characters of a wrong line in its message

Status Error(const std::string& origin, size_t line, const std::string& what) {
  return {Code::kInvalidArgument, At(origin, line) + what};
}

// Removes the first line from the text.
std::string_view TakeLine(std::string_view* text) {
  const size_t end = text->find('\n');
  const std::string_view line = Trim(text->substr(0, end));
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  return line;
}

// The next field of a CSV line, without its quotes ("" inside them is one quote).
std::string TakeField(std::string_view* line) {
  *line = Trim(*line);
  std::string field;
  if (line->starts_with('"')) {
    size_t at = 1;
    for (; at < line->size(); ++at) {
      if ((*line)[at] != '"') {
        field.push_back((*line)[at]);
      } else if (at + 1 < line->size() && (*line)[at + 1] == '"') {
        field.push_back((*line)[at++]);
      } else {
        break;
      }
    }
    line->remove_prefix(std::min(at + 1, line->size()));
    const size_t comma = line->find(',');
    line->remove_prefix(comma == std::string_view::npos ? line->size() : comma + 1);
    return field;
  }
  const size_t comma = line->find(',');
  field = Trim(line->substr(0, comma));
  line->remove_prefix(comma == std::string_view::npos ? line->size() : comma + 1);
  return field;
}

}  // namespace

Status ConfigEntries::AddGroup(std::string_view name, const std::string& origin, size_t line) {
  for (const Group& group : groups) {
    if (group.name != name) continue;
    return Error(origin, line,
                 "group [" + group.name + "] appears twice (first at line " +
                     std::to_string(group.line) + "): give every source its own number");
  }
  groups.push_back({std::string(name), line, {}});
  return {};
}

void ConfigEntries::AddEntry(std::string_view key, std::string value, const std::string& origin,
                             size_t line) {
  auto& entries = groups.back().entries;
  const auto before = std::find_if(entries.begin(), entries.end(),
                                   [&](const Entry& entry) { return entry.key == key; });
  if (before == entries.end()) {
    entries.push_back({std::string(key), std::move(value), line});
    return;
  }
  warnings.push_back(At(origin, line) + "key \"" + std::string(key) +
                     "\" is given again (first at line " + std::to_string(before->line) +
                     "): the last one counts");
  before->value = std::move(value);
  before->line = line;
}

ConfigForm FormOf(std::string_view path) {
  if (path.ends_with(".yml") || path.ends_with(".yaml")) return ConfigForm::kYaml;
  return path.ends_with(".csv") ? ConfigForm::kCsv : ConfigForm::kIni;
}

std::string At(const std::string& origin, size_t line) {
  return origin + ":" + std::to_string(line) + ": ";
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

Result<ConfigEntries> ReadIni(std::string_view text, const std::string& origin) {
  ConfigEntries config;
  for (size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = TakeLine(&text);
    if (line.empty() || line.front() == '#') continue;
    const size_t equals = line.find('=');
    if (line.front() == '[' && line.back() == ']') {
      Status status = config.AddGroup(line.substr(1, line.size() - 2), origin, number);
      if (!status.ok()) return status;
    } else if (equals == std::string_view::npos || equals == 0) {
      return Error(origin, number,
                   "not \"key=value\", \"[group]\" or \"# comment\": " +
                       std::string(line.substr(0, kShown)));
    } else {
      const std::string_view key = Trim(line.substr(0, equals));
      if (config.groups.empty()) {
        return Error(
            origin, number,
            "key \"" + std::string(key) + "\" comes before the first group, e.g. [sensor0]");
      }
      // Taken literally: a backslash in a description is not an escape, a semicolon does not make a
      // list.
      const std::string_view value = Trim(line.substr(equals + 1));
      config.AddEntry(key, std::string(value), origin, number);
      if (!SeemsComment(value, /*pairs=*/true)) continue;  // "1 ; 2 ; 3" has none
      config.warnings.push_back(At(origin, number) + "key \"" + std::string(key) +
                                "\": what looks like a comment after the value is read as part of "
                                "it (move the comment to its own line)");
    }
  }
  return config;
}

Result<ConfigEntries> ReadCsv(std::string_view text, const std::string& origin) {
  constexpr std::string_view kSubFields[] = {"place-sub-field1", "place-sub-field2",
                                             "place-sub-field3"};
  ConfigEntries config;
  size_t source = 0;
  bool titles = true;
  for (size_t number = 1; !text.empty(); ++number) {
    std::string_view line = TakeLine(&text);
    if (line.empty() || line.front() == '#') continue;
    if (std::exchange(titles, false)) continue;
    std::vector<std::string> fields;
    while (!line.empty()) fields.push_back(TakeField(&line));
    if (fields.size() < 7) {
      return Error(origin, number,
                   "a line has " + std::to_string(fields.size()) +
                       " fields, expected 7: number, sensor id, description, camera name, and "
                       "three fields of the place");
    }
    const std::string name = std::to_string(source++);
    if (Status status = config.AddGroup("sensor" + name, origin, number); !status.ok()) {
      return status;
    }
    config.AddEntry("id", fields[1], origin, number);
    config.AddEntry("type", "Camera", origin, number);
    config.AddEntry("description", fields[2], origin, number);
    if (Status status = config.AddGroup("place" + name, origin, number); !status.ok()) {
      return status;
    }
    for (size_t i = 0; i < std::size(kSubFields); ++i) {
      config.AddEntry(kSubFields[i], fields[4 + i], origin, number);
    }
  }
  config.warnings.push_back(origin +
                            ": the CSV form has no analytics, and only three fields for a place: "
                            "use INI or YAML for more");
  return config;
}

}  // namespace dsmsg::msgconv
