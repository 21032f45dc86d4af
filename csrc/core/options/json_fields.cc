// SPDX-License-Identifier: Apache-2.0
#include "core/options/json_fields.h"

#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <bit>
#include <cstring>

#include "core/options/json_block.h"

namespace dsmsg {
namespace {

constexpr char kNothing[2] = {};  // stands for the byte behind a string that has no end

// The steps of the reading are compiled into its two loops: a call for each would cost as much as
// the step.
#define DSMSG_STEP [[gnu::always_inline]] inline

DSMSG_STEP const char* PassBlanks(const char* at) {
  if (static_cast<unsigned char>(*at) <= ' ') [[unlikely]] {
    while (JsonFields::Blank(*at)) ++at;
  }
  return at;
}

DSMSG_STEP bool Digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

/// Null if `at` is not at a digit.
DSMSG_STEP const char* Digits(const char* at) {
  if (!Digit(*at)) return nullptr;
  do ++at;
  while (Digit(*at));
  return at;
}

/// Both brackets, in ASCII, are two apart.
DSMSG_STEP char ClosingOf(char open) { return static_cast<char>(open + 2); }
DSMSG_STEP bool Opens(char c) { return c == '{' || c == '['; }

[[gnu::noinline]] void PushTo(std::vector<uint64_t>* stack, uint64_t bits) {
  stack->push_back(bits);
}

[[gnu::noinline]] uint64_t PopFrom(std::vector<uint64_t>* stack) {
  const uint64_t bits = stack->back();
  stack->pop_back();
  return bits;
}

/// The kinds of the containers that are open. `outer`: memory for those beyond the innermost 64,
/// elsewhere, so that this object can live in registers.
class Nesting {
 public:
  DSMSG_STEP explicit Nesting(std::vector<uint64_t>* outer) : outer_(outer) {}
  DSMSG_STEP void Push(bool object) {
    if (++depth_ % 64 == 0) [[unlikely]]
      PushTo(outer_, objects_);
    objects_ = objects_ << 1 | static_cast<uint64_t>(object);
  }
  DSMSG_STEP void Pop() {
    objects_ >>= 1;
    if (depth_-- % 64 == 0) [[unlikely]]
      objects_ = PopFrom(outer_);
  }
  DSMSG_STEP size_t depth() const { return depth_; }
  DSMSG_STEP bool object() const { return (objects_ & 1) != 0; }

 private:
  std::vector<uint64_t>* const outer_;
  uint64_t objects_ = 0;  // a bit for each, the innermost is the lowest
  size_t depth_ = 0;
};

DSMSG_STEP const char* Number(const char* at) {
  if (*at == '-') ++at;
  at = *at == '0' ? at + 1 : Digits(at);
  if (at != nullptr && *at == '.') at = Digits(at + 1);
  if (at != nullptr && (*at == 'e' || *at == 'E')) {
    ++at;
    at = Digits(*at == '+' || *at == '-' ? at + 1 : at);
  }
  return at;
}

}  // namespace

/// The blocks of a text, and where strings end in the one that was read last.
struct JsonFields::Stops {
  Stops(const char* begin, const char* past) : block(begin), end(past) { Load(); }

  /// The first byte from `from` on that ends a plain run of a string.
  DSMSG_STEP const char* Next(const char* from) {
    for (;;) {
      const auto offset = static_cast<size_t>(from - block);
      if (offset < kJsonBlock) [[likely]] {
        const uint64_t left = bits >> offset;
        if (left != 0) [[likely]]
          return from + std::countr_zero(left);
        from = block + kJsonBlock;
      }
      if (end - block <= static_cast<std::ptrdiff_t>(kJsonBlock)) return kNothing;
      block += kJsonBlock;
      Load();
    }
  }
  /// Goes on from `from` on, which lies behind everything that was read.
  DSMSG_STEP void Restart(const char* from) {
    block = from;
    Load();
  }
  DSMSG_STEP void Load() {
    if (end - block >= static_cast<std::ptrdiff_t>(kJsonBlock)) [[likely]] {
      bits = StringStops(block);
      return;
    }
    char rest[kJsonBlock];
    std::memset(rest, ' ', sizeof rest);
    std::memcpy(rest, block, static_cast<size_t>(end - block));
    bits = StringStops(rest);
  }

