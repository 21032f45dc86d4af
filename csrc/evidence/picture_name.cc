// SPDX-License-Identifier: Apache-2.0
#include "evidence/picture_name.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <ctime>

namespace dsmsg::evidence {
namespace {

constexpr std::string_view kPart = ".part";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHex(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f'); }

/// A name being taken apart from its beginning.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}
  /// d: one digit, x: one hexadecimal digit, +: digits, at least one; else the character itself.
  bool Takes(std::string_view pattern) {
    for (const char wanted : pattern) {
      if (!TakesOne(wanted)) return false;
    }
    return true;
  }
  bool at_end() const { return text_.empty(); }

 private:
  bool TakesOne(char wanted) {
    if (text_.empty()) return false;
    const char c = text_.front();
    if (wanted == '+') {
      const size_t end = std::min(text_.find_first_not_of("0123456789"), text_.size());
      text_.remove_prefix(end);
      return end > 0;
    }
    if (wanted == 'd' ? !IsDigit(c) : wanted == 'x' ? !IsHex(c) : c != wanted) return false;
    text_.remove_prefix(1);
    return true;
  }

  std::string_view text_;
};

}  // namespace

std::string TextOf(const PictureName& name) {
  const auto seconds = static_cast<time_t>(name.time_ns / 1'000'000'000);
  tm utc = {};
  gmtime_r(&seconds, &utc);
  char text[160];
  size_t size = strftime(text, sizeof text, "%Y-%m-%d/%H%M%S", &utc);
  const auto add = [&](const char* format, auto... values) {
    size += static_cast<size_t>(snprintf(text + size, sizeof text - size, format, values...));
  };
  add(".%03u-s%" PRIu32 "-f%" PRIu64, static_cast<unsigned>(name.time_ns / 1'000'000 % 1000),
      name.source, name.frame);
  if (name.object) {
    add("-o%zu-crop", *name.object);
  } else {
    add("-frame");
  }
  add("-%08" PRIx32 ".jpg", name.converter);
  return {text, size};
}

bool IsDay(std::string_view folder) {
  Reader reader(folder);
  return reader.Takes("dddd-dd-dd") && reader.at_end();
}

bool IsPicture(std::string_view file) {
  Reader start(file);
  if (!start.Takes("dddddd.ddd-s+-f+-")) return false;
  Reader crop = start, frame = start;
  return (crop.Takes("o+-crop-xxxxxxxx.jpg") && crop.at_end()) ||
         (frame.Takes("frame-xxxxxxxx.jpg") && frame.at_end());
}

bool IsPart(std::string_view file) {
  return file.starts_with('.') && file.ends_with(kPart) &&
         IsPicture(file.substr(1, file.size() - 1 - kPart.size()));
}

}  // namespace dsmsg::evidence
