// SPDX-License-Identifier: Apache-2.0
#include "adaptors/pulsar/topic.h"

#include <glib.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace dsmsg::pulsar {
namespace {

constexpr std::string_view kPersistent = "persistent://", kOther = "non-persistent://";

Status Wrong(std::string_view topic, const std::string& why) {
  return {Code::kInvalidArgument, "\"" + std::string(topic.substr(0, 200)) +
                                      "\" cannot be a topic: " + why +
                                      " (detections, tenant/namespace/detections or "
                                      "persistent://tenant/namespace/detections)"};
}

}  // namespace

bool IsText(std::string_view text) {
  return g_utf8_validate(text.data(), static_cast<gssize>(text.size()), nullptr) != 0;
}

bool IsNamespace(std::string_view text) {
  const size_t slash = text.find('/');
  return slash != text.npos && slash > 0 && slash + 1 < text.size() &&
         text.find('/', slash + 1) == text.npos && IsText(text);
}

Result<std::string> FullName(std::string_view topic, const std::string& name_space) {
  if (topic.empty()) {
    return Status(Code::kInvalidArgument, "a message has no topic (set topic in the config file)");
  }
  const auto control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; };
  if (!IsText(topic) || std::any_of(topic.begin(), topic.end(), control)) {
    return Wrong(topic, "it is not UTF-8 text without control characters");
  }
  if (topic.starts_with(kOther)) {
    return Wrong(topic, "a topic that is not persistent keeps nothing, and is not supported");
  }
  std::string_view rest = topic;
  if (rest.starts_with(kPersistent)) rest.remove_prefix(kPersistent.size());
  const auto slashes = std::count(rest.begin(), rest.end(), '/');
  if (slashes == 0 && rest.size() == topic.size()) {
    return std::string(kPersistent) + name_space + "/" + std::string(rest);
  }
  const size_t last = rest.rfind('/');
  if (slashes != 2 || !IsNamespace(rest.substr(0, last)) || last + 1 == rest.size()) {
    return Wrong(topic, "between its '/' must be tenant, namespace and name");
  }
  return std::string(kPersistent) + std::string(rest);
}

uint32_t JavaHash(std::string_view text) {
  uint32_t hash = 0;
  for (const char *at = text.data(), *end = at + text.size(); at < end; at = g_utf8_next_char(at)) {
    const gunichar c = g_utf8_get_char(at);
    if (c < 0x10000) {
      hash = 31 * hash + c;
    } else {  // two units of UTF-16
      hash = 31 * hash + (0xd800 + ((c - 0x10000) >> 10));
      hash = 31 * hash + (0xdc00 + ((c - 0x10000) & 0x3ff));
    }
  }
  return hash & 0x7fffffff;
}

uint32_t Murmur3(std::string_view bytes) {
  const auto mix = [](uint32_t block) { return std::rotl(block * 0xcc9e2d51, 15) * 0x1b873593; };
  uint32_t hash = 0;
  size_t at = 0;
  for (; at + 4 <= bytes.size(); at += 4) {
    uint32_t block = 0;
    for (size_t i = 0; i < 4; ++i) {
      block |= static_cast<uint32_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
    }
    hash = std::rotl(hash ^ mix(block), 13) * 5 + 0xe6546b64;
  }
  uint32_t tail = 0;
  for (size_t i = 0; at + i < bytes.size(); ++i) {
    tail |= static_cast<uint32_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  }
  hash ^= mix(tail);
  hash ^= static_cast<uint32_t>(bytes.size());
  hash = (hash ^ (hash >> 16)) * 0x85ebca6b;
  hash = (hash ^ (hash >> 13)) * 0xc2b2ae35;
  return (hash ^ (hash >> 16)) & 0x7fffffff;
}

}  // namespace dsmsg::pulsar
