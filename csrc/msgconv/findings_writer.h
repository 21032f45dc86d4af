// SPDX-License-Identifier: Apache-2.0
// Writes what an application found out about the scene of an event into DeepStream's structures
// (8.0 and later): the reverse of findings_reader.h. One thread at a time.
#ifndef DSMSG_MSGCONV_FINDINGS_WRITER_H_
#define DSMSG_MSGCONV_FINDINGS_WRITER_H_

#include <glib.h>

#include <memory>
#include <span>
#include <vector>

#include "msgconv/arena.h"
#include "msgconv/findings_layout.h"
#include "msgconv/model.h"

namespace dsmsg::msgconv {

class FindingsWriter {
 public:
  /// `arena` outlives it. What is written is valid until that is cleared.
  explicit FindingsWriter(Arena* arena) : arena_(*arena) {}

  /// To be called when the arena is cleared.
  void Clear() { tables_.clear(); }
  /// Lists of numbers are borrowed from `frame`.
  void Write(const Frame& frame, const Findings& findings, char* event);
  /// The times of the frame's sources.
  void WriteSources(const Frame& frame, char* event);

 private:
  struct Unref {
    void operator()(GHashTable* table) const { g_hash_table_unref(table); }
  };
  GHashTable* Table(const Frame& frame, Range attributes);
  void Groups(const Frame& frame, Range groups, const finding::GroupLayout& layout,
              finding::ListAt at, char* event);
  void Group(const Frame& frame, const ObjectGroup& from, const finding::GroupLayout& layout,
             char* out);
  char* Pixels(const Frame& frame, const Segmentation& from);
  char* LanguageModel(const Frame& frame, const Findings& from);

  Arena& arena_;
  std::vector<std::unique_ptr<GHashTable, Unref>> tables_;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_FINDINGS_WRITER_H_
