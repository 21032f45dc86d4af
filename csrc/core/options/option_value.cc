// SPDX-License-Identifier: Apache-2.0
#include "core/options/option_value.h"

#include <glib.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "core/options/topic_template.h"

namespace dsmsg {
namespace {

using Kind = OptionType::Kind;

struct Unit {
  std::string_view name;
  int64_t factor;
};

// The first unit of a kind is the one to print.
constexpr Unit kMillisUnits[] = {{"", 1},       {"ms", 1},       {"s", 1000},
                                 {"m", 60'000}, {"min", 60'000}, {"h", 3'600'000}};
constexpr Unit kSecondsUnits[] = {{"", 1000},    {"ms", 1},       {"s", 1000},
                                  {"m", 60'000}, {"min", 60'000}, {"h", 3'600'000}};
constexpr int64_t kKilo = 1024;
constexpr Unit kBytesUnits[] = {{"", 1},
                                {"b", 1},
                                {"k", kKilo},
                                {"kb", kKilo},
                                {"kib", kKilo},
                                {"m", kKilo* kKilo},
                                {"mb", kKilo* kKilo},
                                {"mib", kKilo* kKilo},
                                {"g", kKilo* kKilo* kKilo},
                                {"gb", kKilo* kKilo* kKilo},
                                {"gib", kKilo* kKilo* kKilo}};
constexpr Unit kIntUnits[] = {{"", 1}};

std::span<const Unit> UnitsOf(Kind kind) {
  switch (kind) {
    case Kind::kMillis:
      return kMillisUnits;
    case Kind::kSeconds:
      return kSecondsUnits;
    case Kind::kBytes:
      return kBytesUnits;
    default:
      return kIntUnits;
  }
}

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return g_ascii_tolower(x) == g_ascii_tolower(y);
         });
}

bool SameChoice(std::string_view a, std::string_view b) {
  const auto fold = [](char c) { return c == '_' ? '-' : g_ascii_tolower(c); };
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [&](char x, char y) { return fold(x) == fold(y); });
}

// A whole number with a unit ("5s", "256 M").
std::optional<int64_t> ParseNumber(std::string_view text, std::span<const Unit> units) {
  text = TrimBlanks(text);
  if (!text.empty() && text.front() == '+') {
    text.remove_prefix(1);
    if (!text.empty() && text.front() == '-') return std::nullopt;
  }
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  const std::string_view name = TrimBlanks(text);
  for (const Unit& unit : units) {
    if (!EqualIgnoringCase(name, unit.name)) continue;
    int64_t value = 0;
    if (__builtin_mul_overflow(number, unit.factor, &value)) return std::nullopt;
    return value;
  }
  return std::nullopt;
}

std::optional<int64_t> ParseBool(std::string_view text) {
  for (const std::string_view yes : {"1", "true", "yes", "on"}) {
    if (EqualIgnoringCase(text, yes)) return 1;
  }
  for (const std::string_view no : {"0", "false", "no", "off"}) {
    if (EqualIgnoringCase(text, no)) return 0;
  }
  return std::nullopt;
}

// A bound as a user would write it: 60000 -> "1m" for a time, 1024 -> "1k" for a size.
std::string ToText(Kind kind, int64_t value) {
  if (value != 0) {
    const std::span<const Unit> units = UnitsOf(kind);
    const Unit* best = nullptr;
    for (const Unit& unit : units) {
      const bool plain = unit.name.size() == 1 || unit.name == "ms";
      if (plain && unit.name != "b" && value % unit.factor == 0 &&
          (best == nullptr || unit.factor > best->factor)) {
        best = &unit;
      }
    }
    if (best != nullptr) return std::to_string(value / best->factor) + std::string(best->name);
  }
  return std::to_string(value);
}

