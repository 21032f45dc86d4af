// SPDX-License-Identifier: Apache-2.0
// Finds the parts of a map's message that depend on the configuration only (a camera's place, its
// description). They are rendered once for each camera instead of once for each message. One
// thread.
#ifndef DSMSG_MSGCONV_MAP_SETTLE_H_
#define DSMSG_MSGCONV_MAP_SETTLE_H_

#include <cstddef>

#include "msgconv/map.h"

namespace dsmsg::msgconv {

/// Members of an object that stand together and are settled become one part, a kSettled. Returns
/// whether all of `element` is settled; `parts`: how many parts there are so far.
bool Settle(Map::Element* element, size_t* parts);

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_MAP_SETTLE_H_