  const char* block;
  const char* const end;
  uint64_t bits = 0;
};

namespace {

/// Bit i: the number of set bits up to i, itself included, is odd.
DSMSG_STEP uint64_t PrefixParity(uint64_t bits) {
#pragma GCC unroll 6
  for (int by = 1; by < 64; by *= 2) bits ^= bits << by;
  return bits;
}

/// The bytes behind a backslash that is not behind one itself. `carry`: the first byte is one, now
/// and for the next block.
[[gnu::noinline]] uint64_t EscapedBytes(uint64_t slashes, bool* carry) {
  uint64_t escaped = *carry ? 1 : 0;
  slashes &= ~escaped;
  *carry = false;
  while (slashes != 0) {
    const int at = std::countr_zero(slashes);
    *carry = at == 63;
    const uint64_t next = at == 63 ? 0 : uint64_t{2} << at;
    escaped |= next;
    slashes &= ~next & (slashes - 1);
  }
  return escaped;
}

/// The byte behind the container that begins at `at`, or null if it does not end before `end`. Its
/// brackets are counted, whatever their kind; nothing else is checked.
const char* BehindContainer(const char* at, const char* end) {
  uint64_t inside = 0;  // all bits set: the block begins in a string
  bool carry = false;
  std::ptrdiff_t depth = 0;
  for (const char* block = at; block < end; block += kJsonBlock) {
    const auto left = static_cast<size_t>(end - block);
    char rest[kJsonBlock];
    if (left < kJsonBlock) [[unlikely]] {
      std::memset(rest, ' ', sizeof rest);
      std::memcpy(rest, block, left);
    }
    const JsonMarks marks = Marks(left < kJsonBlock ? rest : block);
    uint64_t quotes = marks.quotes;
    if (marks.slashes != 0 || carry) [[unlikely]]
      quotes &= ~EscapedBytes(marks.slashes, &carry);
    const uint64_t strings = PrefixParity(quotes) ^ inside;
    inside = 0 - (strings >> 63);
    for (uint64_t each = marks.brackets & ~strings; each != 0; each &= each - 1) {
      const char* const bracket = block + std::countr_zero(each);
      depth += Opens(*bracket) ? 1 : -1;
      if (depth == 0) return bracket + 1;
    }
  }
  return nullptr;
}

}  // namespace

/// The containers that lead to paths, outermost first.
struct JsonFields::Levels {
  struct Level {
    uint64_t wanted;  // the paths whose next name may still come here
    uint32_t elements;
  };
  size_t count = 0;
  Level level[FieldReader::kDeepest];
};

/// A string with escapes, into `unescaped_`.
[[gnu::noinline]] const char* JsonFields::Escaped(const char* at) {
  struct Handler : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Handler> {
    explicit Handler(std::string* out) : to(out) {}
    bool String(const char* bytes, rapidjson::SizeType size, bool /*copy*/) {
      to->assign(bytes, size);
      return true;
    }
    std::string* const to;
  } handler(&unescaped_);
  // The string is decoded in this memory; only a longer one needs the heap.
  alignas(8) char memory[1024];
  rapidjson::MemoryPoolAllocator<> allocator(memory, sizeof memory, 4096);
  rapidjson::GenericReader<rapidjson::UTF8<>, rapidjson::UTF8<>, rapidjson::MemoryPoolAllocator<>>
      reader(&allocator, 256);
  rapidjson::MemoryStream stream(at, static_cast<size_t>(end_ - at));
  if (reader.Parse<rapidjson::kParseStopWhenDoneFlag>(stream, handler).IsError()) return nullptr;
  escaped_ = at;
  return stream.src_;
}

DSMSG_STEP const char* JsonFields::String(const char* at, Stops* stops) {
  const char* const end = stops->Next(at + 1);
  if (*end == '"') [[likely]]
    return end + 1;
  return *end == '\\' ? Escaped(at) : nullptr;
}

[[gnu::noinline]] const char* JsonFields::Literal(const char* at) const {
  const std::string_view rest(at, static_cast<size_t>(end_ - at));
  for (const std::string_view word : {"true", "false", "null"}) {
    if (rest.substr(0, word.size()) == word) return at + word.size();
  }
  return nullptr;
}

DSMSG_STEP const char* JsonFields::Scalar(const char* at, Stops* stops) {
  if (*at == '"') return String(at, stops);
  return *at == '-' || Digit(*at) ? Number(at) : Literal(at);
}

/// What the scalar or key between these says.
std::string_view JsonFields::Text(const char* begin, const char* end) const {
  if (begin == escaped_) return unescaped_;
  const size_t quote = *begin == '"' ? 1 : 0;
  return {begin + quote, static_cast<size_t>(end - begin) - 2 * quote};
}

JsonFields::JsonFields(std::string_view text, const std::vector<FieldReader::Path>& paths,
                       uint64_t lengths)
    : text_(text),
      paths_(paths),
      lengths_(lengths),
      alive_(~uint64_t{0} >> (FieldReader::kMostPaths - paths.size())) {}

void JsonFields::All(std::vector<FieldValue>* values) {
  values_ = values;
  Run();
}

bool JsonFields::First(std::string* text) {
  first_ = text;
  Run();
  return found_;
}

void JsonFields::Run() {
  std::string_view text = text_;
  while (Blank(text.back()) || text.back() == '\0') text.remove_suffix(1);
  if (text.back() == '}' || text.back() == ']') return Read(text);
  const std::string copy(text_);  // cut off, or more behind it
  Read({copy.data(), copy.size() + 1});
}

/// One turn for each value. A container that a path leads into lies in containers that it leads
/// into, so these are the outermost ones: as many as there are `levels`.
void JsonFields::Read(std::string_view text) {
  end_ = text.data() + text.size();
  Stops stops{text.data(), end_};
  std::vector<uint64_t> outer;
  Nesting open(&outer);
  Levels levels;
  levels.level[levels.count++] = {alive_, 0};  // all paths lead into the first container
  uint64_t hits = 0;                           // the paths that this value belongs to
  for (const char* at = text.data();;) {
    bool opened = false;
    if (Opens(*at)) {
      const size_t above = levels.count;
      if (hits != 0 && !Enter(hits, &levels)) return;
      if (levels.count == above && open.depth() != 0) {
        at = BehindContainer(at, end_);
        if (at == nullptr || at == end_) return;
        stops.Restart(at);
      } else {
        const char close = ClosingOf(*at);
        open.Push(close == '}');
        at = PassBlanks(at + 1);
        opened = *at != close;
      }
    } else {
      const char* const value = at;
      at = Scalar(at, &stops);
      if (at == nullptr || (hits != 0 && !Keep(hits, value, at, levels))) return;
    }
    if (!opened) {
      for (at = PassBlanks(at); *at != ','; at = PassBlanks(at)) {
        if (*at != (open.object() ? '}' : ']')) return;
        if (levels.count == open.depth() && !Leave(&levels)) return;
        open.Pop();
        if (++at == end_) return;
      }
      at = PassBlanks(at + 1);
    }
    hits = 0;
    const bool followed = levels.count == open.depth();
    if (open.object()) {
      if (*at != '"') return;
      const char* const key = at;
      at = String(at, &stops);
      if (at == nullptr) return;
      if (followed) {
        const std::string_view name = Text(key, at);
        if ((lengths_ >> FieldReader::LengthBit(name) & 1) != 0) hits = Matching(name, &levels);
      }
      at = PassBlanks(at);
      if (*at != ':') return;
      at = PassBlanks(at + 1);
    } else if (followed) {
      hits = MatchingIndex(&levels);
    }
  }
}

/// A container begins: it is followed if any path of `hits` leads on. False: no path is left.
bool JsonFields::Enter(uint64_t hits, Levels* levels) {
  const uint64_t inside =
      Those(hits, [&](const Path& path) { return path.size() > levels->count; });
  alive_ &= ~(hits & ~inside);
  if (inside != 0) levels->level[levels->count++] = {inside, 0};
  return alive_ != 0;
}

/// The innermost container that was followed has ended. False: no path is left.
bool JsonFields::Leave(Levels* levels) {
  alive_ &= ~levels->level[--levels->count].wanted;
  return alive_ != 0;
}

/// The paths that lead to the member or element that begins. Of repeated keys the first one counts.
uint64_t JsonFields::Matching(std::string_view key, Levels* levels) const {
  const size_t last = levels->count - 1;
  Levels::Level& level = levels->level[last];
  const uint64_t hits =
      Those(level.wanted, [&](const Path& path) { return path[last].name == key; });
  level.wanted &= ~hits;
  return hits;
}

uint64_t JsonFields::MatchingIndex(Levels* levels) const {
  const size_t last = levels->count - 1;
  Levels::Level& level = levels->level[last];
  const uint32_t index = level.elements++;
  const uint64_t hits =
      Those(level.wanted, [&](const Path& path) { return path[last].index == index; });
  level.wanted &= ~hits;
  return hits;
}

/// The scalar that `hits` lead to; they end here. False: no path is left, or no more is needed.
bool JsonFields::Keep(uint64_t hits, const char* begin, const char* end, const Levels& levels) {
  // A number at the end of the text may have been cut off.
  if (end + 1 == end_ && *end == '\0' && Digit(end[-1])) return false;
  alive_ &= ~hits;
  uint64_t ends = Those(hits, [&](const Path& path) { return path.size() == levels.count; });
  for (const bool null = *begin == 'n'; ends != 0 && !null; ends &= ends - 1) {
    if (first_ != nullptr) {
      first_->assign(Text(begin, end));
      found_ = true;
      return false;
    }
    FieldValue& found = (*values_)[static_cast<size_t>(std::countr_zero(ends))];
    found.found = true;
    found.text.assign(Text(begin, end));
  }
  return alive_ != 0;
}

/// Those paths of `set` for which `is` is true.
template <typename Is>
uint64_t JsonFields::Those(uint64_t set, Is is) const {
  uint64_t those = 0;
  for (; set != 0; set &= set - 1) {
    if (is(paths_[static_cast<size_t>(std::countr_zero(set))])) those |= set & -set;
  }
  return those;
}

}  // namespace dsmsg
