// SPDX-License-Identifier: Apache-2.0
#include "msgconv/findings_reader.h"

#include <dlfcn.h>
#include <glib.h>

#include <algorithm>
#include <charconv>

#include "msgconv/deepstream_memory.h"
#include "msgconv/findings_layout.h"

namespace dsmsg::msgconv {
namespace {

namespace ds = deepstream;
using ds::Address;
using ds::At;
using finding::GroupLayout;
using finding::ListAt;

constexpr uint32_t kMostElements = 1 << 16;  // more cannot be meant
constexpr uint32_t kMostPixels = 1 << 24;

/// The elements of a list; nullptr with a count of 0 if it is empty. False: it does not look right.
struct Elements {
  Address first = nullptr;
  uint32_t count = 0;
};
bool Find(Address base, ListAt at, uint32_t most, Elements* found) {
  *found = {At<Address>(base, at.list), At<uint32_t>(base, at.count)};
  if (found->first == nullptr || found->count == 0) {
    *found = {};
    return true;
  }
  return ds::Readable(found->first) && found->count <= most;
}

template <class T>
Range EndOf(const std::vector<T>& list) {
  return {static_cast<uint32_t>(list.size()), 0};
}
template <class T>
void Close(const std::vector<T>& list, Range* range) {
  range->count = static_cast<uint32_t>(list.size()) - range->first;
}

/// A table of texts, in the order of its keys. GLib is asked only where there is a table, so that
/// it is loaded.
Range ReadTable(Address base, size_t offset, std::vector<Attribute>* attributes) {
  const auto table = At<Address>(base, offset);
  Range range = EndOf(*attributes);
  if (!ds::Plausible(table)) return range;
  static void* const glib = dlopen("libglib-2.0.so.0", RTLD_LAZY | RTLD_NOLOAD);
  static const auto each = reinterpret_cast<decltype(&g_hash_table_foreach)>(
      glib == nullptr ? nullptr : dlsym(glib, "g_hash_table_foreach"));
  if (each == nullptr) return range;
  each(
      reinterpret_cast<GHashTable*>(const_cast<unsigned char*>(table)),
      [](gpointer key, gpointer value, gpointer list) {
        if (key == nullptr || value == nullptr) return;
        static_cast<std::vector<Attribute>*>(list)->push_back(
            {static_cast<const char*>(key), static_cast<const char*>(value), {}});
      },
      attributes);
  std::sort(attributes->begin() + range.first, attributes->end(),
            [](const Attribute& a, const Attribute& b) { return a.name < b.name; });
  Close(*attributes, &range);
  return range;
}

bool ReadGroup(Address from, const GroupLayout& layout, Frame* frame) {
  ObjectGroup group;
  group.id = ds::TextAt(from, 0);
  if (layout.text != kNotThere) group.text = ds::TextAt(from, layout.text);
  if (layout.count != kNotThere) group.value = At<int32_t>(from, layout.count);
  if (layout.amount != kNotThere) group.value = static_cast<double>(At<float>(from, layout.amount));
  Elements ids, places;
  if (!Find(from, layout.object_ids, kMostElements, &ids)) return false;
  group.object_ids = EndOf(frame->texts);
  for (uint32_t i = 0; i < ids.count; ++i) {
    const auto id = ds::TextAt(ids.first, i * sizeof(char*));
    if (id.data() != nullptr) frame->texts.push_back(id);
  }
  Close(frame->texts, &group.object_ids);
  if (layout.coordinates.count != kNotThere) {
    if (!Find(from, layout.coordinates, kMostElements, &places)) return false;
    group.coordinates = EndOf(frame->coordinates);
    for (uint32_t i = 0; i < places.count; ++i) {
      frame->coordinates.push_back(At<Triple>(places.first, i * sizeof(Triple)));
    }
    Close(frame->coordinates, &group.coordinates);
  }
  group.info = ReadTable(from, layout.info, &frame->attributes);
  frame->groups.push_back(group);
  return true;
}

bool ReadGroups(Address event, ListAt at, const GroupLayout& layout, Frame* frame, Range* range) {
  Elements groups;
  if (!Find(event, at, kMostElements, &groups)) return false;
  *range = EndOf(frame->groups);
  for (uint32_t i = 0; i < groups.count; ++i) {
    if (!ReadGroup(groups.first + i * layout.size, layout, frame)) return false;
  }
  Close(frame->groups, range);
  return true;
}

/// The size of the picture is in its table, if anywhere.
uint32_t NumberOf(std::span<const Attribute> table, std::string_view name) {
  uint32_t number = 0;
  for (const Attribute& each : table) {
    if (each.name == name) {
      std::from_chars(each.value.data(), each.value.data() + each.value.size(), number);
    }
  }
  return number;
}

bool ReadSegmentation(Address from, Frame* frame, Findings* findings) {
  Elements classes;
  if (!Find(from, finding::pixels::kClasses, kMostPixels, &classes)) return false;
  Segmentation segmentation;
  segmentation.classes = {static_cast<uint32_t>(frame->classes.size()), classes.count};
  for (uint32_t i = 0; i < classes.count; ++i) {
    frame->classes.push_back(At<int32_t>(classes.first, i * sizeof(int32_t)));
  }
  segmentation.info = ReadTable(from, finding::pixels::kInfo, &frame->attributes);
  const auto table = frame->Part(frame->attributes, segmentation.info);
  const uint32_t width = NumberOf(table, "width"), height = NumberOf(table, "height");
  if (uint64_t{width} * height == classes.count) {
    segmentation.width = width;
    segmentation.height = height;
  }
  findings->segmentation = segmentation;
  return true;
}

bool ReadLanguageModel(Address from, Frame* frame, Findings* findings) {
  namespace llm = finding::llm;
  Elements conversations, embeddings;
  if (!Find(from, llm::kConversations, kMostElements, &conversations) ||
      !Find(from, llm::kEmbeddings, kMostElements, &embeddings))
    return false;
  findings->llm_info = ReadTable(from, llm::kInfo, &frame->attributes);
  findings->conversations = EndOf(frame->conversations);
  for (uint32_t i = 0; i < conversations.count; ++i) {
    const Address each = conversations.first + i * llm::kConversationSize;
    frame->conversations.push_back({ds::TextAt(each, llm::kId), ds::TextAt(each, llm::kQuery),
                                    ds::TextAt(each, llm::kResponse)});
  }
  Close(frame->conversations, &findings->conversations);
  findings->llm_embeddings = EndOf(frame->embeddings);
  for (uint32_t i = 0; i < embeddings.count; ++i) {
    Elements values;
    if (!Find(embeddings.first + i * ds::embedding::kSize,
              {ds::embedding::kValues, ds::embedding::kCount}, kMostElements, &values))
      return false;
    Range vector = EndOf(frame->numbers);
    for (uint32_t v = 0; v < values.count; ++v) {
      frame->numbers.push_back(At<float>(values.first, v * sizeof(float)));
    }
    Close(frame->numbers, &vector);
    frame->embeddings.push_back(vector);
  }
  Close(frame->embeddings, &findings->llm_embeddings);
  return true;
}

}  // namespace

bool ReadFindings(const char* event, Frame* frame, Object* object) {
  const auto base = reinterpret_cast<Address>(event);
  Findings found;
  const auto llm = At<Address>(base, finding::kLlm);
  const auto segmentation = At<Address>(base, finding::kSegmentation);
  if (!ReadGroups(base, finding::kFovList, finding::kFovGroup, frame, &found.fov) ||
      !ReadGroups(base, finding::kInteractionList, finding::kInteractionGroup, frame,
                  &found.interactions) ||
      !ReadGroups(base, finding::kCongestionList, finding::kCongestionGroup, frame,
                  &found.congestions))
    return false;
  if (segmentation != nullptr &&
      (!ds::Plausible(segmentation) || !ReadSegmentation(segmentation, frame, &found)))
    return false;
  if (llm != nullptr && (!ds::Plausible(llm) || !ReadLanguageModel(llm, frame, &found)))
    return false;
  if (found.fov.count + found.interactions.count + found.congestions.count == 0 &&
      segmentation == nullptr && llm == nullptr)
    return true;
  object->findings = {static_cast<uint32_t>(frame->findings.size()), 1};
  frame->findings.push_back(found);
  return true;
}

bool ReadSources(const void* first, int32_t count, Frame* frame) {
  frame->sources.clear();
  if (count < 0 || count > ds::source_time::kMost) return false;
  for (int32_t i = 0; i < count; ++i) {
    const Address each =
        static_cast<Address>(first) + static_cast<size_t>(i) * ds::source_time::kSize;
    const auto id = ds::ArrayAt(each, ds::source_time::kId);
    if (!id) {
      frame->sources.clear();
      return false;
    }
    frame->sources.push_back({*id, At<uint64_t>(each, ds::source_time::kTime)});
  }
  return true;
}

}  // namespace dsmsg::msgconv
