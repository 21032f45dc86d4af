// SPDX-License-Identifier: Apache-2.0
// YAML, through libyaml's stream of events.
#include <yaml.h>

#include <optional>

#include "msgconv/config_entries.h"

namespace dsmsg::msgconv {
namespace {

// DeepStream's own files begin with "%YAML 1.2" and lack the "---" that libyaml wants behind it: it
// becomes a comment.
std::string WithoutVersion(std::string_view text) {
  std::string copy(text);
  const size_t at = copy.find("%YAML ");
  if (at == 0 || (at != std::string::npos && copy[at - 1] == '\n')) copy[at] = '#';
  return copy;
}

class YamlReader {
 public:
  YamlReader(std::string_view text, const std::string& origin)
      : text_(WithoutVersion(text)), origin_(origin) {
    yaml_parser_initialize(&parser_);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text_.data()),
                                 text_.size());
  }
  ~YamlReader() {
    yaml_event_delete(&event_);
    yaml_parser_delete(&parser_);
  }
  YamlReader(const YamlReader&) = delete;
  YamlReader& operator=(const YamlReader&) = delete;

  Result<ConfigEntries> Read() {
    if (Status status = ReadDocument(); !status.ok()) return status;
    return std::move(config_);
  }

 private:
  // The next event becomes event_.
  Status Next() {
    yaml_event_delete(&event_);
    if (yaml_parser_parse(&parser_, &event_) != 0) return {};
    event_ = {};
    const char* const problem = parser_.problem == nullptr ? "not YAML" : parser_.problem;
    return Error(parser_.problem_mark.line + 1, problem);
  }

  Status Error(size_t line, const std::string& what) const {
    return {Code::kInvalidArgument, At(origin_, line) + what};
  }
  Status Unexpected(const std::string& expected) const {
    return Error(line(), "expected " + expected);
  }
  size_t line() const { return event_.start_mark.line + 1; }
  std::string Scalar() const {
    return {reinterpret_cast<const char*>(event_.data.scalar.value), event_.data.scalar.length};
  }

  Status ReadDocument() {
    while (true) {
      if (Status status = Next(); !status.ok()) return status;
      switch (event_.type) {
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_START_EVENT:
          continue;
        case YAML_MAPPING_START_EVENT:
          break;
        case YAML_STREAM_END_EVENT:
        case YAML_DOCUMENT_END_EVENT:
          return {};  // an empty file
        case YAML_SCALAR_EVENT:
          if (event_.data.scalar.length == 0) continue;  // an empty document
          [[fallthrough]];
        default:
          return Unexpected("groups such as \"sensor0:\", with their keys below, indented");
      }
      return ReadGroups();
    }
  }

  Status ReadGroups() {
    while (true) {
      if (Status status = Next(); !status.ok()) return status;
      if (event_.type == YAML_MAPPING_END_EVENT) return {};
      if (event_.type != YAML_SCALAR_EVENT) return Unexpected("the name of a group, e.g. sensor0");
      const std::string name = Scalar();
      if (Status status = config_.AddGroup(name, origin_, line()); !status.ok()) return status;
      if (Status status = Next(); !status.ok()) return status;
      const bool empty = event_.type == YAML_SCALAR_EVENT && event_.data.scalar.length == 0;
      if (empty) continue;
      if (event_.type != YAML_MAPPING_START_EVENT) {
        return Unexpected("keys and values of [" + name + "], e.g. \"id: CAMERA_001\"");
      }
      if (Status status = ReadEntries(name); !status.ok()) return status;
    }
  }

  Status ReadEntries(const std::string& group) {
    while (true) {
      if (Status status = Next(); !status.ok()) return status;
      if (event_.type == YAML_MAPPING_END_EVENT) return {};
      if (event_.type != YAML_SCALAR_EVENT) return Unexpected("a key of [" + group + "]");
      const std::string key = Scalar();
      const size_t key_line = line();
      if (Status status = Next(); !status.ok()) return status;
      std::string value;
      if (event_.type == YAML_SCALAR_EVENT) {
        value = Scalar();
      } else if (event_.type == YAML_SEQUENCE_START_EVENT) {
        if (Status status = ReadList(key, &value); !status.ok()) return status;
      } else {
        std::string expected = "a value for \"";
        expected.append(key).append("\" in [").append(group);
        return Unexpected(expected.append("]: text, a number or a list of numbers"));
      }
      config_.AddEntry(key, std::move(value), origin_, key_line);
    }
  }

  // [45.29, -75.83, 48.1] as "45.29;-75.83;48.1"
  Status ReadList(const std::string& key, std::string* value) {
    while (true) {
      if (Status status = Next(); !status.ok()) return status;
      if (event_.type == YAML_SEQUENCE_END_EVENT) return {};
      if (event_.type != YAML_SCALAR_EVENT) {
        return Unexpected("numbers in the list of \"" + key + "\"");
      }
      if (!value->empty()) value->push_back(';');
      value->append(Scalar());
    }
  }

  const std::string text_;
  const std::string& origin_;
  yaml_parser_t parser_{};
  yaml_event_t event_{};
  ConfigEntries config_;
};

}  // namespace

Result<ConfigEntries> ReadYaml(std::string_view text, const std::string& origin) {
  return YamlReader(text, origin).Read();
}

}  // namespace dsmsg::msgconv