std::string Allowed(const OptionType& type) {
  std::string range;
  if (type.min && type.max) {
    range = " from " + ToText(type.kind, *type.min) + " to " + ToText(type.kind, *type.max);
  } else if (type.min) {
    range = " of at least " + ToText(type.kind, *type.min);
  } else if (type.max) {
    range = " of at most " + ToText(type.kind, *type.max);
  }
  switch (type.kind) {
    case Kind::kBool:
      return "must be 1 or 0, true or false, yes or no, on or off";
    case Kind::kInt:
      return "must be a whole number" + range;
    case Kind::kMillis:
      return "must be a time" + range +
             ", such as 500ms, 5s, 2m or 1h; a bare number means milliseconds";
    case Kind::kSeconds:
      return "must be a time" + range +
             ", such as 500ms, 5s, 2m or 1h; a bare number means seconds";
    case Kind::kBytes:
      return "must be a size" + range + ", such as 4096, 64k, 256M or 1G";
    case Kind::kEnum: {
      std::string text = "must be one of";
      const char* separator = " ";
      for (const std::string& choice : type.choices) {
        text += separator + choice;
        separator = ", ";
      }
      return text;
    }
    default:
      return "must be text";
  }
}

std::optional<Kind> KindOf(std::string_view name) {
  constexpr std::pair<std::string_view, Kind> kNames[] = {
      {"string", Kind::kString},     {"path", Kind::kPath},   {"bool", Kind::kBool},
      {"template", Kind::kTemplate}, {"pairs", Kind::kPairs}, {"enum", Kind::kEnum},
      {"int", Kind::kInt},           {"ms", Kind::kMillis},   {"s", Kind::kSeconds},
      {"bytes", Kind::kBytes}};
  for (const auto& [text, kind] : kNames) {
    if (text == name) return kind;
  }
  return std::nullopt;
}

