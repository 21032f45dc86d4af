// SPDX-License-Identifier: Apache-2.0
// Makes JSON of received messages as a map (map.h, each: message) says. No allocation for a message
// once its buffers are large enough. One thread at a time; the map may be shared.
#ifndef DSMSG_MSGCONV_RECEIVED_MAPPER_H_
#define DSMSG_MSGCONV_RECEIVED_MAPPER_H_

#include <memory>
#include <optional>
#include <string_view>

#include "msgconv/map.h"
#include "msgconv/map_writer.h"

namespace dsmsg::msgconv {

class ReceivedMapper {
 public:
  /// Not null, and for received messages. `separator`: between the parts of a topic.
  ReceivedMapper(std::shared_ptr<const Map> map, char separator);

  /// Valid until the next call. nullopt: the map's condition leaves this message out.
  std::optional<std::string_view> Make(const DsmsgReceived& message);
  /// Whether the payload of the last one was JSON.
  bool was_json() const { return !payload_.empty(); }

 private:
  const std::shared_ptr<const Map> map_;
  const char separator_;
  const Frame no_frame_;
  const ConvConfig no_config_;
  JsonPayload payload_;
  MapScratch scratch_;
  MapWriter writer_;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_RECEIVED_MAPPER_H_
