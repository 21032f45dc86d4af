// SPDX-License-Identifier: Apache-2.0
// What the files that read the C structures share. Plain functions.
#ifndef DSMSG_MSGCONV_FRAME_READ_H_
#define DSMSG_MSGCONV_FRAME_READ_H_

#include <string_view>
#include <vector>

#include "msgconv/frame_c.h"

namespace dsmsg::msgconv {

inline std::string_view View(const char* text) {
  return text == nullptr ? std::string_view() : std::string_view(text);
}

template <class T>
Range Append(const T* values, uint32_t count, std::vector<T>* list) {
  if (values == nullptr) return {};
  const Range range{static_cast<uint32_t>(list->size()), count};
  list->insert(list->end(), values, values + count);
  return range;
}

/// Like Append, with each value passed through `convert`.
template <class From, class T, class Convert>
Range Converted(const From* values, uint32_t count, std::vector<T>* list, Convert convert) {
  if (values == nullptr) return {};
  const Range range{static_cast<uint32_t>(list->size()), count};
  for (uint32_t i = 0; i < count; ++i) list->push_back(convert(values[i]));
  return range;
}

inline Attribute ToAttribute(const DsmsgAttribute& from) {
  Attribute attribute{View(from.name), View(from.value), {}};
  if (from.confidence >= 0) attribute.confidence = from.confidence;
  attribute.made_up = from.made_up == 1;
  return attribute;
}

// Above the last known value: none.
template <class Enum>
Enum Checked(uint32_t value, Enum last) {
  return value <= static_cast<uint32_t>(last) ? static_cast<Enum>(value) : Enum{};
}

/// What version 3 added to an object, and to a frame.
void ReadExtended(const DsmsgObject& from, Frame* frame, Object* object);
void ReadAnalysis(const DsmsgFrame& from, Frame* frame);

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_FRAME_READ_H_
