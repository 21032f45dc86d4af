// SPDX-License-Identifier: Apache-2.0
// Makes messages as a map (map.h) says. No allocation for a message once its buffers are large
// enough. One thread at a time; map and configuration may be shared.
#ifndef DSMSG_MSGCONV_MAP_MAKER_H_
#define DSMSG_MSGCONV_MAP_MAKER_H_

#include <memory>
#include <vector>

#include "msgconv/conv_config.h"
#include "msgconv/map.h"
#include "msgconv/map_protobuf.h"
#include "msgconv/map_writer.h"
#include "msgconv/payload_maker.h"

namespace dsmsg::msgconv {

class MapMaker final : public PayloadMaker {
 public:
  /// Neither is null; the map is for metadata.
  MapMaker(std::shared_ptr<const Map> map, std::shared_ptr<const ConvConfig> config);

  size_t Count(const Frame& frame) override;
  std::string_view Render(const Frame& frame, size_t index) override;
  Content content() const override {
    return map_->format() == Map::Format::kProtobuf ? Content::kProtobuf : Content::kJson;
  }
  uint32_t ComponentId(const Frame& frame, size_t index) const override;

 private:
  /// Of the message `index` of the frame.
  MapScope ScopeOf(const Frame& frame, size_t index);

  const std::shared_ptr<const Map> map_;
  const std::shared_ptr<const ConvConfig> config_;
  std::vector<size_t> chosen_;  // objects or tracks of the frame at hand that have a message
  MapScratch scratch_;
  MapWriter json_;
  MapProtobuf protobuf_;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_MAP_MAKER_H_
