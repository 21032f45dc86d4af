// SPDX-License-Identifier: Apache-2.0
// What a configuration reads from outside: secrets from files and environment.
#include <cstdlib>

#include "core/base/text_file.h"
#include "core/options/config_parser.h"

namespace dsmsg {
namespace {

constexpr size_t kLongestSecret = size_t{64} << 10;

Result<std::string> SecretFromEnvironment(const std::string& name) {
  const char* text = std::getenv(name.c_str());
  if (text == nullptr) {
    return Status(Code::kInvalidArgument, "environment variable " + name + " is not set");
  }
  return std::string(text);
}

Result<std::string> SecretFromFile(const std::string& path) {
  Result<std::string> text = ReadTextFile(path, kLongestSecret);
  if (!text.ok()) {
    return Status(Code::kInvalidArgument, "file \"" + path + "\": " + text.status().message());
  }
  // Editors and echo end a file with a line break that is not part of the secret.
  std::string& secret = text.value();
  if (!secret.empty() && secret.back() == '\n') secret.pop_back();
  if (!secret.empty() && secret.back() == '\r') secret.pop_back();
  if (secret.find('\0') != std::string::npos) {
    return Status(Code::kInvalidArgument, "file \"" + path + "\": contains a NUL byte");
  }
  return text;
}

}  // namespace

Result<std::string> ExpandSecret(std::string_view text, std::vector<std::string>* files) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    if (rest.substr(0, 3) == "$${") {
      out += "${";
      at += 3;
      continue;
    }
    const bool from_environment = rest.substr(0, 6) == "${env:";
    const bool from_file = rest.substr(0, 7) == "${file:";
    if (!from_environment && !from_file) {
      out += text[at++];
      continue;
    }
    const size_t begin = from_environment ? 6 : 7, end = rest.find('}');
    if (end == std::string_view::npos || end == begin) {
      return Status(Code::kInvalidArgument,
                    "write ${env:NAME} or ${file:/path}, with a name and a closing brace");
    }
    const std::string name(rest.substr(begin, end - begin));
    const Result<std::string> value =
        from_environment ? SecretFromEnvironment(name) : SecretFromFile(name);
    if (!value.ok()) return value.status();
    if (from_file) files->push_back(name);
    out += value.value();
    at += end + 1;
  }
  return out;
}

}  // namespace dsmsg
