// SPDX-License-Identifier: Apache-2.0
// YAML ends an unquoted text at characters that the expressions of maps are made of: `{x:
// ${box.left}}` has a brace too many for it. Here these characters are hidden from libyaml while it
// reads. Pure functions: any thread.
#ifndef DSMSG_MSGCONV_YAML_SHIELD_H_
#define DSMSG_MSGCONV_YAML_SHIELD_H_

#include <yaml.h>

#include <string>
#include <string_view>

namespace dsmsg::msgconv {

/// The text with the characters `{}[],:#` of each `${...}` (on one line) replaced by characters for
/// private use, one for one: lines and columns stay as they are. Unchanged if it has such
/// characters already.
std::string ShieldExpressions(std::string_view text);

/// Puts the characters back into all scalars of a document that was read from a shielded text.
void UnshieldScalars(yaml_document_t* document);

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_YAML_SHIELD_H_
