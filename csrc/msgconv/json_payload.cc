// SPDX-License-Identifier: Apache-2.0
#include "msgconv/json_payload.h"

#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

namespace dsmsg::msgconv {

struct JsonPayload::Parser {
  rapidjson::Reader reader;
};

// RapidJSON calls these when it has passed a name, text, number or literal, so that the stream is
// at its end (MemoryStream is not copied meanwhile, as StringStream is), and when it is at a
// bracket.
struct JsonPayload::Handler {
  using Ch = char;
  using Size = rapidjson::SizeType;
  JsonPayload& out;
  const rapidjson::MemoryStream& stream;

  bool Add(Kind kind, size_t size) {
    if (out.values_.size() >= kMostValues) return false;
    const auto end = static_cast<uint32_t>(stream.Tell());
    const auto here = static_cast<uint32_t>(out.values_.size());
    out.values_.push_back({kind, false, end - static_cast<uint32_t>(size), end, here + 1, 0, 0});
    return true;
  }
  bool Open(Kind kind) {
    if (out.open_.size() >= kDeepest || !Add(kind, 0)) return false;
    out.open_.push_back(static_cast<Place>(out.values_.size() - 1));
    return true;
  }
  bool Close() {
    Value& value = out.values_[out.open_.back()];
    out.open_.pop_back();
    value.end = static_cast<uint32_t>(stream.Tell()) + 1;
    value.next = static_cast<uint32_t>(out.values_.size());
    return true;
  }

  bool Null() { return Add(Kind::kNull, 4); }
  bool Bool(bool value) { return value ? Add(Kind::kTrue, 4) : Add(Kind::kFalse, 5); }
  bool RawNumber(const char*, Size size, bool) { return Add(Kind::kNumber, size); }
  bool String(const char* text, Size size, bool) {
    const auto end = static_cast<uint32_t>(stream.Tell());
    const uint32_t plain = end - 1 - size;  // where it began if it has no escapes
    const bool whole = size + 2 <= end && out.payload_[plain - 1] == '"' &&
                       out.payload_.substr(plain, size) == std::string_view(text, size);
    if (!Add(Kind::kText, size + 2)) return false;
    Value& value = out.values_.back();
    value.escaped = !whole;
    value.text_size = size;
    if (whole) {
      value.text = plain;
      return true;
    }
    value.text = static_cast<uint32_t>(out.texts_.size());
    out.texts_.append(text, size);
    // An escape takes more room than what it stands for: the opening quote is further in front.
    value.begin = BeginOf(end);
    return true;
  }
  bool Key(const char* text, Size size, bool copy) { return String(text, size, copy); }
  bool StartObject() { return Open(Kind::kObject); }
  bool EndObject(Size) { return Close(); }
  bool StartArray() { return Open(Kind::kArray); }
  bool EndArray(Size) { return Close(); }
  // Not called: numbers come as they are written.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(int64_t) { return false; }
  bool Uint64(uint64_t) { return false; }
  bool Double(double) { return false; }

  /// The opening quote of the text that ends here: the one with no escape in front of it.
  uint32_t BeginOf(uint32_t end) const {
    uint32_t at = end - 1;
    for (;;) {
      --at;
      if (out.payload_[at] != '"') continue;
      uint32_t slashes = 0;
      while (slashes < at && out.payload_[at - 1 - slashes] == '\\') ++slashes;
      if (slashes % 2 == 0) return at;
    }
  }
};

JsonPayload::JsonPayload() : parser_(std::make_unique<Parser>()) {}
JsonPayload::~JsonPayload() = default;

bool JsonPayload::Read(std::string_view payload) {
  values_.clear();
  open_.clear();
  texts_.clear();
  payload_ = payload;
  if (payload.empty() || payload.size() >= UINT32_MAX) return false;
  rapidjson::MemoryStream stream(payload.data(), payload.size());
  Handler handler{*this, stream};
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag |
                              rapidjson::kParseNumbersAsStringsFlag |
                              rapidjson::kParseValidateEncodingFlag;
  const bool good = !parser_->reader.Parse<kFlags>(stream, handler).IsError() &&
                    stream.Tell() == payload.size();  // a NUL looks like the end
  if (!good) values_.clear();
  return good;
}

std::string_view JsonPayload::Raw(Place value) const {
  const Value& at = values_[value];
  return payload_.substr(at.begin, at.end - at.begin);
}

std::string_view JsonPayload::Text(Place text) const {
  const Value& at = values_[text];
  const std::string_view from = at.escaped ? std::string_view(texts_) : payload_;
  return from.substr(at.text, at.text_size);
}

JsonPayload::Place JsonPayload::Member(Place value, std::string_view name) const {
  if (values_[value].kind != Kind::kObject) return kNone;
  Place found = kNone;
  for (Place at = value + 1; at < values_[value].next; at = values_[at + 1].next) {
    if (Text(at) == name) found = at + 1;
  }
  return found;
}

JsonPayload::Place JsonPayload::Element(Place value, int index) const {
  if (values_[value].kind != Kind::kArray) return kNone;
  if (index < 0) {
    int count = 0;
    for (Place at = First(value); at != kNone; at = Next(value, at)) ++count;
    if ((index += count) < 0) return kNone;
  }
  Place at = First(value);
  for (; at != kNone && index > 0; --index) at = Next(value, at);
  return at;
}

JsonPayload::Place JsonPayload::First(Place array) const {
  const bool some = values_[array].kind == Kind::kArray && values_[array].next > array + 1;
  return some ? array + 1 : kNone;
}

JsonPayload::Place JsonPayload::Next(Place array, Place element) const {
  const Place next = values_[element].next;
  return next < values_[array].next ? next : kNone;
}

}  // namespace dsmsg::msgconv
