// SPDX-License-Identifier: Apache-2.0
#include "core/options/field_path.h"

#include <glib.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <protozero/pbf_reader.hpp>
#include <utility>

#include "core/base/text_file.h"

namespace dsmsg {
namespace {

using Path = FieldReader::Path;

// Field numbers of nv.Frame (include/nv.proto).
constexpr uint32_t kFrameVersion = 1, kFrameId = 2, kFrameSensor = 4;

/// Follows several paths through one document at once. A path is alive while its value may still
/// come; it dies when its value has been found, or when the container that should have held it has
/// ended (so the first of repeated keys counts). Parsing stops when none is alive.
class JsonFinder : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, JsonFinder> {
 public:
  using Size = rapidjson::SizeType;

  JsonFinder(const std::vector<Path>& paths, bool first_only, const rapidjson::MemoryStream& stream,
             std::vector<FieldValue>* values)
      : paths_(paths),
        first_only_(first_only),
        stream_(stream),
        values_(values),
        alive_(paths.size()) {}

  bool Null() { return Scalar(std::nullopt); }
  bool Bool(bool value) { return Scalar(value ? "true" : "false"); }
  bool RawNumber(const char* text, Size length, bool) {
    // A number at the end of the payload may have been cut off.
    if (stream_.src_ == stream_.end_) return false;
    return Scalar(std::string_view(text, length));
  }
  bool String(const char* text, Size length, bool) {
    return Scalar(std::string_view(text, length));
  }

  bool StartObject() { return Start(false); }
  bool StartArray() { return Start(true); }
  bool EndObject(Size) { return End(); }
  bool EndArray(Size) { return End(); }

  bool Key(const char* text, Size length, bool) {
    if (!OnPath()) return true;
    const std::string_view key(text, length);
    const size_t level = depth_ - 1;
    for (size_t i = 0; i < paths_.size(); ++i) {
      State& state = states_[i];
      state.next = Expects(i, level) && paths_[i][level].name == key;
    }
    return true;
  }

 private:
  struct State {
    uint8_t matched = 0;  // leading names found, and still inside their containers
    bool next = false;    // the next value is the one for name number `matched`
    bool dead = false;
  };

  // Only containers at most one level deeper than the longest match matter; everything else is
  // skipped quickly.
  bool OnPath() const { return depth_ > 0 && depth_ <= size_t{deepest_} + 1; }
  bool Expects(size_t i, size_t level) const {
    return !states_[i].dead && states_[i].matched == level;
  }

  void Kill(State* state) {
    state->dead = true;
    state->next = false;
    --alive_;
  }

  // In an array, the position serves as the key.
  void CountElement() {
    const size_t level = depth_ - 1;
    if (!arrays_[level]) return;
    const uint32_t index = positions_[level]++;
    for (size_t i = 0; i < paths_.size(); ++i) {
      states_[i].next = Expects(i, level) && paths_[i][level].index == index;
    }
  }

  bool Scalar(std::optional<std::string_view> text) {
    if (!OnPath()) return depth_ > 0;
    CountElement();
    for (size_t i = 0; i < paths_.size(); ++i) {
      State& state = states_[i];
      if (!state.next) continue;
      if (text && paths_[i].size() == depth_) {
        (*values_)[i].found = true;
        (*values_)[i].text.assign(text->data(), text->size());
        if (first_only_) return false;
      }
      Kill(&state);
    }
    return alive_ > 0;
  }

  bool Start(bool array) {
    if (OnPath()) {
      CountElement();
      for (size_t i = 0; i < paths_.size(); ++i) {
        State& state = states_[i];
        if (!state.next) continue;
        state.next = false;
        if (paths_[i].size() == depth_) {
          Kill(&state);  // the value is not a scalar
        } else {
          state.matched = static_cast<uint8_t>(depth_);
          deepest_ = std::max(deepest_, state.matched);
        }
      }
    }
    if (depth_ < arrays_.size()) {
      arrays_[depth_] = array;
      positions_[depth_] = 0;
    }
    ++depth_;
    return alive_ > 0;
  }

  bool End() {
    --depth_;
    if (depth_ > deepest_) return true;
    deepest_ = 0;
    for (size_t i = 0; i < paths_.size(); ++i) {
      State& state = states_[i];
      if (state.dead) continue;
      if (state.matched == depth_) {
        Kill(&state);  // the container ended without it
      } else {
        deepest_ = std::max(deepest_, state.matched);
      }
    }
    return alive_ > 0;
  }

