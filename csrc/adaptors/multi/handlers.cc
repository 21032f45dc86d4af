// SPDX-License-Identifier: Apache-2.0
#include "adaptors/multi/handlers.h"

#include <fnmatch.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

#include "core/base/text_file.h"
#include "core/options/config_parser.h"
#include "core/options/option_value.h"

namespace dsmsg::multi {
namespace {

constexpr size_t kLargestFile = size_t{1} << 20;
constexpr char kDefaultSink[] = "events";
constexpr char kKeys[] = "uri, or proto-lib with conn-str; sink, topics, when, enabled and config";

std::string WithDashes(std::string text) {
  std::replace(text.begin(), text.end(), '_', '-');
  return text;
}

std::string Quoted(const std::string& text) { return "\"" + text + "\""; }

bool IsScalar(const Node& node) {
  return node.kind == Node::Kind::kText || node.kind == Node::Kind::kNumber ||
         node.kind == Node::Kind::kBool;
}

std::vector<std::string> Split(std::string_view text, std::string_view separator) {
  std::vector<std::string> parts;
  while (true) {
    const size_t end = text.find(separator);
    const std::string_view part = TrimBlanks(text.substr(0, end));
    if (!part.empty()) parts.emplace_back(part);
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + separator.size());
  }
}

std::optional<double> Number(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0') return std::nullopt;
  return number;
}

/// "mqtts" -> "mqtt", "rediss" -> "redis": an adaptor's TLS scheme has an 's' more. Which of the
/// two names is an adaptor shows when it is loaded.
std::string SchemeOf(std::string_view uri) {
  const size_t end = uri.find("://");
  return end == std::string_view::npos ? "" : std::string(uri.substr(0, end));
}

}  // namespace

bool Condition::Holds(const FieldValue& found) const {
  if (!found.found) return false;
  if (op == Op::kPresent) return true;
  const std::optional<double> a = Number(found.text), b = Number(value);
  const bool numbers = a && b;
  const int order = numbers ? (*a > *b) - (*a < *b) : found.text.compare(value);
  switch (op) {
    case Op::kEqual:
      return order == 0;
    case Op::kDifferent:
      return order != 0;
    case Op::kLess:
      return numbers && order < 0;
    case Op::kAtMost:
      return numbers && order <= 0;
    case Op::kMore:
      return numbers && order > 0;
    default:
      return numbers && order >= 0;
  }
}

const Setting* Handler::Find(std::string_view option) const {
  const auto found = std::find_if(config.begin(), config.end(), [&](const Setting& setting) {
    return WithDashes(setting.name) == option;
  });
  return found == config.end() ? nullptr : &*found;
}

Result<Handlers> Handlers::Load(const std::string& path) {
  const Result<std::string> text = ReadTextFile(path, kLargestFile);
  if (text.ok()) return Parse(text.value(), path);
  return Status(Code::kInvalidArgument,
                "the handlers file \"" + path + "\" " + text.status().message() +
                    " (conn-str is the path of a JSON or INI file with output.handlers)");
}

Result<Handlers> Handlers::Parse(std::string_view text, const std::string& origin) {
  Result<Node> root = ParseDocument(text, origin);
  if (!root.ok()) return root.status();
  Handlers handlers;
  handlers.origin_ = origin;
  const Node* object = &root.value();
  for (const char* step : {"output", "handlers"}) {
    for (const Node& child : object->children) {
      if (WithDashes(child.name) == step) continue;
      return multi::Wrong(origin, child.line,
                          "unknown key " + Quoted(child.name) + " (expected " + step + ")");
    }
    const Node* next = object->Find(step);
    if (next == nullptr || next->kind != Node::Kind::kObject) {
      return multi::Wrong(origin, std::max<size_t>(next == nullptr ? 1 : next->line, 1),
                          std::string("there is no object ") + step +
                              " (the destinations are output.handlers.NAME)");
    }
    object = next;
  }
  for (const Node& child : object->children) {
    if (Status status = handlers.Add(child); !status.ok()) return status;
  }
  if (handlers.all_.empty())
    return multi::Wrong(origin, object->line, "output.handlers has no enabled handler");
  return handlers;
}

