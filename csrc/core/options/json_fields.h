// SPDX-License-Identifier: Apache-2.0
// Finds the values of several paths in one JSON text: checks what it passes, skips containers that
// no path leads into (only their brackets are counted), and stops where no path can be found any
// more. Escaped strings, which are rare, are RapidJSON's. One object, one text, one thread; `paths`
// and `text` outlive it.
#ifndef DSMSG_CORE_OPTIONS_JSON_FIELDS_H_
#define DSMSG_CORE_OPTIONS_JSON_FIELDS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/options/field_path.h"

namespace dsmsg {

class JsonFields {
 public:
  /// `text` begins with '{' or '['. `lengths`: bit n is set if a name of n bytes (63: or more) is
  /// in `paths`.
  JsonFields(std::string_view text, const std::vector<FieldReader::Path>& paths, uint64_t lengths);

  static bool Blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

  /// Fills in what is found before the end or the first fault. May throw std::bad_alloc.
  void All(std::vector<FieldValue>* values);
  /// Only the first match in the text; without a match, false and `text` unchanged.
  bool First(std::string* text);

 private:
  using Path = FieldReader::Path;
  struct Stops;
  struct Levels;

  void Run();
  void Read(std::string_view text);
  // These take the first byte of something and return what is behind it, or null if it is not
  // right. No byte at `end_` is read: the last byte is a bracket or a NUL, which ends everything.
  const char* Scalar(const char* at, Stops* stops);
  const char* String(const char* at, Stops* stops);
  const char* Escaped(const char* at);
  const char* Literal(const char* at) const;
  std::string_view Text(const char* begin, const char* end) const;

  bool Enter(uint64_t hits, Levels* levels);
  bool Leave(Levels* levels);
  uint64_t Matching(std::string_view key, Levels* levels) const;
  uint64_t MatchingIndex(Levels* levels) const;
  bool Keep(uint64_t hits, const char* begin, const char* end, const Levels& levels);
  template <typename Is>
  uint64_t Those(uint64_t set, Is is) const;

  const std::string_view text_;
  const std::vector<Path>& paths_;
  const uint64_t lengths_;
  uint64_t alive_;  // a bit for each path whose value may still come
  const char* end_ = nullptr;
  const char* escaped_ = nullptr;  // the last string that had escapes
  std::string unescaped_;          // what it says
  std::vector<FieldValue>* values_ = nullptr;
  std::string* first_ = nullptr;
  bool found_ = false;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_OPTIONS_JSON_FIELDS_H_
