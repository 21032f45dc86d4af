// SPDX-License-Identifier: Apache-2.0
#include "gst/space_events.h"

#include <array>
#include <utility>

namespace dsmsg {

using space::Rules;

Result<std::unique_ptr<SpaceEvents>> SpaceEvents::Open(const std::string& path, bool each_alone) {
  if (path.empty()) {
    return std::unique_ptr<SpaceEvents>(
        new SpaceEvents(Rules::OnlyTracks(), each_alone, nullptr, path));
  }
  auto watched = space::WatchedRules::Open(path);
  if (!watched.ok()) return watched.status();
  auto read = watched.value()->Take();
  if (!read || !read->ok()) return read ? read->status() : Status(Code::kInternal, "nothing read");
  return std::unique_ptr<SpaceEvents>(
      new SpaceEvents(std::move(read->value()), each_alone, std::move(watched.value()), path));
}

void SpaceEvents::Reload() {
  if (watched_ == nullptr) return;
  auto read = watched_->Take();
  if (!read) return;
  if (read->ok()) {
    engine_.SetRules(std::move(read->value()));
  } else {
    warning_ = read->status().message() + " (the lines and zones stay as they were)";
  }
}

SpaceEvents::Outcome SpaceEvents::Apply(uint64_t now_ns, std::string_view sensor, bool admitted,
                                        size_t first, msgconv::Frame* frame) {
  Reload();
  const std::array<std::string_view, 4> names = {sensor, frame->sensor_id, frame->source_sensor,
                                                 frame->source_name};
  const auto found = engine_.Apply(now_ns, names, first, frame);
  if (found.unknown_size && !std::exchange(told_size_, true)) {
    warning_ = path_ + ": the size of the picture is not known, so the lines and zones of source " +
               std::to_string(frame->source_id) +
               " are not used (set video caps with width and height before the converter, or write "
               "coordinates: pixels without size)";
  }
  const Rules::Send send = engine_.rules().send;
  return {send == Rules::Send::kAll ? admitted : found.changed, found.changed};
}

}  // namespace dsmsg
