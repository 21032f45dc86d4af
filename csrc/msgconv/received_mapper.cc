// SPDX-License-Identifier: Apache-2.0
#include "msgconv/received_mapper.h"

#include <utility>

namespace dsmsg::msgconv {

ReceivedMapper::ReceivedMapper(std::shared_ptr<const Map> map, char separator)
    : map_(std::move(map)), separator_(separator) {
  map_->Prepare(&scratch_);
}

std::optional<std::string_view> ReceivedMapper::Make(const DsmsgReceived& message) {
  payload_.Read({reinterpret_cast<const char*>(message.payload), message.payload_len});
  scratch_.now_ns = NowNs();
  const MapReceived received{message, payload_, separator_};
  MapScope scope{no_frame_, nullptr, 0, no_config_, scratch_};
  scope.received = &received;
  if (!Holds(map_->when(), scope)) return std::nullopt;
  scratch_.uuid.Next(scratch_.id.data());
  return writer_.Message(*map_, scope);
}

}  // namespace dsmsg::msgconv
