// SPDX-License-Identifier: Apache-2.0
// Names of an object's attributes: no two are equal. Pure; any thread.
#ifndef DSMSG_GST_ATTRIBUTE_NAME_H_
#define DSMSG_GST_ATTRIBUTE_NAME_H_

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "msgconv/model.h"

namespace dsmsg {

/// "base", or "base2", "base3", ... if attributes from `first` on have that name. A new text is
/// appended to `texts`.
inline std::string_view UniqueName(std::string_view base, const msgconv::Frame& frame,
                                   uint32_t first, std::deque<std::string>* texts) {
  const auto taken = [&](std::string_view name) {
    return std::any_of(frame.attributes.begin() + first, frame.attributes.end(),
                       [name](const msgconv::Attribute& one) { return one.name == name; });
  };
  if (!taken(base)) return base;
  std::string name;
  int number = 2;
  do {
    name = std::string(base) + std::to_string(number++);
  } while (taken(name));
  return texts->emplace_back(std::move(name));
}

}  // namespace dsmsg

#endif  // DSMSG_GST_ATTRIBUTE_NAME_H_
