// SPDX-License-Identifier: Apache-2.0
// Names of class numbers, as detectors' label files give them. Immutable after Load: any thread may
// read.
#ifndef DSMSG_MSGCONV_LABELS_H_
#define DSMSG_MSGCONV_LABELS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"

namespace dsmsg::msgconv {

class Labels {
 public:
  Labels() = default;
  /// `spec` is a list "car,bicycle,person" (commas or semicolons), or the path of a file with one
  /// name on each line (or such lists). Text that looks like a path but names no file is an error.
  /// "" gives no labels.
  static Result<Labels> Load(const std::string& spec);

  bool empty() const { return names_.empty(); }
  size_t size() const { return names_.size(); }
  /// The name of class `id`, "" if there is none.
  std::string_view Name(std::optional<int64_t> id) const {
    const bool known = id && *id >= 0 && static_cast<uint64_t>(*id) < names_.size();
    return known ? std::string_view(names_[static_cast<size_t>(*id)]) : std::string_view();
  }

 private:
  std::vector<std::string> names_;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_LABELS_H_
