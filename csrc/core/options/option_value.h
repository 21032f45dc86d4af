// SPDX-License-Identifier: Apache-2.0
// Text of an option <-> typed value, by the type language of OptionSpec. Pure functions: any
// thread.
#ifndef DSMSG_CORE_OPTIONS_OPTION_VALUE_H_
#define DSMSG_CORE_OPTIONS_OPTION_VALUE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/options/options.h"

namespace dsmsg {

/// An OptionSpec::type taken apart.
struct OptionType {
  enum class Kind {
    kString,
    kPath,
    kBool,
    kTemplate,
    kPairs,
    kEnum,
    kInt,
    kMillis,
    kSeconds,
    kBytes
  };
  Kind kind = Kind::kString;
  std::vector<std::string> choices;  // of an enum
  // Of the numeric kinds, in the unit in which the value is kept (milliseconds for both time
  // kinds).
  std::optional<int64_t> min, max;

  bool numeric() const {
    return kind == Kind::kBool || kind == Kind::kInt || kind == Kind::kMillis ||
           kind == Kind::kSeconds || kind == Kind::kBytes;
  }
};

/// An error (kInternal) means that the option table itself is wrong.
Result<OptionType> ParseOptionType(const OptionSpec& spec);

struct OptionValue {
  std::string text;    // an enum: as the table spells it
  int64_t number = 0;  // int, bool, milliseconds, bytes
  Pairs pairs;
};

/// Checks `text` (unquoted, trimmed unless it was quoted) against the type. Empty text of a numeric
/// or enum type means "not set" and gives 0. The error's message only says what is allowed ("must
/// be a whole number from 1 to 5"), so that it holds no value.
Result<OptionValue> ParseOptionValue(const OptionType& type, std::string_view text);

/// `k=v;k="v"`: the only syntax for splitting an option. Blanks around keys and values are dropped,
/// empty elements are skipped, repeated keys kept. A value that holds a `;` or blanks at its ends
/// is put in double or single quotes, in which the quote itself is written twice; outside of quotes
/// `\;` is a semicolon. The error names the element by its position only.
Result<Pairs> ParsePairs(std::string_view text);

/// Without blanks (space, tab, CR, LF) at both ends.
std::string_view TrimBlanks(std::string_view text);

}  // namespace dsmsg

#endif  // DSMSG_CORE_OPTIONS_OPTION_VALUE_H_
