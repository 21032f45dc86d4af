// SPDX-License-Identifier: Apache-2.0
// A configuration file as groups of keys and values with their line numbers, whatever its form.
// Plain functions and values.
#ifndef DSMSG_MSGCONV_CONFIG_ENTRIES_H_
#define DSMSG_MSGCONV_CONFIG_ENTRIES_H_

#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"

namespace dsmsg::msgconv {

struct ConfigEntries {
  struct Entry {
    std::string key, value;
    size_t line = 0;
  };
  struct Group {
    std::string name;
    size_t line = 0;
    std::vector<Entry> entries;  // in the order of the file, each key once
  };
  std::vector<Group> groups;
  std::vector<std::string> warnings;

  /// Adds a group; a duplicate is an error.
  Status AddGroup(std::string_view name, const std::string& origin, size_t line);
  /// Adds to the last group; an existing key is replaced, with a warning.
  void AddEntry(std::string_view key, std::string value, const std::string& origin, size_t line);
};

/// Form of a file, by the end of its name: .yml and .yaml, .csv, everything else is INI.
enum class ConfigForm { kIni, kYaml, kCsv };
ConfigForm FormOf(std::string_view path);

/// "file:12: "
std::string At(const std::string& origin, size_t line);
/// Without blanks, tabs and carriage returns at both ends.
std::string_view Trim(std::string_view text);

/// Each reads all groups; `origin` stands for the file name in messages. Anything that cannot be
/// read is an error with file and line.
Result<ConfigEntries> ReadIni(std::string_view text, const std::string& origin);
/// Groups are the keys of the document, their keys are below; a list of numbers stands for
/// "a;b;c".
Result<ConfigEntries> ReadYaml(std::string_view text, const std::string& origin);
/// DeepStream's form: a line of titles, then one line for each source from 0 on, with the columns
/// number, id of the sensor, its description, name of the camera, and three fields of the place.
Result<ConfigEntries> ReadCsv(std::string_view text, const std::string& origin);

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_CONFIG_ENTRIES_H_