std::vector<std::string> SplitArguments(std::string_view text) {
  std::vector<std::string> parts;
  for (;;) {
    const size_t comma = text.find(',');
    parts.emplace_back(TrimBlanks(text.substr(0, comma)));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

// Reads "k=v;k='v'" from left to right.
class PairsReader {
 public:
  explicit PairsReader(std::string_view rest) : rest_(rest) {}

  Result<Pairs> Read() {
    Pairs pairs;
    for (; !rest_.empty(); ++position_) {
      const std::string key = TakePlain("=;");
      const std::string_view name = TrimBlanks(key);
      if (rest_.empty() || rest_.front() == ';') {
        if (!name.empty()) return NotAPair(name);
        SkipSeparator();
        continue;
      }
      if (name.empty()) return NotAPair(name);
      rest_.remove_prefix(1);
      Result<std::string> value = TakeValue();
      if (!value.ok()) return value.status();
      pairs.emplace_back(name, std::move(value.value()));
      SkipSeparator();
    }
    return pairs;
  }

 private:
  // Up to one of `ends`; "\;" is a semicolon.
  std::string TakePlain(std::string_view ends) {
    std::string out;
    size_t at = 0;
    for (; at < rest_.size() && ends.find(rest_[at]) == std::string_view::npos; ++at) {
      if (rest_[at] == '\\' && at + 1 < rest_.size() && rest_[at + 1] == ';') ++at;
      out += rest_[at];
    }
    rest_.remove_prefix(at);
    return out;
  }

  Result<std::string> TakeValue() {
    const size_t begin = rest_.find_first_not_of(" \t\r\n");
    const bool quoted =
        begin != std::string_view::npos && (rest_[begin] == '"' || rest_[begin] == '\'');
    if (!quoted) return std::string(TrimBlanks(TakePlain(";")));
    const char quote = rest_[begin];
    std::string out;
    size_t at = begin + 1;
    for (; at < rest_.size(); ++at) {
      if (rest_[at] == quote) {
        if (at + 1 >= rest_.size() || rest_[at + 1] != quote) break;
        ++at;
      }
      out += rest_[at];
    }
    if (at == rest_.size()) {
      return Bad(
          "begins with a quote that is not closed (put a value that begins with a quote in the "
          "other kind of quotes)");
    }
    rest_.remove_prefix(at + 1);
    if (!TrimBlanks(rest_.substr(0, rest_.find(';'))).empty()) {
      return Bad("has text after its closing quote (inside quotes, write a quote twice)");
    }
    return out;
  }

  void SkipSeparator() {
    const size_t end = rest_.find(';');
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
  }

  Status NotAPair(std::string_view element) const {
    const bool secret = element.starts_with("${env:") || element.starts_with("${file:");
    return Bad(std::string("is not key=value; write pairs such as \"key=value;key=value\"") +
               (secret ? " (${env:NAME} and ${file:/path} stand for the value of one pair)"
                       : " (a value that contains ';' needs quotes: key='a;b')"));
  }
  // Never quotes the text: it may be part of a password.
  Status Bad(const std::string& what) const {
    return {Code::kInvalidArgument, "element " + std::to_string(position_) + " " + what};
  }

  std::string_view rest_;
  size_t position_ = 1;
};

Status BadTable(const OptionSpec& spec, const std::string& what) {
  return {Code::kInternal,
          "option table: " + std::string(spec.name) + ": type \"" + spec.type + "\": " + what};
}

}  // namespace

std::string_view TrimBlanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

Result<OptionType> ParseOptionType(const OptionSpec& spec) {
  const std::string_view text = spec.type;
  const size_t open = text.find('(');
  std::vector<std::string> arguments;
  if (open != std::string_view::npos) {
    if (text.back() != ')') return BadTable(spec, "no closing parenthesis");
    arguments = SplitArguments(text.substr(open + 1, text.size() - open - 2));
  }
  const std::optional<Kind> kind = KindOf(text.substr(0, open));
  if (!kind) return BadTable(spec, "there is no such type");
  OptionType type;
  type.kind = *kind;
  if (type.kind == Kind::kEnum) {
    if (arguments.empty()) return BadTable(spec, "an enum needs values");
    type.choices = std::move(arguments);
  } else if (!arguments.empty()) {
    if (!type.numeric() || type.kind == Kind::kBool) return BadTable(spec, "takes no bounds");
    if (arguments.size() != 2) return BadTable(spec, "bounds are (min,max)");
    for (size_t i = 0; i < 2; ++i) {
      if (arguments[i].empty()) continue;
      const std::optional<int64_t> bound = ParseNumber(arguments[i], UnitsOf(type.kind));
      if (!bound) return BadTable(spec, "a bound is not a number");
      (i == 0 ? type.min : type.max) = *bound;
    }
  }
  if (type.kind == Kind::kBytes && !type.min) type.min = 0;
  return type;
}

Result<OptionValue> ParseOptionValue(const OptionType& type, std::string_view text) {
  const auto refused = [&] { return Status(Code::kInvalidArgument, Allowed(type)); };
  OptionValue value{std::string(text), 0, {}};
  if (type.numeric() || type.kind == Kind::kEnum) {
    text = TrimBlanks(text);
    value.text = text;
    if (text.empty()) return value;
  }
  switch (type.kind) {
    case Kind::kBool: {
      const std::optional<int64_t> parsed = ParseBool(text);
      if (!parsed) return refused();
      value.number = *parsed;
      break;
    }
    case Kind::kInt:
    case Kind::kMillis:
    case Kind::kSeconds:
    case Kind::kBytes: {
      const std::optional<int64_t> parsed = ParseNumber(text, UnitsOf(type.kind));
      if (!parsed || (type.min && *parsed < *type.min) || (type.max && *parsed > *type.max)) {
        return refused();
      }
      value.number = *parsed;
      break;
    }
    case Kind::kEnum: {
      const auto same = [&](const std::string& choice) { return SameChoice(choice, text); };
      const auto found = std::find_if(type.choices.begin(), type.choices.end(), same);
      if (found == type.choices.end()) return refused();
      value.text = *found;
      break;
    }
    case Kind::kTemplate: {
      const Result<Template> compiled = Template::Compile(text);
      if (!compiled.ok()) return compiled.status();
      break;
    }
    case Kind::kPairs: {
      Result<Pairs> pairs = ParsePairs(text);
      if (!pairs.ok()) return pairs.status();
      value.pairs = std::move(pairs.value());
      break;
    }
    case Kind::kString:
    case Kind::kPath:
      break;
  }
  return value;
}

Result<Pairs> ParsePairs(std::string_view text) { return PairsReader(text).Read(); }

}  // namespace dsmsg
