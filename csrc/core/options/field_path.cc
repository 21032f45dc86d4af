// SPDX-License-Identifier: Apache-2.0
#include "core/options/field_path.h"

#include <glib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <protozero/pbf_reader.hpp>
#include <utility>

#include "core/base/text_file.h"
#include "core/options/json_fields.h"

namespace dsmsg {
namespace {

using Path = FieldReader::Path;

// Field numbers of nv.Frame (include/nv.proto).
constexpr uint32_t kFrameVersion = 1, kFrameId = 2, kFrameSensor = 4;

/// The JSON text in the payload; empty if it is something else.
std::string_view JsonText(std::string_view payload) {
  payload = WithoutByteOrderMark(payload);
  size_t at = 0;
  while (at < payload.size() && JsonFields::Blank(payload[at])) ++at;
  payload.remove_prefix(at);
  return payload.starts_with('{') || payload.starts_with('[') ? payload : std::string_view();
}

uint32_t FrameField(const Path& path) {
  const auto is = [&](std::string_view name) { return path.size() == 1 && path[0].name == name; };
  if (is("version")) return kFrameVersion;
  if (is("id")) return kFrameId;
  const bool sensor = path.size() == 2 && path[0].name == "sensor" && path[1].name == "id";
  return sensor || is("sensorId") ? kFrameSensor : 0;
}

/// UTF-8 without NULs. Most names are ASCII, which is quicker seen than looked up.
bool IsText(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c > 0; }) ||
         g_utf8_validate(bytes.data(), static_cast<gssize>(bytes.size()), nullptr) != 0;
}

using FrameTexts = std::array<std::optional<std::string_view>, kFrameSensor + 1>;

/// The text fields of a frame up to number `last`.
FrameTexts ReadFrame(std::string_view payload, uint32_t last) {
  FrameTexts found;
  if (last == 0) return found;
  try {
    protozero::pbf_reader frame(payload.data(), payload.size());
    // Fields are written in ascending order; a frame's objects, the bulk, come last.
    while (frame.next() && frame.tag() <= last) {
      const bool text = frame.wire_type() == protozero::pbf_wire_type::length_delimited;
      const uint32_t tag = frame.tag();
      if (!text || (tag != kFrameVersion && tag != kFrameId && tag != kFrameSensor)) {
        frame.skip();
        continue;
      }
      const protozero::data_view view = frame.get_view();
      // Strings in proto3 are UTF-8: anything else is not a frame but arbitrary bytes.
      const std::string_view bytes(view.data(), view.size());
      if (!IsText(bytes)) break;
      found[tag] = bytes;
    }
  } catch (const protozero::exception&) {
    // Truncated: what was found so far counts.
  }
  return found;
}

}  // namespace

Result<size_t> FieldReader::Add(std::string_view path) {
  const auto bad = [&](const char* why) { return Status(Code::kInvalidArgument, why); };
  if (path.empty()) return bad("there is no field name");
  Path names;
  uint64_t lengths = 0;
  for (bool more = true; more;) {
    const size_t dot = path.find('.');
    PathElement element{std::string(path.substr(0, dot)), kNoIndex};
    if (element.name.empty()) return bad("a name between two dots is empty");
    const char* end = element.name.data() + element.name.size();
    uint32_t index = 0;
    const auto [last, error] = std::from_chars(element.name.data(), end, index);
    if (error == std::errc() && last == end) element.index = index;
    lengths |= uint64_t{1} << LengthBit(element.name);
    names.push_back(std::move(element));
    more = dot != std::string_view::npos;
    if (more) path.remove_prefix(dot + 1);
  }
  if (names.size() > kDeepest) return bad("a field path has at most 32 names");
  const auto found = std::find(paths_.begin(), paths_.end(), names);
  if (found != paths_.end()) return static_cast<size_t>(found - paths_.begin());
  if (paths_.size() == kMostPaths) return bad("there are more than 64 different fields");
  lengths_ |= lengths;
  frame_fields_.push_back(FrameField(names));
  last_frame_field_ = std::max(last_frame_field_, frame_fields_.back());
  paths_.push_back(std::move(names));
  return paths_.size() - 1;
}

void FieldReader::Extract(std::string_view payload,
                          std::vector<FieldValue>* values) const noexcept {
  try {
    values->resize(paths_.size());
    for (FieldValue& value : *values) {
      value.found = false;
      value.text.clear();
    }
    if (paths_.empty()) return;
    if (const std::string_view json = JsonText(payload); !json.empty()) {
      JsonFields(json, paths_, lengths_).All(values);
      return;
    }
    const FrameTexts frame = ReadFrame(payload, last_frame_field_);
    for (size_t i = 0; i < paths_.size(); ++i) {
      if (!frame[frame_fields_[i]]) continue;
      (*values)[i].found = true;
      (*values)[i].text.assign(*frame[frame_fields_[i]]);
    }
  } catch (...) {
    // Out of memory: treated as if the rest were missing.
  }
}

bool FieldReader::ExtractFirst(std::string_view payload, std::string* text) const noexcept {
  try {
    if (paths_.empty()) return false;
    if (const std::string_view json = JsonText(payload); !json.empty()) {
      return JsonFields(json, paths_, lengths_).First(text);
    }
    const FrameTexts frame = ReadFrame(payload, last_frame_field_);
    for (const uint32_t field : frame_fields_) {
      if (!frame[field]) continue;
      text->assign(*frame[field]);
      return true;
    }
  } catch (...) {
    // Out of memory: treated as if it were missing.
  }
  return false;
}

}  // namespace dsmsg
