// SPDX-License-Identifier: Apache-2.0
// The attributes of an object in one line, for comparisons in tests.
#ifndef DSMSG_MSGCONV_TESTS_ATTRIBUTE_TEXT_H_
#define DSMSG_MSGCONV_TESTS_ATTRIBUTE_TEXT_H_

#include <string>

#include "msgconv/model.h"

namespace dsmsg_test {

/// "name=value " of each, in their order.
inline std::string AttributeText(const dsmsg::msgconv::Frame& frame,
                                 const dsmsg::msgconv::Object& object) {
  std::string text;
  for (const dsmsg::msgconv::Attribute& attribute : frame.AttributesOf(object)) {
    text.append(attribute.name).append("=").append(attribute.value).append(" ");
  }
  return text;
}

}  // namespace dsmsg_test

#endif  // DSMSG_MSGCONV_TESTS_ATTRIBUTE_TEXT_H_
