// SPDX-License-Identifier: Apache-2.0
// Fills a Config from the text of a key file (one thread), and checks single options (any thread).
#ifndef DSMSG_CORE_OPTIONS_CONFIG_PARSER_H_
#define DSMSG_CORE_OPTIONS_CONFIG_PARSER_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/status.h"
#include "core/options/config.h"
#include "core/options/option_value.h"
#include "core/options/options.h"

namespace dsmsg {

/// A value as written in a file, without the blanks and the pair of quotes around it.
struct Unquoted {
  std::string_view text;
  bool quoted = false;
  bool open = false;  // begins with a quote that is not closed
};
Unquoted Unquote(std::string_view raw);

/// Whether an unquoted text seems to have a comment after it. In pairs, blanks before a ';' are
/// usual, and a value may have its own quotes.
bool SeemsComment(std::string_view text, bool pairs);

/// Advice to append to an error about an unquoted value that seems to have a comment after it;
/// otherwise "".
std::string CommentHint(std::string_view raw);

/// The value of an option, without quotes. The error names the option, the value unless it may be a
/// secret, and what is allowed; `hint` stands behind that.
Result<OptionValue> EvaluateOption(const OptionSpec& spec, const OptionType& type,
                                   std::string_view text, const std::string& hint = {});

/// Whether `table` has the option and allows the value (not given: only the name is checked). The
/// message is that of Config::Load without the place; an unknown name is an error here. Reads
/// neither files nor the environment: what stands for a secret is not looked up.
Status CheckOption(const OptionTable& table, std::string_view name,
                   std::optional<std::string_view> value);

class ConfigParser {
 public:
  /// Both must outlive the parser. `group`: the one that is read.
  ConfigParser(const OptionTable& table, const std::string& origin,
               std::string group = "message-broker")
      : table_(table), origin_(origin), wanted_(std::move(group)) {}

  Result<Config> Parse(std::string_view text);

 private:
  struct Key {
    size_t line = 0;      // the last one that sets it
    std::string written;  // as it is spelled there
  };

  Status SetDefaults();
  /// Checks the syntax line by line (GKeyFile's own messages have no line and quote what may be a
  /// secret), remembers the line of each key, and builds the text for GKeyFile.
  Status Scan(std::string_view text);
  Status ScanLine(std::string_view line);
  Status ScanGroup(std::string_view line);
  Status ScanKey(std::string_view line);
  Status ReadValues();
  Status Set(const Key& key, const OptionSpec* spec, std::string_view raw);
  Status SetKnown(const OptionSpec& spec, size_t line, std::string_view raw);
  /// EvaluateOption, with what stands for a secret replaced. Pairs are split first, so that a
  /// secret cannot add pairs of its own.
  Result<OptionValue> Evaluate(const OptionSpec& spec, const OptionType& type, size_t line,
                               const Unquoted& value, std::string_view raw);
  void WarnOfTlsOff();
  void WarnOfComment(const OptionSpec& spec, const OptionType& type, size_t line,
                     std::string_view raw);

  std::string At(size_t line) const;  // "file:line: "
  Status Bad(size_t line, const std::string& what) const;
  void Warn(size_t line, const std::string& what);

  const OptionTable& table_;
  const std::string& origin_;
  const std::string wanted_;  // the group
  Config config_;
  size_t line_ = 0;                            // the one being scanned
  std::string group_;                          // the one being scanned
  std::string prepared_;                       // for GKeyFile
  std::map<std::string, size_t> group_lines_;  // name -> first line
  std::map<std::string, Key> keys_;            // of our group, by canonical name
};

/// Replaces `${env:NAME}` and `${file:/path}`; `$${` stands for a literal `${`. The error names the
/// variable or the path, never a value. Adds the paths to `files`.
Result<std::string> ExpandSecret(std::string_view text, std::vector<std::string>* files);

}  // namespace dsmsg

#endif  // DSMSG_CORE_OPTIONS_CONFIG_PARSER_H_
