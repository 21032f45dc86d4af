// SPDX-License-Identifier: Apache-2.0
#include "msgconv/event_layout.h"

namespace dsmsg::msgconv {

Result<EventTail> EventTailOf(const DeepStream& deepstream) {
  if (!deepstream.present) return kTail7;
  if (!deepstream.release) return kTailUnknown;
  const Release release = *deepstream.release;
  if (release < Release{6, 0}) {
    return Status(Code::kNotSupported,
                  "DeepStream " + std::to_string(release.major) + "." +
                      std::to_string(release.minor) + " (" + deepstream.how +
                      ") is older than 6.0, the oldest release whose events are supported");
  }
  if (release < Release{6, 4}) return kTail6;
  if (release <= Release{7, 0}) return kTail7;
  if (release < Release{8, 0}) return kTailUnknown;  // 7.1
  if (release.major <= 9) return kTail8;
  return kTailUnknown;
}

}  // namespace dsmsg::msgconv
