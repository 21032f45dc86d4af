// SPDX-License-Identifier: Apache-2.0
#include "msgconv/map.h"

#include "core/base/text_file.h"
#include "msgconv/map_compiler.h"
#include "msgconv/map_yaml.h"

namespace dsmsg::msgconv {

constexpr size_t kLargestFile = 1 << 20;

namespace {

Status At(const std::string& origin, const yaml_mark_t& mark, const std::string& what) {
  return {Code::kInvalidArgument, origin + ":" + std::to_string(mark.line + 1) + ":" +
                                      std::to_string(mark.column + 1) + ": " + what};
}

}  // namespace

Result<std::shared_ptr<const Map>> Map::Parse(std::string_view text, const std::string& origin) {
  yaml_parser_t parser;
  if (yaml_parser_initialize(&parser) == 0) return Status(Code::kInternal, "no memory");
  yaml_parser_set_input_string(&parser, reinterpret_cast<const unsigned char*>(text.data()),
                               text.size());
  yaml_document_t document;
  Result<std::shared_ptr<const Map>> result = Status(Code::kInternal, "nothing was read");
  if (yaml_parser_load(&parser, &document) == 0) {
    const char* const problem = parser.problem == nullptr ? "this is not YAML" : parser.problem;
    result = At(origin, parser.problem_mark, problem);
  } else {
    try {
      result = MapCompiler(&document).Compile();
    } catch (const map_yaml::Mistake& mistake) {
      result = At(origin, mistake.at, mistake.what);
    }
    yaml_document_delete(&document);
  }
  yaml_parser_delete(&parser);
  return result;
}

Status Map::NeedMetadata(const std::string& path) const {
  if (each_ != Each::kMessage) return {};
  return {Code::kInvalidArgument,
          path +
              ": this map is for received messages (each: message), and here the metadata of "
              "frames is mapped (set each: frame, object, event or track)"};
}

Status Map::NeedReceived(const std::string& path) const {
  if (each_ == Each::kMessage) return {};
  return {Code::kInvalidArgument,
          path +
              ": this map is for the metadata of frames, and here received messages are mapped "
              "(set each: message)"};
}

Result<std::shared_ptr<const Map>> Map::Load(const std::string& path) {
  Result<std::string> text = ReadTextFile(path, kLargestFile);
  if (!text.ok()) {
    return Status(text.status().code(),
                  "cannot read the map " + path + ": " + text.status().message());
  }
  return Parse(text.value(), path);
}

}  // namespace dsmsg::msgconv
