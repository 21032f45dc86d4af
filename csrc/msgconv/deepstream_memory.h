// SPDX-License-Identifier: Apache-2.0
// Reading DeepStream's structures by offset, with the checks that keep a wrong one from being
// followed. Plain functions; any thread.
#ifndef DSMSG_MSGCONV_DEEPSTREAM_MEMORY_H_
#define DSMSG_MSGCONV_DEEPSTREAM_MEMORY_H_

#include <glib.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "msgconv/deepstream_layout.h"

namespace dsmsg::deepstream {

using Address = const unsigned char*;

// More cannot be meant.
inline constexpr size_t kMostElements = 1 << 16;

template <class T>
T At(Address base, size_t offset) {
  T value;
  std::memcpy(&value, base + offset, sizeof(value));
  return value;
}

/// It may point to something.
inline bool Readable(Address address) { return reinterpret_cast<uintptr_t>(address) >= 4096; }

/// It may point to a structure.
inline bool Plausible(Address address) {
  return Readable(address) && reinterpret_cast<uintptr_t>(address) % alignof(void*) == 0;
}

/// A text that a structure points to; "" for NULL.
inline std::string_view TextAt(Address base, size_t offset) {
  const auto text = At<Address>(base, offset);
  return Readable(text) ? reinterpret_cast<const char*>(text) : std::string_view();
}

/// A text inside a structure; nullopt if it has no end.
inline std::optional<std::string_view> ArrayAt(Address base, size_t offset) {
  const auto* text = reinterpret_cast<const char*>(base + offset);
  const size_t length = strnlen(text, kLabelSize);
  if (length == kLabelSize) return std::nullopt;
  return std::string_view(text, length);
}

inline bool IsMeta(Address meta, Address batch, int32_t type) {
  return Plausible(meta) && At<Address>(meta, kBaseBatch) == batch &&
         At<int32_t>(meta, kBaseType) == type;
}

/// Refills `elements` with those of a GList; false if it is no list of this batch's metadata.
inline bool ReadList(Address first, Address batch, std::vector<Address>* elements) {
  elements->clear();
  Address before = nullptr;
  for (Address node = first; node != nullptr; node = At<Address>(node, offsetof(GList, next))) {
    if (!Plausible(node) || elements->size() == kMostElements) return false;
    if (before != nullptr && At<Address>(node, offsetof(GList, prev)) != before) return false;
    const auto element = At<Address>(node, offsetof(GList, data));
    if (!Plausible(element) || At<Address>(element, kBaseBatch) != batch) return false;
    elements->push_back(element);
    before = node;
  }
  return true;
}

}  // namespace dsmsg::deepstream

#endif  // DSMSG_MSGCONV_DEEPSTREAM_MEMORY_H_
