// SPDX-License-Identifier: Apache-2.0
// What a mistyped name was probably meant to be. Pure functions: any thread.
#ifndef DSMSG_CORE_BASE_NEAREST_H_
#define DSMSG_CORE_BASE_NEAREST_H_

#include <span>
#include <string_view>

namespace dsmsg {

/// The one of `names` that is most like `name`, or "" if none is like it: at most a third of its
/// letters differ. Letter case, and dash or underscore, do not count.
std::string_view Nearest(std::string_view name, std::span<const std::string_view> names);

}  // namespace dsmsg

#endif  // DSMSG_CORE_BASE_NEAREST_H_
