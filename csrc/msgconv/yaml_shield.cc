// SPDX-License-Identifier: Apache-2.0
#include "msgconv/yaml_shield.h"

namespace dsmsg::msgconv {

namespace {

constexpr std::string_view kHidden = "{}[],:#";
// U+F870 + n stands for kHidden[n]: EF A1 B0 + n in UTF-8.
constexpr std::string_view kLead = "\xEF\xA1";
constexpr unsigned char kFirst = 0xB0;

bool IsShielded(std::string_view text) {
  if (!text.starts_with(kLead) || text.size() <= kLead.size()) return false;
  const auto last = static_cast<unsigned char>(text[kLead.size()]);
  return last >= kFirst && last < kFirst + kHidden.size();
}

}  // namespace

std::string ShieldExpressions(std::string_view text) {
  for (size_t at = text.find(kLead); at != text.npos; at = text.find(kLead, at + 1)) {
    if (IsShielded(text.substr(at))) return std::string(text);
  }
  std::string shielded;
  shielded.reserve(text.size() + text.size() / 4);
  while (!text.empty()) {
    const size_t begin = text.find("${");
    const size_t end = begin == text.npos ? text.npos : text.find_first_of("}\n", begin);
    if (end == text.npos) break;
    const size_t past = end + 1;
    shielded.append(text.substr(0, begin));
    const std::string_view expression = text.substr(begin, past - begin);
    if (text[end] == '\n') {
      shielded.append(expression);
    } else {
      for (const char each : expression) {
        const size_t index = kHidden.find(each);
        if (index == kHidden.npos) {
          shielded.push_back(each);
        } else {
          shielded.append(kLead).push_back(static_cast<char>(kFirst + index));
        }
      }
    }
    text.remove_prefix(past);
  }
  return shielded.append(text);
}

void UnshieldScalars(yaml_document_t* document) {
  for (yaml_node_t* node = document->nodes.start; node < document->nodes.top; ++node) {
    if (node->type != YAML_SCALAR_NODE) continue;
    auto* const value = reinterpret_cast<char*>(node->data.scalar.value);
    const std::string_view text(value, node->data.scalar.length);
    size_t to = 0;
    for (size_t from = 0; from < text.size(); ++to) {
      if (IsShielded(text.substr(from))) {
        const auto last = static_cast<unsigned char>(text[from + kLead.size()]);
        value[to] = kHidden[last - kFirst];
        from += kLead.size() + 1;
      } else {
        value[to] = text[from++];
      }
    }
    value[to] = '\0';
    node->data.scalar.length = to;
  }
}

}  // namespace dsmsg::msgconv
