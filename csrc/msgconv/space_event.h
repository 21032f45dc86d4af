// SPDX-License-Identifier: Apache-2.0
// Words for what objects do in the space that a picture shows. Constants: any thread.
#ifndef DSMSG_MSGCONV_SPACE_EVENT_H_
#define DSMSG_MSGCONV_SPACE_EVENT_H_

#include <string_view>

#include "msgconv/model.h"

namespace dsmsg::msgconv {

/// Type of the event in messages: "line-crossing", "zone-enter", ...
std::string_view SpaceEventName(SpaceKind kind);

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_SPACE_EVENT_H_