  const std::vector<Path>& paths_;
  const bool first_only_;
  const rapidjson::MemoryStream& stream_;
  std::vector<FieldValue>* const values_;
  size_t alive_;
  size_t depth_ = 0;  // open containers
  uint8_t deepest_ = 0;
  std::array<State, FieldReader::kMostPaths> states_{};
  std::array<bool, FieldReader::kDeepest + 1> arrays_;
  std::array<uint32_t, FieldReader::kDeepest + 1> positions_;
};

std::string_view WithoutSpace(std::string_view payload) {
  payload = WithoutByteOrderMark(payload);
  const size_t first = payload.find_first_not_of(" \t\r\n");
  return first == std::string_view::npos ? std::string_view() : payload.substr(first);
}

bool IsJson(std::string_view payload) {
  const std::string_view text = WithoutSpace(payload);
  return !text.empty() && (text.front() == '{' || text.front() == '[');
}

void ExtractJson(std::string_view payload, const std::vector<Path>& paths, bool first_only,
                 std::vector<FieldValue>* values) {
  const std::string_view text = WithoutSpace(payload);
  rapidjson::MemoryStream stream(text.data(), text.size());
  JsonFinder finder(paths, first_only, stream, values);
  // Strings are decoded and containers recorded in this memory; only longer ones need the heap.
  alignas(8) char memory[2048];
  rapidjson::MemoryPoolAllocator<> allocator(memory, sizeof memory, 4096);
  rapidjson::GenericReader<rapidjson::UTF8<>, rapidjson::UTF8<>, rapidjson::MemoryPoolAllocator<>>
      reader(&allocator, 512);
  // Iterative, so that nesting as deep as the payload is long does not overflow the thread's stack.
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag |
                              rapidjson::kParseNumbersAsStringsFlag |
                              rapidjson::kParseStopWhenDoneFlag;
  (void)reader.Parse<kFlags>(stream, finder);
}

uint32_t FrameField(const Path& path) {
  const auto is = [&](std::string_view name) { return path.size() == 1 && path[0].name == name; };
  if (is("version")) return kFrameVersion;
  if (is("id")) return kFrameId;
  const bool sensor = path.size() == 2 && path[0].name == "sensor" && path[1].name == "id";
  return sensor || is("sensorId") ? kFrameSensor : 0;
}

void ExtractFrame(std::string_view payload, const std::vector<Path>& paths,
                  std::vector<FieldValue>* values) {
  std::array<std::optional<std::string_view>, kFrameSensor + 1> found;
  uint32_t last_wanted = 0;
  for (const Path& path : paths) last_wanted = std::max(last_wanted, FrameField(path));
  if (last_wanted == 0) return;
  try {
    protozero::pbf_reader frame(payload.data(), payload.size());
    // Fields are written in ascending order; a frame's objects, the bulk, come last.
    while (frame.next() && frame.tag() <= last_wanted) {
      const bool text = frame.wire_type() == protozero::pbf_wire_type::length_delimited;
      const uint32_t tag = frame.tag();
      if (!text || (tag != kFrameVersion && tag != kFrameId && tag != kFrameSensor)) {
        frame.skip();
        continue;
      }
      const protozero::data_view view = frame.get_view();
      // Strings in proto3 are UTF-8: anything else is not a frame but arbitrary bytes.
      if (g_utf8_validate(view.data(), static_cast<gssize>(view.size()), nullptr) == 0) break;
      found[tag] = std::string_view(view.data(), view.size());
    }
  } catch (const protozero::exception&) {
    // Truncated: what was found so far counts.
  }
  for (size_t i = 0; i < paths.size(); ++i) {
    const uint32_t field = FrameField(paths[i]);
    if (field == 0 || !found[field]) continue;
    (*values)[i].found = true;
    (*values)[i].text.assign(found[field]->data(), found[field]->size());
  }
}

}  // namespace

Result<size_t> FieldReader::Add(std::string_view path) {
  const auto bad = [&](const char* why) { return Status(Code::kInvalidArgument, why); };
  if (path.empty()) return bad("there is no field name");
  Path names;
  for (bool more = true; more;) {
    const size_t dot = path.find('.');
    PathElement element{std::string(path.substr(0, dot)), kNoIndex};
    if (element.name.empty()) return bad("a name between two dots is empty");
    const char* end = element.name.data() + element.name.size();
    uint32_t index = 0;
    const auto [last, error] = std::from_chars(element.name.data(), end, index);
    if (error == std::errc() && last == end) element.index = index;
    names.push_back(std::move(element));
    more = dot != std::string_view::npos;
    if (more) path.remove_prefix(dot + 1);
  }
  if (names.size() > kDeepest) return bad("a field path has at most 32 names");
  const auto found = std::find(paths_.begin(), paths_.end(), names);
  if (found != paths_.end()) return static_cast<size_t>(found - paths_.begin());
  if (paths_.size() == kMostPaths) return bad("there are more than 64 different fields");
  paths_.push_back(std::move(names));
  return paths_.size() - 1;
}

void FieldReader::Read(std::string_view payload, bool first_only,
                       std::vector<FieldValue>* values) const {
  values->resize(paths_.size());
  for (FieldValue& value : *values) {
    value.found = false;
    value.text.clear();
  }
  if (paths_.empty() || payload.empty()) return;
  if (IsJson(payload)) {
    ExtractJson(payload, paths_, first_only, values);
  } else {
    ExtractFrame(payload, paths_, values);
  }
}

void FieldReader::Extract(std::string_view payload,
                          std::vector<FieldValue>* values) const noexcept {
  try {
    Read(payload, false, values);
  } catch (...) {
    // Out of memory: treated as if the rest were missing.
  }
}

bool FieldReader::ExtractFirst(std::string_view payload, std::string* text) const noexcept {
  try {
    std::vector<FieldValue> values;
    Read(payload, true, &values);
    for (FieldValue& value : values) {
      if (!value.found) continue;
      *text = std::move(value.text);
      return true;
    }
  } catch (...) {
    // Out of memory: treated as if it were missing.
  }
  return false;
}

}  // namespace dsmsg
