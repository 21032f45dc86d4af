// SPDX-License-Identifier: Apache-2.0
// The declaration of options: one table for each adaptor drives parsing, the generated cfg files,
// the documentation, dsmsg_describe() and Python's typed configuration. Constant data: any thread.
#ifndef DSMSG_CORE_OPTIONS_OPTIONS_H_
#define DSMSG_CORE_OPTIONS_OPTIONS_H_

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/status.h"

namespace dsmsg {

/// Names and values of an option of type pairs, in their order.
using Pairs = std::vector<std::pair<std::string, std::string>>;

enum OptionFlags : unsigned {
  kOptSecret = 1,      // never logged, never in stats or describe; ${env:..} and ${file:..} expand
  kOptDeprecated = 2,  // works, with a note
  kOptUnavailable =
      4,           // known, not in this version: setting it to anything but its default is an error
  kOptLocal = 8,   // does not change what is sent where (log level, metrics): not in the signature
  kOptFixed = 16,  // the core reads it once, at connect: a reload keeps its value and says so
};

/// One option. `type` is one of
///   string, path, bool, template, pairs (k=v;k=v), enum(a,b,c),
///   int(min,max), ms(min,max) (a bare number is milliseconds), s(min,max) (a bare number is
///   seconds; the value is still kept in milliseconds), bytes(min,max).
/// The bounds are in the unit of the type; `deflt` is written as in a file ("" means not set).
struct OptionSpec {
  const char* name;
  const char* type;
  const char* deflt;
  const char* doc;
  unsigned flags = 0;
};

/// The options that every adaptor has.
std::span<const OptionSpec> CommonOptions();

/// The common options and an adaptor's own. An own option replaces the common one of the same name
/// and stays kOptFixed where that is.
class OptionTable {
 public:
  explicit OptionTable(std::span<const OptionSpec> own);

  /// Dashes and underscores are the same. nullptr if there is none.
  const OptionSpec* Find(std::string_view name) const;
  /// The known name with the smallest edit distance, or "" if none is near.
  std::string Nearest(std::string_view name) const;
  /// Common ones first, each in the order of declaration.
  const std::vector<OptionSpec>& all() const { return specs_; }

 private:
  std::vector<OptionSpec> specs_;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_OPTIONS_OPTIONS_H_