Status Handlers::Wrong(const Handler& handler, size_t line, const std::string& what) const {
  return multi::Wrong(origin_, line, "handler " + Quoted(handler.name) + ": " + what);
}

Status Handlers::Add(const Node& node) {
  Handler handler;
  handler.name = node.name;
  handler.line = node.line;
  if (node.kind != Node::Kind::kObject)
    return Wrong(handler, node.line, std::string("must be an object with ") + kKeys);
  const Node* enabled = node.Find("enabled");
  if (enabled != nullptr) {
    const Result<OptionValue> value = ParseOptionValue(
        {.kind = OptionType::Kind::kBool, .choices = {}, .min = {}, .max = {}}, enabled->text);
    if (!IsScalar(*enabled) || !value.ok() || value->text.empty())
      return Wrong(handler, enabled->line, "enabled: must be true or false");
    if (value->number == 0) return {};
  }
  if (Status status = Read(node, &handler); !status.ok()) return status;
  if (all_.size() == kMostHandlers) {
    return Wrong(handler, node.line,
                 "there are more than " + std::to_string(kMostHandlers) + " handlers");
  }
  all_.push_back(std::move(handler));
  return {};
}

Status Handlers::Read(const Node& node, Handler* handler) {
  for (const Node& key : node.children) {
    if (Status status = ReadKey(key, handler); !status.ok()) return status;
  }
  const Node* uri = node.Find("uri");
  if (uri != nullptr && node.Find("proto-lib") != nullptr)
    return Wrong(*handler, uri->line, "uri and proto-lib: only one of them may be given");
  if (uri != nullptr && node.Find("conn-str") != nullptr)
    return Wrong(*handler, uri->line, "uri and conn-str: only one of them may be given");
  if (handler->adaptor.empty())
    return Wrong(*handler, node.line, "uri (or proto-lib with conn-str) is missing");
  if (handler->topics.empty()) handler->topics.emplace_back(kDefaultSink);
  return {};
}

Status Handlers::ReadKey(const Node& key, Handler* handler) {
  const std::string name = WithDashes(key.name);
  if (name == "config") return ReadConfig(key, handler);
  if (name == "enabled") return {};
  const bool texts = key.kind == Node::Kind::kArray &&
                     std::all_of(key.children.begin(), key.children.end(),
                                 [](const Node& each) { return each.kind == Node::Kind::kText; });
  const bool list = name == "topics" || name == "when";
  const bool known =
      list || name == "uri" || name == "proto-lib" || name == "conn-str" || name == "sink";
  if (!known) {
    return Wrong(*handler, key.line,
                 "unknown key " + Quoted(key.name) + " (expected " + kKeys + ")");
  }
  if (key.kind != Node::Kind::kText && !(list && texts))
    return Wrong(*handler, key.line, name + ": must be a string" + (list ? " or a list" : ""));
  if (key.kind == Node::Kind::kText && key.text.empty())
    return Wrong(*handler, key.line, name + ": is empty");
  if (name == "uri") return ReadUri(key, handler);
  if (name == "when") return ReadWhen(key, handler);
  if (name == "proto-lib") {
    handler->adaptor = key.text;
  } else if (name == "sink") {
    for (const char c : key.text) {  // a name, not a pattern
      if (std::string_view("*?[\\").find(c) != std::string_view::npos)
        return Wrong(*handler, key.line, "sink: is a name (patterns belong in topics)");
    }
    handler->topics.push_back(key.text);
  } else if (name == "conn-str") {
    std::vector<std::string> files;
    Result<std::string> expanded = ExpandSecret(key.text, &files);
    if (!expanded.ok())
      return Wrong(*handler, key.line, "conn-str: " + expanded.status().message());
    handler->connection = std::move(expanded.value());
  } else if (key.kind == Node::Kind::kText) {
    for (std::string& topic : Split(key.text, ",")) handler->topics.push_back(std::move(topic));
  } else {
    for (const Node& each : key.children) handler->topics.push_back(each.text);
  }
  return {};
}

