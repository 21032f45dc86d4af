// SPDX-License-Identifier: Apache-2.0
#include "msgconv/space_event.h"

namespace dsmsg::msgconv {

std::string_view SpaceEventName(SpaceKind kind) {
  switch (kind) {
    case SpaceKind::kCrossing:
      return "line-crossing";
    case SpaceKind::kEnter:
      return "zone-enter";
    case SpaceKind::kLeave:
      return "zone-leave";
    case SpaceKind::kDwell:
      return "zone-dwell";
    case SpaceKind::kCrowded:
      return "zone-crowded";
    case SpaceKind::kCleared:
      return "zone-cleared";
    case SpaceKind::kTrackEnd:
      return "track-end";
  }
  return "";
}

}  // namespace dsmsg::msgconv
