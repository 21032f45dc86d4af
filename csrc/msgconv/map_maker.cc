// SPDX-License-Identifier: Apache-2.0
#include "msgconv/map_maker.h"

#include "msgconv/model_parts.h"

namespace dsmsg::msgconv {

MapMaker::MapMaker(std::shared_ptr<const Map> map, std::shared_ptr<const ConvConfig> config)
    : map_(std::move(map)), config_(std::move(config)) {
  map_->Prepare(&scratch_);
}

MapScope MapMaker::ScopeOf(const Frame& frame, size_t index) {
  MapScope scope{frame, nullptr, 0, *config_, scratch_};
  if (map_->each() == Map::Each::kTrack) {
    scope.track = &frame.tracks[index];
  } else if (map_->each() != Map::Each::kFrame) {
    scope.object = &frame.objects[index];
    scope.index = index;
  }
  return scope;
}

size_t MapMaker::Count(const Frame& frame) {
  scratch_.now_ns = NowNs();
  if (map_->each() == Map::Each::kFrame) return Holds(map_->when(), ScopeOf(frame, 0)) ? 1 : 0;
  chosen_.clear();
  const bool tracks = map_->each() == Map::Each::kTrack;
  const size_t count = tracks ? frame.tracks.size() : frame.objects.size();
  for (size_t i = 0; i < count; ++i) {
    if (map_->each() == Map::Each::kEvent && EventTypeOf(frame.objects[i]).empty()) continue;
    if (Holds(map_->when(), ScopeOf(frame, i))) chosen_.push_back(i);
  }
  return chosen_.size();
}

std::string_view MapMaker::Render(const Frame& frame, size_t index) {
  scratch_.uuid.Next(scratch_.id.data());
  const size_t at = map_->each() == Map::Each::kFrame ? 0 : chosen_[index];
  const MapScope scope = ScopeOf(frame, at);
  return map_->format() == Map::Format::kProtobuf ? protobuf_.Message(*map_, scope)
                                                  : json_.Message(*map_, scope);
}

uint32_t MapMaker::ComponentId(const Frame& frame, size_t index) const {
  if (frame.objects.empty() || map_->each() == Map::Each::kTrack) return kAnyComponent;
  const size_t at = map_->each() == Map::Each::kFrame ? 0 : chosen_[index];
  return frame.objects[at].component_id;
}

}  // namespace dsmsg::msgconv