Status Handlers::ReadUri(const Node& key, Handler* handler) {
  std::vector<std::string> files;
  Result<std::string> expanded = ExpandSecret(key.text, &files);
  if (!expanded.ok()) return Wrong(*handler, key.line, "uri: " + expanded.status().message());
  handler->adaptor = SchemeOf(expanded.value());
  const bool plain = std::all_of(handler->adaptor.begin(), handler->adaptor.end(),
                                 [](char c) { return std::isalnum(static_cast<uint8_t>(c)) != 0; });
  if (handler->adaptor.empty() || !plain) {
    return Wrong(*handler, key.line,
                 "uri: must begin with a scheme that names the adaptor, such as mqtt://host:1883");
  }
  handler->connection = std::move(expanded.value());
  return {};
}

Status Handlers::ReadConfig(const Node& key, Handler* handler) {
  if (key.kind != Node::Kind::kObject) {
    return Wrong(*handler, key.line,
                 "config: must be an object with the options of the destination's adaptor");
  }
  for (const Node& option : key.children) {
    if (!IsScalar(option)) {
      return Wrong(*handler, option.line,
                   "config." + option.name + ": must be a string, a number, true or false");
    }
    const auto control = [](char c) { return static_cast<uint8_t>(c) < 0x20 && c != '\t'; };
    if (std::any_of(option.text.begin(), option.text.end(), control) || option.name.empty() ||
        option.name.find_first_of("=[]#;\n\r ") != std::string::npos) {
      return Wrong(*handler, option.line,
                   "config: a name or a value has a character that an option cannot have");
    }
    handler->config.push_back(
        {option.name, option.text, option.kind == Node::Kind::kText, option.line});
  }
  return {};
}

Status Handlers::ReadWhen(const Node& key, Handler* handler) {
  using Op = Condition::Op;
  constexpr std::pair<std::string_view, Op> kOps[] = {
      {"!=", Op::kDifferent}, {"<=", Op::kAtMost}, {">=", Op::kAtLeast}, {"==", Op::kEqual},
      {"=", Op::kEqual},      {"<", Op::kLess},    {">", Op::kMore}};
  std::vector<std::string> parts;
  if (key.kind == Node::Kind::kText) parts = Split(key.text, "&&");
  for (const Node& each : key.children) parts.push_back(each.text);
  for (const std::string& part : parts) {
    Condition condition;
    const size_t at = part.find_first_of("!<>=");
    if (at != std::string::npos) {
      const std::string_view rest = std::string_view(part).substr(at);
      const auto* const op = std::find_if(std::begin(kOps), std::end(kOps), [&](const auto& each) {
        return rest.starts_with(each.first);
      });
      if (op == std::end(kOps))
        return Wrong(*handler, key.line, "when: write it as field = value, field > 1 or field");
      condition.op = op->second;
      condition.value = Unquote(rest.substr(op->first.size())).text;
      const bool orders = op->second != Op::kEqual && op->second != Op::kDifferent;
      if (orders && !Number(condition.value))
        return Wrong(*handler, key.line, "when: < and > compare numbers");
    }
    const Result<size_t> field = fields_.Add(TrimBlanks(std::string_view(part).substr(0, at)));
    if (!field.ok()) return Wrong(*handler, key.line, "when: " + field.status().message());
    condition.field = field.value();
    handler->when.push_back(std::move(condition));
  }
  if (handler->when.empty()) return Wrong(*handler, key.line, "when: is empty");
  return {};
}

Set Handlers::OfTopic(const Message& message) const {
  Set found = 0;
  for (size_t i = 0; i < all_.size(); ++i) {
    const auto& topics = all_[i].topics;
    const auto matches = [&](const std::string& pattern) {
      return fnmatch(pattern.c_str(), message.topic.data(), 0) == 0;
    };
    if (std::any_of(topics.begin(), topics.end(), matches)) found |= Bit(i);
  }
  return found;
}

Set Handlers::Fulfilled(Set handlers, std::string_view payload) const {
  if (fields_.size() == 0) return handlers;
  std::vector<FieldValue> values;
  fields_.Extract(payload, &values);
  for (size_t i = 0; i < all_.size(); ++i) {
    const auto holds = [&](const Condition& each) { return each.Holds(values[each.field]); };
    const auto& when = all_[i].when;
    if (!std::all_of(when.begin(), when.end(), holds)) handlers &= ~Bit(i);
  }
  return handlers;
}

}  // namespace dsmsg::multi
