// SPDX-License-Identifier: Apache-2.0
// Lines and zones in dsmsgconv: asks the engine (space/engine.h) about each frame, with the rules
// of the file `space`, which is read again when it changes. One thread at a time.
#ifndef DSMSG_GST_SPACE_EVENTS_H_
#define DSMSG_GST_SPACE_EVENTS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/status.h"
#include "msgconv/model.h"
#include "space/engine.h"
#include "space/watched_rules.h"

namespace dsmsg {

class SpaceEvents {
 public:
  struct Outcome {
    bool everything = false;  // all objects of the frame have messages
    bool changed = false;     // so has a frame that has become empty
  };

  /// `path`: "": no lines and zones, only tracks. `each_alone`: see space::NameEvents.
  static Result<std::unique_ptr<SpaceEvents>> Open(const std::string& path, bool each_alone);

  /// See Engine::Apply. `sensor`: name of the source in the configuration. `admitted`: the frame's
  /// turn has come.
  Outcome Apply(uint64_t now_ns, std::string_view sensor, bool admitted, size_t first,
                msgconv::Frame* frame);
  /// Once all other events are known: see space::NameEvents.
  void NameEvents(size_t first, msgconv::Frame* frame) const {
    space::NameEvents(first, each_alone_, frame);
  }
  /// Sources whose tracks have not all ended, and what becomes of one at its end: see Engine.
  std::vector<uint32_t> Open() const { return engine_.Open(); }
  std::optional<space::Engine::Outcome> End(uint32_t source, msgconv::Frame* frame) {
    return engine_.EndSource(source, frame);
  }
  /// After a seek.
  void Restart() { engine_.Restart(); }
  /// What the user should know; "": nothing new.
  std::string TakeWarning() { return std::exchange(warning_, {}); }

 private:
  SpaceEvents(std::shared_ptr<const space::Rules> rules, bool each_alone,
              std::unique_ptr<space::WatchedRules> watched, std::string path)
      : engine_(std::move(rules), /*summaries=*/true),
        watched_(std::move(watched)),
        path_(std::move(path)),
        each_alone_(each_alone) {}
  void Reload();

  space::Engine engine_;
  const std::unique_ptr<space::WatchedRules> watched_;  // none without a file
  const std::string path_;
  const bool each_alone_;
  std::string warning_;
  bool told_size_ = false;
};

}  // namespace dsmsg

#endif  // DSMSG_GST_SPACE_EVENTS_H_
