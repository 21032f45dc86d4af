// SPDX-License-Identifier: Apache-2.0
#include "core/options/config_parser.h"

#include <glib.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "core/base/text_file.h"

namespace dsmsg {
namespace {

constexpr std::string_view kClientGroup = "nvmsgbroker";  // of the client library, in the same file
constexpr size_t kLongestFile = size_t{1} << 20;
constexpr std::string_view kDeprecatedInFile = "deprecated in the file: ";  // in an option's text

std::string WithDashes(std::string_view name) {
  std::string text(name);
  std::replace(text.begin(), text.end(), '_', '-');
  return text;
}

bool IsControl(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t') || byte == 0x7f;
}

// For messages: bounded, so that a wrong file does not fill the log.
std::string Shortened(std::string_view text) {
  constexpr size_t kLongest = 80;
  if (text.size() <= kLongest) return std::string(text);
  size_t cut = kLongest;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;
  return std::string(text.substr(0, cut)) + "...";
}

struct KeyFileFree {
  void operator()(GKeyFile* file) const { g_key_file_free(file); }
};
struct StringFree {
  void operator()(char* text) const { g_free(text); }
};
struct StringsFree {
  void operator()(char** texts) const { g_strfreev(texts); }
};

}  // namespace

Unquoted Unquote(std::string_view raw) {
  const std::string_view text = TrimBlanks(raw);
  if (text.empty() || (text.front() != '"' && text.front() != '\'')) return {text};
  if (text.size() >= 2 && text.back() == text.front()) {
    return {text.substr(1, text.size() - 2), true, false};
  }
  return {text, false, true};
}

bool SeemsComment(std::string_view text, bool pairs) {
  char quote = '\0', before = '\0';  // the last character that is not a blank
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool blank = c == ' ' || c == '\t';
    if (quote != '\0') {
      if (c == quote) quote = '\0';
    } else if (pairs && before == '=' && (c == '"' || c == '\'')) {
      quote = c;
    } else if (i > 0 && (text[i - 1] == ' ' || text[i - 1] == '\t') &&
               (c == '#' || (c == ';' && !pairs))) {
      return true;
    }
    if (!blank) before = c;
  }
  return false;
}

std::string CommentHint(std::string_view raw) {
  return SeemsComment(raw, false) ? " (a comment needs a line of its own)" : "";
}

namespace {

// The Python package (_inifile.py) and the adaptor for several destinations pass settings that are
// not a file in an in-memory file, whose path means nothing to a reader.
std::string OriginOf(const std::string& path) {
  constexpr std::string_view kDescriptors = "/proc/self/fd/", kPython = "/memfd:dsmsg-settings",
                             kHandler = "/memfd:dsmsg-handler-", kEnd = " (deleted)";
  char target[300];
  if (!path.starts_with(kDescriptors)) return path;
  const ssize_t size = readlink(path.c_str(), target, sizeof target);
  std::string_view found(target, size < 0 ? 0 : static_cast<size_t>(size));
  if (found.starts_with(kPython)) return "settings given in Python";
  if (!found.starts_with(kHandler)) return path;
  found.remove_prefix(kHandler.size());
  if (found.ends_with(kEnd)) found.remove_suffix(kEnd.size());
  return "settings of handler " + std::string(found);
}

std::string DidYouMean(const OptionTable& table, std::string_view name) {
  const std::string nearest = table.Nearest(name);
  return nearest.empty() ? "" : " (did you mean " + nearest + "?)";
}

// Why a text cannot stand in a file; "" if it can.
std::string Unwritable(std::string_view text) {
  if (!g_utf8_validate(text.data(), static_cast<gssize>(text.size()), nullptr)) {
    return "is not valid UTF-8 (files must be saved as UTF-8)";
  }
  return std::any_of(text.begin(), text.end(), IsControl) ? "contains a control character" : "";
}

}  // namespace

