// SPDX-License-Identifier: Apache-2.0
#include "msgconv/deepstream_analytics.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "msgconv/deepstream_memory.h"

namespace dsmsg::deepstream {
namespace {

using msgconv::Count;
using msgconv::CountKind;
using msgconv::Frame;
using msgconv::Range;

// In the order of DeepStream's structures.
struct ObjectResult {
  std::vector<std::string> zones, crowded_zones, lines;
  std::string direction;
  unsigned id;
  std::string state;
};
struct FrameResult {
  std::unordered_map<std::string, bool> crowded;
  std::unordered_map<std::string, uint32_t> zones;
  std::unordered_map<std::string, uint64_t> lines, line_totals;
  unsigned id;
  std::unordered_map<int, uint32_t> classes;
};

constexpr size_t kMost = 4096;  // zones, or bytes of a name

bool LooksRight(const std::string& text) {
  return Plausible(reinterpret_cast<Address>(text.data())) && text.size() <= kMost &&
         text.size() <= text.capacity();
}

bool LooksRight(const std::vector<std::string>& texts) {
  if (texts.data() == nullptr) return texts.empty();
  if (!Plausible(reinterpret_cast<Address>(texts.data())) || texts.size() > kMost) return false;
  for (const std::string& text : texts) {
    if (!LooksRight(text)) return false;
  }
  return true;
}

Range Append(const std::vector<std::string>& texts, Frame* frame) {
  const Range range{static_cast<uint32_t>(frame->texts.size()),
                    static_cast<uint32_t>(texts.size())};
  frame->texts.insert(frame->texts.end(), texts.begin(), texts.end());
  return range;
}

template <class T>
bool Append(const std::unordered_map<std::string, T>& values, CountKind kind, Frame* frame) {
  if (values.size() > kMost) return false;
  size_t left = values.size();
  for (const auto& [name, value] : values) {
    if (left-- == 0 || !LooksRight(name)) return false;
    frame->counts.push_back({kind, name, static_cast<uint64_t>(value)});
  }
  return true;
}

}  // namespace

bool ReadObjectAnalytics(const void* data, bool with_state, Frame* frame, msgconv::Object* object) {
  const auto& from = *static_cast<const ObjectResult*>(data);
  if (!LooksRight(from.zones) || !LooksRight(from.crowded_zones) || !LooksRight(from.lines) ||
      !LooksRight(from.direction) || (with_state && !LooksRight(from.state)))
    return false;
  object->zones = Append(from.zones, frame);
  object->crowded_zones = Append(from.crowded_zones, frame);
  object->lines = Append(from.lines, frame);
  object->heading = from.direction;
  if (with_state) object->state = from.state;
  return true;
}

bool ReadFrameAnalytics(const void* data, std::deque<std::string>* names, Frame* frame) {
  const auto& from = *static_cast<const FrameResult*>(data);
  if (from.classes.size() > kMost) return false;
  const auto first = static_cast<ptrdiff_t>(frame->counts.size());
  for (const auto& [number, count] : from.classes) {
    const std::string& name = names->emplace_back(std::to_string(number));
    frame->counts.push_back({CountKind::kClass, name, count});
  }
  if (!Append(from.zones, CountKind::kZone, frame) ||
      !Append(from.crowded, CountKind::kCrowded, frame) ||
      !Append(from.lines, CountKind::kLine, frame) ||
      !Append(from.line_totals, CountKind::kLineTotal, frame))
    return false;
  // A hash table has no order that a reader of messages could rely on.
  std::sort(frame->counts.begin() + first, frame->counts.end(), [](const Count& a, const Count& b) {
    return std::tie(a.kind, a.name) < std::tie(b.kind, b.name);
  });
  return true;
}

}  // namespace dsmsg::deepstream
