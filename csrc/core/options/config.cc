// SPDX-License-Identifier: Apache-2.0
#include "core/options/config.h"

#include <algorithm>
#include <cassert>

#include "core/base/environment.h"

namespace dsmsg {
namespace {

std::string WithDashes(std::string_view name) {
  std::string text(name);
  std::replace(text.begin(), text.end(), '_', '-');
  return text;
}

// One line per option: line breaks (from a secret's file) must not look like another option.
std::string OneLine(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '\n') out += '\\';
    out += c == '\n' ? 'n' : c;
  }
  return out;
}

std::string CanonicalPairs(const Pairs& pairs) {
  std::string out;
  for (const auto& [key, value] : pairs) {
    // The length distinguishes a semicolon inside a value from one between pairs.
    out += std::to_string(key.size()) + ':';
    out += key;
    out += '=' + std::to_string(value.size()) + ':';
    out += value;
    out += ';';
  }
  return out;
}

}  // namespace

void Config::ApplyEnvironment(const char* suffix) {
  constexpr std::pair<const char*, const char*> kNames[] = {{"USER_", "username"},
                                                            {"PASSWORD_", "password"}};
  for (const auto& [prefix, name] : kNames) {
    const std::string text = FromEnvironment(std::string(prefix) + suffix);
    if (text.empty()) continue;
    const auto found = values_.find(name);
    if (found == values_.end()) continue;
    found->second.text = text;
    found->second.set = true;
  }
}

const Config::Value& Config::Get(std::string_view name) const {
  static const auto& none = *new Value;  // used until the process is gone
  auto found = values_.find(name);
  if (found == values_.end()) found = values_.find(WithDashes(name));
  assert(found != values_.end());
  return found == values_.end() ? none : found->second;
}

bool Config::Has(std::string_view name) const { return values_.count(WithDashes(name)) > 0; }

bool Config::IsSet(std::string_view name) const { return Has(name) && Get(name).set; }

std::string Config::GetString(std::string_view name) const { return Get(name).text; }

int64_t Config::GetInt(std::string_view name) const { return Get(name).number; }

bool Config::GetBool(std::string_view name) const { return Get(name).number != 0; }

Millis Config::GetMillis(std::string_view name) const { return Millis(Get(name).number); }

uint64_t Config::GetBytes(std::string_view name) const {
  return static_cast<uint64_t>(std::max<int64_t>(Get(name).number, 0));
}

Pairs Config::GetPairs(std::string_view name) const { return Get(name).pairs; }

std::string Config::CanonicalValue(const Value& value) {
  switch (value.form) {
    case Value::Form::kText:
      return OneLine(value.text);
    case Value::Form::kNumber:
      // Not set is not the same as 0.
      return value.text.empty() ? std::string() : std::to_string(value.number);
    case Value::Form::kPairs:
      return OneLine(CanonicalPairs(value.pairs));
  }
  return {};
}

std::string Config::Canonical() const {
  std::string out;
  for (const auto& [name, value] : values_) {
    if ((value.flags & kOptLocal) == 0) out += name + '=' + CanonicalValue(value) + '\n';
  }
  return out;
}

std::vector<std::string> Config::Different(const Config& other) const {
  std::vector<std::string> names;
  for (const auto& [name, value] : values_) {
    if (CanonicalValue(value) != CanonicalValue(other.Get(name))) names.push_back(name);
  }
  return names;
}

}  // namespace dsmsg
