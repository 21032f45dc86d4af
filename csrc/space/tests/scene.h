// SPDX-License-Identifier: Apache-2.0
// Frames of a made-up camera for the tests of csrc/space.
#ifndef DSMSG_SPACE_TESTS_SCENE_H_
#define DSMSG_SPACE_TESTS_SCENE_H_

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "msgconv/space_event.h"
#include "space/engine.h"

namespace dsmsg::space {

inline constexpr uint64_t kSecond = 1'000'000'000;

inline std::shared_ptr<const Rules> Read(const std::string& text) {
  auto rules = Rules::Parse(text, "space.yaml");
  EXPECT_TRUE(rules.ok()) << rules.status().message();
  return rules.ok() ? rules.value() : nullptr;
}

/// A picture of 100 x 100 pixels; an object is a box of no size, so that every anchor is its place.
class Scene {
 public:
  explicit Scene(const std::string& rules, bool summaries = false)
      : engine_(Read("coordinates: pixels\n" + rules), summaries) {}

  struct Seen {
    std::optional<uint64_t> id;
    float x = 0, y = 0;
    std::string_view label = "car";
    float confidence = 0.5F;
  };
  Engine::Outcome Apply(double seconds, const std::vector<Seen>& objects, uint32_t source = 0) {
    frame_.Clear();
    frame_.source_id = source;
    frame_.width = frame_.height = 100;
    frame_.time_ns = 1'700'000'000 * kSecond + static_cast<uint64_t>(seconds * 1e9);
    for (const Seen& seen : objects) {
      msgconv::Object& object = frame_.objects.emplace_back();
      object.id = seen.id;
      object.box = {seen.x, seen.y, 0, 0};
      object.label = seen.label;
      object.confidence = seen.confidence;
    }
    frame_.lost = lost_;
    return engine_.Apply(static_cast<uint64_t>(seconds * 1e9), {}, 0, &frame_);
  }
  /// What happened in that frame: "7 line-crossing gate.in".
  std::vector<std::string> Events(double seconds, const std::vector<Seen>& objects,
                                  uint32_t source = 0) {
    Apply(seconds, objects, source);
    return Told();
  }
  /// Likewise, once the source has ended; nothing: it had nothing to end.
  std::vector<std::string> End(uint32_t source = 0) {
    return engine_.EndSource(source, &frame_) ? Told() : std::vector<std::string>();
  }
  /// Likewise, in the frame at hand.
  std::vector<std::string> Told() const {
    std::vector<std::string> texts;
    for (const msgconv::Object& object : frame_.objects) {
      for (const msgconv::SpaceEvent& event :
           msgconv::Frame::Part(frame_.space_events, object.space_events)) {
        std::string text = object.id ? std::to_string(*object.id) + " " : "";
        text += msgconv::SpaceEventName(event.kind);
        if (!event.name.empty()) text += " " + std::string(event.name);
        if (!event.direction.empty()) text += "." + std::string(event.direction);
        texts.push_back(text);
      }
    }
    return texts;
  }
  std::vector<std::string> Texts(msgconv::Range range) const {
    const auto part = msgconv::Frame::Part(frame_.texts, range);
    return {part.begin(), part.end()};
  }
  /// -1: there is no such count.
  int64_t Count(msgconv::CountKind kind, std::string_view name) const {
    for (const msgconv::Count& count : frame_.counts) {
      if (count.kind == kind && count.name == name) return static_cast<int64_t>(count.value);
    }
    return -1;
  }
  int64_t Total(std::string_view name) const { return Count(msgconv::CountKind::kLineTotal, name); }
  int64_t In(std::string_view zone) const { return Count(msgconv::CountKind::kZone, zone); }

  msgconv::Frame& frame() { return frame_; }
  Engine& engine() { return engine_; }
  void Lose(std::vector<uint64_t> ids) { lost_ = std::move(ids); }

 private:
  Engine engine_;
  msgconv::Frame frame_;
  std::vector<uint64_t> lost_;
};

}  // namespace dsmsg::space

#endif  // DSMSG_SPACE_TESTS_SCENE_H_
