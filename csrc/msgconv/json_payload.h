// SPDX-License-Identifier: Apache-2.0
// A received JSON payload, checked as a whole and read in place: a flat list of its values, whose
// texts are parts of the payload. Its memory is kept for the next payload, and is at most some ten
// times the payload. One thread at a time; the payload outlives what is read from it.
#ifndef DSMSG_MSGCONV_JSON_PAYLOAD_H_
#define DSMSG_MSGCONV_JSON_PAYLOAD_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace dsmsg::msgconv {

class JsonPayload {
 public:
  enum class Kind : uint8_t { kNull, kTrue, kFalse, kNumber, kText, kObject, kArray };
  /// Place of a value in the list.
  using Place = uint32_t;
  static constexpr Place kRoot = 0, kNone = UINT32_MAX;
  static constexpr size_t kDeepest = 200, kMostValues = 1 << 20;

  JsonPayload();
  ~JsonPayload();
  JsonPayload(const JsonPayload&) = delete;
  JsonPayload& operator=(const JsonPayload&) = delete;

  /// False, and empty: it is not JSON in UTF-8, is nested more than kDeepest deep, or has more than
  /// kMostValues values and names.
  bool Read(std::string_view payload);
  bool empty() const { return values_.empty(); }

  Kind KindOf(Place value) const { return values_[value].kind; }
  /// As it is written in the payload.
  std::string_view Raw(Place value) const;
  /// What a text says, without quotes and escapes.
  std::string_view Text(Place text) const;
  /// kNone: not found, or `value` is not an object. Of equal names the last counts, as in most
  /// readers of JSON.
  Place Member(Place value, std::string_view name) const;
  /// From 0; from the end with -1. kNone: not found, or `value` is not an array.
  Place Element(Place value, int index) const;
  /// The first element of an array, and the one after another; kNone: the array ends there.
  Place First(Place array) const;
  Place Next(Place array, Place element) const;

 private:
  struct Value {
    Kind kind;
    bool escaped;         // a text: in `texts_`
    uint32_t begin, end;  // in the payload
    uint32_t next;        // place behind it and all that is in it
    uint32_t text, text_size;
  };
  struct Handler;
  struct Parser;

  std::string_view payload_;
  std::vector<Value> values_;
  std::vector<Place> open_;  // while it is read
  std::string texts_;        // of texts with escapes
  const std::unique_ptr<Parser> parser_;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_JSON_PAYLOAD_H_
