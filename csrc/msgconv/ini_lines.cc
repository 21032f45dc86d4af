// SPDX-License-Identifier: Apache-2.0
#include "msgconv/ini_lines.h"

#include <algorithm>

namespace dsmsg::msgconv {
namespace {

constexpr size_t kShown = 60;  // characters of a wrong line in its message

Status Error(const std::string& origin, size_t line, const std::string& what) {
  return {Code::kInvalidArgument, IniLines::At(origin, line) + what};
}

Status AddGroup(IniLines* lines, std::string_view name, const std::string& origin, size_t line) {
  for (const IniLines::Group& group : lines->groups) {
    if (group.name != name) continue;
    return Error(origin, line,
                 "group [" + group.name + "] appears twice (first at line " +
                     std::to_string(group.line) + "): give every source a number of its own");
  }
  lines->groups.push_back({std::string(name), line, {}});
  return {};
}

Status AddKey(IniLines* lines, std::string_view name, const std::string& origin, size_t line) {
  if (lines->groups.empty()) {
    return Error(origin, line,
                 "key \"" + std::string(name) + "\" stands before the first group, e.g. [sensor0]");
  }
  auto& keys = lines->groups.back().keys;
  const auto before =
      std::find_if(keys.begin(), keys.end(), [&](const auto& key) { return key.first == name; });
  if (before == keys.end()) {
    keys.emplace_back(name, line);
    return {};
  }
  lines->warnings.push_back(IniLines::At(origin, line) + "key \"" + std::string(name) +
                            "\" is given again (first at line " + std::to_string(before->second) +
                            "): the last one counts");
  before->second = line;
  return {};
}

}  // namespace

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::string IniLines::At(const std::string& origin, size_t line) {
  return origin + ":" + std::to_string(line) + ": ";
}

Result<IniLines> IniLines::Scan(std::string_view text, const std::string& origin) {
  IniLines lines;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    const std::string_view line = Trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line.front() == '#') continue;
    Status status;
    if (line.front() == '[' && line.back() == ']') {
      status = AddGroup(&lines, line.substr(1, line.size() - 2), origin, number);
    } else if (const size_t equals = line.find('=');
               equals != std::string_view::npos && equals > 0) {
      status = AddKey(&lines, Trim(line.substr(0, equals)), origin, number);
    } else {
      status = Error(origin, number,
                     "neither \"key=value\" nor \"[group]\" nor \"# comment\": " +
                         std::string(line.substr(0, kShown)));
    }
    if (!status.ok()) return status;
  }
  return lines;
}

}  // namespace dsmsg::msgconv