Result<OptionValue> EvaluateOption(const OptionSpec& spec, const OptionType& type,
                                   std::string_view text, const std::string& hint) {
  const Result<OptionValue> deflt = ParseOptionValue(type, spec.deflt);
  if (!deflt.ok()) return deflt;
  Result<OptionValue> parsed = ParseOptionValue(type, text);
  const auto refused = [&](const std::string& why) {
    // Pairs may contain a password of the client library, and their message names the element.
    const bool shown = (spec.flags & kOptSecret) == 0 && type.kind != OptionType::Kind::kPairs;
    return Status(Code::kInvalidArgument,
                  spec.name + (shown ? " = " + Shortened(text) : std::string()) + ": " + why);
  };
  if (!parsed.ok()) return refused(parsed.status().message() + hint);
  // "" is not the same as "not set": it would count as 0 and turn a switch off.
  const bool choice = type.numeric() || type.kind == OptionType::Kind::kEnum;
  if (choice && parsed->text.empty() && !deflt->text.empty()) {
    return Status(Code::kInvalidArgument,
                  spec.name + (" = \"\": there is no value (leave it out for "
                               "the default, " +
                               deflt->text + ")"));
  }
  const bool is_default =
      parsed->text == deflt->text || (type.numeric() && !parsed->text.empty() &&
                                      !deflt->text.empty() && parsed->number == deflt->number);
  if ((spec.flags & kOptUnavailable) != 0 && !is_default) {
    return refused(std::string("not available: ") + spec.doc + " (remove this setting)");
  }
  return parsed;
}

Status CheckOption(const OptionTable& table, std::string_view name,
                   std::optional<std::string_view> value) {
  const OptionSpec* spec = table.Find(name);
  if (spec == nullptr) {
    return {Code::kInvalidArgument,
            "unknown option '" + Shortened(name) + "'" + DidYouMean(table, name)};
  }
  if (!value) return {};
  if (const std::string why = Unwritable(*value); !why.empty()) {
    return {Code::kInvalidArgument, spec->name + (": " + why)};
  }
  const Result<OptionType> type = ParseOptionType(*spec);
  if (!type.ok()) return type.status();
  return EvaluateOption(*spec, type.value(), *value).status();
}

Result<Config> Config::Load(const std::string& path, const OptionTable& table) {
  if (path.empty()) return Parse("", "", table);
  const std::string origin = OriginOf(path);
  const Result<std::string> text = ReadTextFile(path, kLongestFile);
  if (!text.ok()) {
    return Status(Code::kInvalidArgument,
                  "config file \"" + origin + "\": " + text.status().message());
  }
  return Parse(text.value(), origin, table);
}

Result<Config> Config::Parse(std::string_view text, const std::string& origin,
                             const OptionTable& table) {
  return ConfigParser(table, origin).Parse(text);
}

Result<Config> ConfigParser::Parse(std::string_view text) {
  if (Status status = SetDefaults(); !status.ok()) return status;
  if (Status status = Scan(text); !status.ok()) return status;
  if (Status status = ReadValues(); !status.ok()) return status;
  WarnOfTlsOff();
  return std::move(config_);
}

// DeepStream's files have the names of certificates beside enable-tls=0.
void ConfigParser::WarnOfTlsOff() {
  if (!config_.IsSet("enable-tls") || config_.GetBool("enable-tls")) return;
  std::string names;
  for (const auto& [name, key] : keys_) {
    if (name.starts_with("tls-") && config_.IsSet(name) && !config_.Get(name).text.empty()) {
      names += (names.empty() ? "" : ", ") + name;
    }
  }
  if (names.empty()) return;
  Warn(keys_.at("enable-tls").line,
       "enable-tls=0: messages are sent in clear text, and these have no effect: " + names +
           " (set enable-tls=1 for TLS)");
}

std::string ConfigParser::At(size_t line) const {
  return origin_ + ":" + std::to_string(line) + ": ";
}

Status ConfigParser::Bad(size_t line, const std::string& what) const {
  return {Code::kInvalidArgument, At(line) + what};
}

void ConfigParser::Warn(size_t line, const std::string& what) {
  config_.warnings_.push_back(At(line) + what);
}

