// SPDX-License-Identifier: Apache-2.0
// Typed settings of one connection, read from an INI file (GLib key file) against an option table.
// Immutable after Load: any thread may read.
#ifndef DSMSG_CORE_OPTIONS_CONFIG_H_
#define DSMSG_CORE_OPTIONS_CONFIG_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/status.h"
#include "core/base/time.h"
#include "core/options/options.h"

namespace dsmsg {

class Config {
 public:
  /// Reads group [message-broker] of `path` ("" : all defaults). A file that cannot be read, a bad
  /// value (message names file, line, key, value unless secret, and what is allowed) or an
  /// unavailable option is an error. Unknown keys and deprecated ones become warnings().
  static Result<Config> Load(const std::string& path, const OptionTable& table);
  /// The same from text; `origin` stands for the file name in messages.
  static Result<Config> Parse(std::string_view text, const std::string& origin,
                              const OptionTable& table);

  /// `USER_<suffix>` and `PASSWORD_<suffix>` of the environment replace `username` and `password`.
  void ApplyEnvironment(const char* suffix);

  bool Has(std::string_view name) const;    // in the table
  bool IsSet(std::string_view name) const;  // in the file or environment

  // The value or its default. The option must be in the table and of that type (asserted).
  std::string GetString(std::string_view name) const;  // string, path, template, enum
  int64_t GetInt(std::string_view name) const;
  bool GetBool(std::string_view name) const;
  Millis GetMillis(std::string_view name) const;  // ms and s
  uint64_t GetBytes(std::string_view name) const;
  Pairs GetPairs(std::string_view name) const;

  /// Names of the options whose values differ from those of `other`, which has the same table.
  std::vector<std::string> Different(const Config& other) const;

  const std::vector<std::string>& warnings() const { return warnings_; }
  /// The files that `${file:/path}` named, in the order of the keys; a file may be there twice.
  const std::vector<std::string>& files() const { return files_; }
  /// name=value lines, sorted by name, of every option that is not kOptLocal, secrets included,
  /// defaults filled in: input of the connection signature; never log it.
  std::string Canonical() const;

 private:
  /// Holds what it needs of its option, not a pointer to it: a Config outlives its table and may be
  /// copied.
  struct Value {
    enum class Form { kText, kNumber, kPairs } form = Form::kText;
    unsigned flags = 0;  // OptionFlags
    bool set = false;
    std::string text;    // unquoted, secrets expanded except in pairs
    Pairs pairs;         // secrets expanded
    int64_t number = 0;  // int, bool, milliseconds, bytes
  };
  friend class ConfigParser;
  const Value& Get(std::string_view name) const;
  static std::string CanonicalValue(const Value& value);

  std::map<std::string, Value, std::less<>> values_;  // canonical names (dashes)
  std::vector<std::string> warnings_, files_;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_OPTIONS_CONFIG_H_
