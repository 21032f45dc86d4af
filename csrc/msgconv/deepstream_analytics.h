// SPDX-License-Identifier: Apache-2.0
// What DeepStream's nvdsanalytics attaches: C++ structures of GCC's standard library. Plain
// functions; one thread at a time. Texts belong to the structures.
#ifndef DSMSG_MSGCONV_DEEPSTREAM_ANALYTICS_H_
#define DSMSG_MSGCONV_DEEPSTREAM_ANALYTICS_H_

#include <deque>
#include <string>

#include "msgconv/model.h"

namespace dsmsg::deepstream {

/// Zones, lines, direction and, where there is one (6.3 and later), the state of an object. False:
/// it does not look right.
bool ReadObjectAnalytics(const void* data, bool with_state, msgconv::Frame* frame,
                         msgconv::Object* object);

/// Appends the counts of a frame; `names` keeps those that are made here. False: it does not look
/// right.
bool ReadFrameAnalytics(const void* data, std::deque<std::string>* names, msgconv::Frame* frame);

}  // namespace dsmsg::deepstream

#endif  // DSMSG_MSGCONV_DEEPSTREAM_ANALYTICS_H_
