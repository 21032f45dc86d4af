// SPDX-License-Identifier: Apache-2.0
// Where things stand in an INI file. GLib's key file reads values but knows no line numbers, joins
// groups of the same name and keeps the last of two equal keys; this finds them for messages. Plain
// functions and values.
#ifndef DSMSG_MSGCONV_INI_LINES_H_
#define DSMSG_MSGCONV_INI_LINES_H_

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/status.h"

namespace dsmsg::msgconv {

struct IniLines {
  struct Group {
    std::string name;
    size_t line = 0;
    std::vector<std::pair<std::string, size_t>>
        keys;  // name and line, in the order of the file, each once
  };
  std::vector<Group> groups;
  std::vector<std::string> warnings;  // keys that are given twice

  /// "file:12: "
  static std::string At(const std::string& origin, size_t line);
  /// A line that is none, a key before the first group, or a group that appears twice is an error.
  static Result<IniLines> Scan(std::string_view text, const std::string& origin);
};

/// Without blanks, tabs and carriage returns at both ends.
std::string_view Trim(std::string_view text);

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_INI_LINES_H_
