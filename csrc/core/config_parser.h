// SPDX-License-Identifier: Apache-2.0
// Fills a Config from the text of a key file. Used by Config::Parse only; one thread.
#ifndef DSMSG_CORE_CONFIG_PARSER_H_
#define DSMSG_CORE_CONFIG_PARSER_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/option_value.h"
#include "core/options.h"
#include "core/status.h"

namespace dsmsg {

class ConfigParser {
 public:
  /// Both must outlive the parser.
  ConfigParser(const OptionTable& table, const std::string& origin)
      : table_(table), origin_(origin) {}

  Result<Config> Parse(std::string_view text);

 private:
  Status SetDefaults();
  /// Checks the syntax line by line (GKeyFile's own messages have no line and quote what may be a
  /// secret), remembers where each key stands, and builds the text for GKeyFile.
  Status Scan(std::string_view text);
  Status ScanLine(std::string_view line);
  Status ScanGroup(std::string_view line);
  Status ScanKey(std::string_view line);
  Status ReadValues();
  Status Set(const std::string& key, std::string_view raw);
  Status SetKnown(const OptionSpec& spec, const std::string& key, std::string_view raw);

  std::string At(size_t line) const;  // "file:line: "
  Status Bad(size_t line, const std::string& what) const;
  void Warn(size_t line, const std::string& what);

  const OptionTable& table_;
  const std::string& origin_;
  Config config_;
  size_t line_ = 0;                            // the one being scanned
  std::string group_;                          // the one being scanned
  std::string prepared_;                       // for GKeyFile
  std::map<std::string, size_t> group_lines_;  // name -> first line
  std::map<std::string, size_t> key_lines_;    // of our group: canonical name -> last line
};

/// Replaces `${env:NAME}` and `${file:/path}`; `$${` stands for a literal `${`. The error names the
/// variable or the path, never a value. Adds the paths to `files`.
Result<std::string> ExpandSecret(std::string_view text, std::vector<std::string>* files);

/// Reads a regular file of at most `limit` bytes. Never blocks on a pipe. The error says why in
/// words.
Result<std::string> ReadTextFile(const std::string& path, size_t limit);

}  // namespace dsmsg

#endif  // DSMSG_CORE_CONFIG_PARSER_H_
