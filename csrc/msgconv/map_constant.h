// SPDX-License-Identifier: Apache-2.0
// Constants of a map (map.h) as JSON. Plain functions: any thread.
#ifndef DSMSG_MSGCONV_MAP_CONSTANT_H_
#define DSMSG_MSGCONV_MAP_CONSTANT_H_

#include <string>
#include <string_view>

namespace dsmsg::msgconv {

/// The text as JSON.
std::string QuotedJson(std::string_view text);
/// A plain scalar that YAML reads as null, a truth value or a number, as JSON; "": a text.
std::string PlainJson(std::string_view text);

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_MAP_CONSTANT_H_