Status ConfigParser::SetDefaults() {
  for (const OptionSpec& spec : table_.all()) {
    const Result<OptionType> type = ParseOptionType(spec);
    if (!type.ok()) return type.status();
    Result<OptionValue> parsed = ParseOptionValue(type.value(), spec.deflt);
    if (!parsed.ok()) {
      return Status(Code::kInternal, std::string("option table: ") + spec.name + ": default \"" +
                                         spec.deflt + "\": " + parsed.status().message());
    }
    Config::Value& value = config_.values_[WithDashes(spec.name)];
    value.form = type->numeric()                          ? Config::Value::Form::kNumber
                 : type->kind == OptionType::Kind::kPairs ? Config::Value::Form::kPairs
                                                          : Config::Value::Form::kText;
    value.flags = spec.flags;
    value.text = std::move(parsed->text);
    value.number = parsed->number;
    value.pairs = std::move(parsed->pairs);
  }
  return {};
}

Status ConfigParser::Scan(std::string_view text) {
  text = WithoutByteOrderMark(text);
  if (text.size() > kLongestFile) {
    return {Code::kInvalidArgument,
            origin_ + ": larger than 1M, so it is not a configuration file"};
  }
  prepared_.reserve(text.size() + 1);
  while (!text.empty()) {
    ++line_;
    const size_t end = text.find('\n');
    if (Status status = ScanLine(TrimBlanks(text.substr(0, end))); !status.ok()) return status;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return {};
}

Status ConfigParser::ScanLine(std::string_view line) {
  if (line.find('\0') != std::string_view::npos) {
    return Bad(line_, "contains a NUL byte, so the file is not a text file");
  }
  // GKeyFile supports only '#', but files with ';' comments are common.
  if (line.empty() || line.front() == '#' || line.front() == ';') return {};
  if (const std::string why = Unwritable(line); !why.empty()) return Bad(line_, why);
  return line.front() == '[' ? ScanGroup(line) : ScanKey(line);
}

Status ConfigParser::ScanGroup(std::string_view line) {
  const std::string_view name = line.substr(1, line.size() - 1 - (line.back() == ']' ? 1 : 0));
  if (line.back() != ']' || name.empty() || name.find_first_of("[]") != std::string_view::npos) {
    return Bad(line_, "a group is written [name], alone on its line");
  }
  group_ = name;
  const auto [first, is_new] = group_lines_.try_emplace(group_, line_);
  if (!is_new) {
    Warn(line_, "group [" + Shortened(group_) + "] appears again (first on line " +
                    std::to_string(first->second) + "): both are read as one");
  } else if (group_ != wanted_ && group_ != kClientGroup) {
    Warn(line_, "unknown group [" + Shortened(group_) + "] is not read (settings belong in [" +
                    wanted_ + "])");
  }
  prepared_.append(line).append("\n");
  return {};
}

Status ConfigParser::ScanKey(std::string_view line) {
  const size_t equals = line.find('=');
  const std::string_view key = TrimBlanks(line.substr(0, equals));
  if (equals == std::string_view::npos || key.empty()) {
    // The line may be a password: it is not repeated.
    return Bad(line_, "is not a [group], key = value or # comment");
  }
  if (key.find_first_of("[]") != std::string_view::npos) {
    return Bad(line_, "a key must not contain brackets");
  }
  if (group_.empty()) {
    return Bad(line_, "key " + Shortened(key) + " comes before any group (put the line [" +
                          wanted_ + "] above it)");
  }
  if (group_ == wanted_) {
    Key& known = keys_[WithDashes(key)];
    if (known.line != 0) {
      Warn(line_, "key " + Shortened(key) + " is set again (also on line " +
                      std::to_string(known.line) + "): the last one counts");
    }
    known = {line_, std::string(key)};
    // With one spelling per key, GKeyFile lets the last one win.
    prepared_.append(WithDashes(key)).append(line.substr(equals)).append("\n");
  }
  return {};
}

Status ConfigParser::ReadValues() {
  if (keys_.empty()) return {};
  const std::unique_ptr<GKeyFile, KeyFileFree> file(g_key_file_new());
  // Its message would quote the line.
  Status refused(Code::kInvalidArgument, origin_ + ": is not a key file");
  if (g_key_file_load_from_data(file.get(), prepared_.data(), prepared_.size(),
                                G_KEY_FILE_KEEP_TRANSLATIONS, nullptr) == 0) {
    return refused;
  }
  const std::unique_ptr<char*, StringsFree> keys(
      g_key_file_get_keys(file.get(), wanted_.c_str(), nullptr, nullptr));
  if (keys == nullptr) return refused;
  for (char** key = keys.get(); *key != nullptr; ++key) {
    // The raw value: existing files do not follow GKeyFile's escapes (\s, \n, \\).
    const std::unique_ptr<char, StringFree> raw(
        g_key_file_get_value(file.get(), wanted_.c_str(), *key, nullptr));
    if (raw == nullptr) return refused;
    if (Status status = Set(keys_[*key], table_.Find(*key), raw.get()); !status.ok()) return status;
  }
  return {};
}

Status ConfigParser::Set(const Key& key, const OptionSpec* spec, std::string_view raw) {
  if (spec != nullptr) return SetKnown(*spec, key.line, raw);
  Warn(key.line,
       "unknown key " + Shortened(key.written) + " is ignored" + DidYouMean(table_, key.written));
  return {};
}

Status ConfigParser::SetKnown(const OptionSpec& spec, size_t line, std::string_view raw) {
  const Unquoted unquoted = Unquote(raw);
  if (unquoted.text.empty() && !unquoted.quoted) return {};  // "key =": not set
  // A password may begin with a quote.
  if (unquoted.open && (spec.flags & kOptSecret) == 0) {
    return Bad(line, spec.name + (": the quote is not closed" + CommentHint(raw)));
  }
  const Result<OptionType> type = ParseOptionType(spec);
  if (!type.ok()) return type.status();
  if (!unquoted.quoted) WarnOfComment(spec, type.value(), line, raw);
  Result<OptionValue> parsed = Evaluate(spec, type.value(), line, unquoted, raw);
  if (!parsed.ok()) return parsed.status();
  Config::Value& value = config_.values_[WithDashes(spec.name)];
  value.text = std::move(parsed->text);
  value.number = parsed->number;
  value.pairs = std::move(parsed->pairs);
  value.set = true;
  if ((spec.flags & kOptDeprecated) != 0) {
    // The option's text says what to use instead.
    const std::string_view doc = spec.doc;
    const size_t at = doc.find(kDeprecatedInFile);
    Warn(line, std::string(spec.name) + " in the file is deprecated: " +
                   std::string(at == doc.npos ? doc : doc.substr(at + kDeprecatedInFile.size())));
  }
  return {};
}

Result<OptionValue> ConfigParser::Evaluate(const OptionSpec& spec, const OptionType& type,
                                           size_t line, const Unquoted& unquoted,
                                           std::string_view raw) {
  const bool secret = (spec.flags & kOptSecret) != 0;
  const bool pairs = type.kind == OptionType::Kind::kPairs;
  const auto expand = [&](std::string* text) -> Status {
    Result<std::string> expanded = ExpandSecret(*text, &config_.files_);
    if (!expanded.ok()) return Bad(line, spec.name + (": " + expanded.status().message()));
    *text = std::move(expanded.value());
    return {};
  };
  std::string text(unquoted.text);
  if (secret && !pairs) {
    if (Status status = expand(&text); !status.ok()) return status;
  }
  const std::string hint = secret || unquoted.quoted ? std::string() : CommentHint(raw);
  Result<OptionValue> parsed = EvaluateOption(spec, type, text, hint);
  if (!parsed.ok()) return Bad(line, parsed.status().message());
  if (secret) {
    for (auto& [name, value] : parsed->pairs) {
      if (Status status = expand(&value); !status.ok()) return status;
    }
  }
  return parsed;
}

// The comment becomes part of the value, which surprises users; for other types it is an error.
void ConfigParser::WarnOfComment(const OptionSpec& spec, const OptionType& type, size_t line,
                                 std::string_view raw) {
  const bool pairs = type.kind == OptionType::Kind::kPairs;
  if (type.numeric() || type.kind == OptionType::Kind::kEnum || !SeemsComment(raw, pairs)) return;
  Warn(line, std::string(spec.name) +
                 ": what looks like a comment after the value is read as part of it (move the "
                 "comment to its own line, or put the value in quotes if it belongs to it)");
}

}  // namespace dsmsg
