// SPDX-License-Identifier: Apache-2.0
// What DeepStream's events point to for their findings (8.0 and later): offsets in its structures,
// for the reader and the writer. Constant data.
#ifndef DSMSG_MSGCONV_FINDINGS_LAYOUT_H_
#define DSMSG_MSGCONV_FINDINGS_LAYOUT_H_

#include <cstddef>

#include "msgconv/event_layout.h"

namespace dsmsg::msgconv::finding {

/// A list and its count, each at an offset.
struct ListAt {
  size_t list, count;
};

// In the event itself.
inline constexpr ListAt kFovList = {kFov, kFovCount};
inline constexpr ListAt kInteractionList = {kInteractions, kInteractionCount};
inline constexpr ListAt kCongestionList = {kCongestions, kCongestionCount};

/// The parts of a structure that describes a group of objects; kNotThere: it has no such part.
struct GroupLayout {
  size_t size, text, count, amount;
  ListAt object_ids, coordinates;
  size_t info;
};
// NvDsTypeMetricsObject, NvDsInteractionObject, NvDsCongestionObject; the id comes first.
inline constexpr GroupLayout kFovGroup = {64, 8, 16, kNotThere, {40, 48}, {24, 32}, 56};
inline constexpr GroupLayout kInteractionGroup = {64,      40,       kNotThere, kNotThere,
                                                  {8, 16}, {24, 32}, 48};
inline constexpr GroupLayout kCongestionGroup = {40, kNotThere, kNotThere, 20, {8, 16}, {}, 24};

namespace pixels {  // NvDsSegmentationObject
inline constexpr ListAt kClasses = {0, 8};
inline constexpr size_t kInfo = 16, kSize = 24;
}  // namespace pixels
namespace llm {  // NvDsLLMObject; its conversations are three texts each
inline constexpr ListAt kConversations = {8, 16}, kEmbeddings = {24, 32};
inline constexpr size_t kInfo = 0, kSize = 40;
inline constexpr size_t kId = 0, kQuery = 8, kResponse = 16, kConversationSize = 24;
}  // namespace llm

}  // namespace dsmsg::msgconv::finding

#endif  // DSMSG_MSGCONV_FINDINGS_LAYOUT_H_
