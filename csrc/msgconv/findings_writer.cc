// SPDX-License-Identifier: Apache-2.0
#include "msgconv/findings_writer.h"

#include <algorithm>
#include <cstring>

#include "msgconv/deepstream_layout.h"

namespace dsmsg::msgconv {
namespace {

namespace ds = deepstream;

template <class T>
void Put(char* base, size_t offset, const T& value) {
  // A pointer is a value like any other: NOLINTNEXTLINE(bugprone-sizeof-expression)
  std::memcpy(base + offset, &value, sizeof(value));
}

/// A list, and how many elements it has.
template <class T>
void PutList(char* base, finding::ListAt at, const T* list, size_t count) {
  Put(base, at.list, list);
  Put(base, at.count, static_cast<uint32_t>(count));
}

}  // namespace

GHashTable* FindingsWriter::Table(const Frame& frame, Range attributes) {
  if (attributes.count == 0) return nullptr;
  GHashTable* const table = tables_.emplace_back(g_hash_table_new(g_str_hash, g_str_equal)).get();
  const auto text = [this](std::string_view view) {
    static char empty[1] = "";
    char* const copy = arena_.Text(view);
    return copy == nullptr ? empty : copy;
  };
  for (const Attribute& each : frame.Part(frame.attributes, attributes)) {
    g_hash_table_insert(table, text(each.name), text(each.value));
  }
  return table;
}

void FindingsWriter::Group(const Frame& frame, const ObjectGroup& from,
                           const finding::GroupLayout& layout, char* out) {
  Put(out, 0, arena_.Text(from.id));
  if (layout.text != kNotThere) Put(out, layout.text, arena_.Text(from.text));
  if (layout.count != kNotThere) Put(out, layout.count, static_cast<int32_t>(from.value));
  if (layout.amount != kNotThere) Put(out, layout.amount, static_cast<float>(from.value));
  const auto ids = frame.Part(frame.texts, from.object_ids);
  auto** const texts = arena_.Make<char*>(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) texts[i] = arena_.Text(ids[i]);
  PutList(out, layout.object_ids, texts, ids.size());
  if (layout.coordinates.count != kNotThere) {
    const auto places = frame.Part(frame.coordinates, from.coordinates);
    PutList(out, layout.coordinates, places.data(), places.size());
  }
  Put(out, layout.info, Table(frame, from.info));
}

void FindingsWriter::Groups(const Frame& frame, Range groups, const finding::GroupLayout& layout,
                            finding::ListAt at, char* event) {
  char* const list = arena_.Block(groups.count * layout.size);
  for (uint32_t i = 0; i < groups.count; ++i) {
    Group(frame, frame.groups[groups.first + i], layout, list + i * layout.size);
  }
  PutList(event, at, list, groups.count);
}

char* FindingsWriter::Pixels(const Frame& frame, const Segmentation& from) {
  char* const out = arena_.Block(finding::pixels::kSize);
  const auto classes = frame.Part(frame.classes, from.classes);
  PutList(out, finding::pixels::kClasses, classes.data(), classes.size());
  Put(out, finding::pixels::kInfo, Table(frame, from.info));
  return out;
}

char* FindingsWriter::LanguageModel(const Frame& frame, const Findings& from) {
  namespace llm = finding::llm;
  char* const out = arena_.Block(llm::kSize);
  Put(out, llm::kInfo, Table(frame, from.llm_info));
  const auto talks = frame.Part(frame.conversations, from.conversations);
  char* const list = arena_.Block(talks.size() * llm::kConversationSize);
  for (size_t i = 0; i < talks.size(); ++i) {
    char* const each = list + i * llm::kConversationSize;
    Put(each, llm::kId, arena_.Text(talks[i].id));
    Put(each, llm::kQuery, arena_.Text(talks[i].query));
    Put(each, llm::kResponse, arena_.Text(talks[i].response));
  }
  PutList(out, llm::kConversations, list, talks.size());
  const auto ranges = frame.Part(frame.embeddings, from.llm_embeddings);
  char* const vectors = arena_.Block(ranges.size() * ds::embedding::kSize);
  for (size_t i = 0; i < ranges.size(); ++i) {
    const auto numbers = frame.Part(frame.numbers, ranges[i]);
    PutList(vectors + i * ds::embedding::kSize, {ds::embedding::kValues, ds::embedding::kCount},
            numbers.data(), numbers.size());
  }
  PutList(out, llm::kEmbeddings, vectors, ranges.size());
  return out;
}

void FindingsWriter::Write(const Frame& frame, const Findings& findings, char* event) {
  Groups(frame, findings.fov, finding::kFovGroup, finding::kFovList, event);
  Groups(frame, findings.interactions, finding::kInteractionGroup, finding::kInteractionList,
         event);
  Groups(frame, findings.congestions, finding::kCongestionGroup, finding::kCongestionList, event);
  if (findings.segmentation)
    Put(event, finding::kSegmentation, Pixels(frame, *findings.segmentation));
  if (findings.llm_info.count + findings.conversations.count + findings.llm_embeddings.count > 0) {
    Put(event, finding::kLlm, LanguageModel(frame, findings));
  }
}

void FindingsWriter::WriteSources(const Frame& frame, char* event) {
  namespace source = ds::source_time;
  const size_t count = std::min<size_t>(frame.sources.size(), source::kMost);
  for (size_t i = 0; i < count; ++i) {
    char* const each = event + finding::kSources + i * source::kSize;
    const std::string_view id = frame.sources[i].id.substr(0, source::kTime - 1);
    std::memset(each, 0, source::kSize);
    id.copy(each + source::kId, id.size());
    Put(each, source::kTime, frame.sources[i].time_ns);
  }
  Put(event, finding::kSourceCount, static_cast<int32_t>(count));
}

}  // namespace dsmsg::msgconv
