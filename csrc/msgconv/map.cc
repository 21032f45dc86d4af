// SPDX-License-Identifier: Apache-2.0
#include "msgconv/map.h"

#include "core/base/text_file.h"
#include "msgconv/map_compiler.h"
#include "msgconv/yaml_tree.h"

namespace dsmsg::msgconv {

constexpr size_t kLargestFile = 1 << 20;

Result<std::shared_ptr<const Map>> Map::Parse(std::string_view text, const std::string& origin) {
  std::shared_ptr<const Map> map;
  const Status status = ReadYamlTree(
      text, origin, [&](yaml_document_t* document) { map = MapCompiler(document).Compile(); });
  if (!status.ok()) return status;
  return map;
}

void Map::Prepare(MapScratch* scratch) const {
  scratch->texts.resize(texts_);
  scratch->settled_parts = settled_parts_;
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
