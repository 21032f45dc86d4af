// SPDX-License-Identifier: Apache-2.0
#include "adaptors/nats/subject.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>

namespace dsmsg::nats {
namespace {

// A server takes a control line of 4096 bytes; the reply and the numbers are in it too.
constexpr size_t kLongest = 3900;

std::string_view NextToken(std::string_view* rest) {
  const size_t end = std::min(rest->find('.'), rest->size());
  const std::string_view token = rest->substr(0, end);
  rest->remove_prefix(std::min(end + 1, rest->size()));
  return token;
}

Status Wrong(std::string_view subject, const std::string& why) {
  return {Code::kInvalidArgument, "\"" + std::string(subject.substr(0, 200)) +
                                      "\" cannot be a NATS subject: " + why +
                                      " (for example camera.1.detections)"};
}

}  // namespace

Status CheckSubject(std::string_view subject, bool wildcards) {
  if (subject.empty()) {
    return {Code::kInvalidArgument, "a message has no topic (set topic in the config file)"};
  }
  if (subject.size() > kLongest) return Wrong(subject, "it is longer than 3900 bytes");
  for (const char c : subject) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '\x7f') {
      return Wrong(subject, "it contains a blank or a control character");
    }
  }
  if (subject.front() == '.' || subject.back() == '.') {
    return Wrong(subject, "it begins or ends with a dot");
  }
  for (std::string_view rest = subject; !rest.empty();) {
    const std::string_view token = NextToken(&rest);
    if (token.empty()) return Wrong(subject, "nothing is between two dots");
    if (token != "*" && token != ">") continue;
    if (!wildcards) return Wrong(subject, "a message cannot be sent to a wildcard");
    if (token == ">" && !rest.empty()) return Wrong(subject, "\">\" must be its end");
  }
  return {};
}

bool SubjectMatches(std::string_view filter, std::string_view subject) {
  while (!filter.empty() && !subject.empty()) {
    const std::string_view wanted = NextToken(&filter), token = NextToken(&subject);
    if (wanted == ">") return true;
    if (wanted != "*" && wanted != token) return false;
  }
  return filter.empty() && subject.empty();
}

std::string ConsumerName(const std::string& base, std::string_view subject) {
  constexpr size_t kMost = 128;
  std::string name;
  bool changed = subject.size() > kMost;
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : subject) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '-' || c == '_';
    changed = changed || !plain;
    if (name.size() < kMost) name += plain ? c : '_';
  }
  if (!changed) return base + "-" + name;
  char digits[20];
  std::snprintf(digits, sizeof digits, "-%016llx", static_cast<unsigned long long>(hash));
  return base + "-" + name + digits;
}

Status CheckHeader(std::string_view name, std::string_view value) {
  const bool named = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return c > ' ' && c < '\x7f' && c != ':';
  });
  if (!named) {
    return {Code::kInvalidArgument,
            "\"" + std::string(name.substr(0, 100)) +
                "\" cannot be the name of a NATS header (printable ASCII without blank and colon)"};
  }
  if (value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos) return {};
  return {Code::kInvalidArgument, "the header \"" + std::string(name) +
                                      "\" contains a line break or a NUL, which NATS cannot carry"};
}

}  // namespace dsmsg::nats
