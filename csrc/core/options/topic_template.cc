// SPDX-License-Identifier: Apache-2.0
#include "core/options/topic_template.h"

#include <algorithm>

namespace dsmsg {
namespace {

constexpr std::string_view kUnknown = "unknown";

Status Bad(size_t position, const std::string& what) {
  return {Code::kInvalidArgument, "at character " + std::to_string(position + 1) + ": " + what +
                                      "; write ${sensor.id}, ${sensor.id:-default}, ${topic}, or "
                                      "$$ for a dollar sign"};
}

}  // namespace

// Client libraries would cut a topic or key at a NUL, and brokers refuse other control characters.
void Template::AppendClean(std::string_view value, bool /*topic*/, std::string* out) {
  const size_t begin = out->size();
  out->append(value);
  std::replace_if(
      out->begin() + static_cast<std::ptrdiff_t>(begin), out->end(),
      [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte == 0x7f;
      },
      '_');
}

Result<Template> Template::Compile(std::string_view text) {
  Template compiled;
  std::string literal;
  const auto end_literal = [&] {
    if (!literal.empty()) {
      compiled.parts_.push_back({Part::Kind::kText, std::move(literal), false, 0});
    }
    literal.clear();
  };
  for (size_t at = 0; at < text.size();) {
    const bool dollar = text[at] == '$' && at + 1 < text.size();
    if (dollar && text[at + 1] == '{') {
      end_literal();
      const size_t close = text.find('}', at);
      if (close == std::string_view::npos) return Bad(at, "${ has no closing }");
      const Status status = compiled.AddField(text.substr(at + 2, close - at - 2), at);
      if (!status.ok()) return status;
      at = close + 1;
      continue;
    }
    literal += text[at];
    // A single dollar sign stands for itself: topics such as $SYS exist.
    at += dollar && text[at + 1] == '$' ? 2 : 1;
  }
  end_literal();
  return compiled;
}

Status Template::AddField(std::string_view inside, size_t position) {
  if (inside.find("${") != std::string_view::npos) return Bad(position, "a ${ is inside another");
  Part part{Part::Kind::kField, {}, false, 0};
  const size_t separator = inside.find(":-");
  const std::string_view path = inside.substr(0, separator);
  if (separator != std::string_view::npos) {
    part.has_default = true;
    part.text = inside.substr(separator + 2);
  }
  if (path.empty()) return Bad(position, "there is no field name");
  if (path.find_first_of(" \t") != std::string_view::npos) {
    return Bad(position, "a field name must not contain blanks");
  }
  if (path == "topic") {
    part.kind = Part::Kind::kTopic;
    uses_topic_ = true;
  } else {
    const Result<size_t> field = reader_.Add(path);
    if (!field.ok()) return Bad(position, field.status().message());
    part.field = field.value();
  }
  parts_.push_back(std::move(part));
  return {};
}

bool Template::needs_topic() const {
  return std::any_of(parts_.begin(), parts_.end(), [](const Part& part) {
    return part.kind == Part::Kind::kTopic && !part.has_default;
  });
}

bool Template::Render(std::string_view payload, std::string_view caller_topic, std::string* out,
                      Append append) const {
  thread_local std::vector<FieldValue> values;  // keeps its memory
  if (reader_.size() > 0) reader_.Extract(payload, &values);
  bool complete = true;
  for (const Part& part : parts_) {
    if (part.kind == Part::Kind::kText) {
      out->append(part.text);
      continue;
    }
    const bool topic = part.kind == Part::Kind::kTopic;
    const bool found = topic ? !caller_topic.empty() : values[part.field].found;
    const std::string_view value = topic ? caller_topic : std::string_view(values[part.field].text);
    if (found && !(part.has_default && value.empty())) {
      append(value, topic, out);
    } else {
      complete = complete && part.has_default;
      out->append(part.has_default ? std::string_view(part.text) : kUnknown);
    }
  }
  return complete;
}

}  // namespace dsmsg
