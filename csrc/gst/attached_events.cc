// SPDX-License-Identifier: Apache-2.0
#include "gst/attached_events.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>
#include <utility>

#include "dsmsg_meta.h"

namespace dsmsg {
namespace {

using msgconv::Frame;
using msgconv::Object;
using msgconv::Range;

std::string_view Text(const GstStructure* fields, const char* name) {
  const gchar* text = gst_structure_get_string(fields, name);
  return text == nullptr ? std::string_view() : text;
}

// Whatever number type a program chose.
std::optional<double> Real(const GstStructure* fields, const char* name) {
  const GValue* value = gst_structure_get_value(fields, name);
  if (value == nullptr) return std::nullopt;
  GValue number = G_VALUE_INIT;
  g_value_init(&number, G_TYPE_DOUBLE);
  std::optional<double> result;
  if (g_value_transform(value, &number) != FALSE && std::isfinite(g_value_get_double(&number)))
    result = g_value_get_double(&number);
  g_value_unset(&number);
  return result;
}

std::optional<uint64_t> Whole(const GstStructure* fields, const char* name) {
  const GValue* value = gst_structure_get_value(fields, name);
  if (value == nullptr) return std::nullopt;
  GValue number = G_VALUE_INIT;
  g_value_init(&number, G_TYPE_INT64);
  std::optional<uint64_t> result;
  if (G_VALUE_HOLDS_UINT64(value)) {
    result = g_value_get_uint64(value);
  } else if (g_value_transform(value, &number) != FALSE && g_value_get_int64(&number) >= 0) {
    result = static_cast<uint64_t>(g_value_get_int64(&number));
  }
  g_value_unset(&number);
  return result;
}

float Float(const GstStructure* fields, const char* name) {
  return static_cast<float>(Real(fields, name).value_or(0));
}

std::optional<float> OptionalFloat(const GstStructure* fields, const char* name) {
  const auto number = Real(fields, name);
  if (!number) return std::nullopt;
  return static_cast<float>(*number);
}

std::optional<msgconv::Triple> TripleOf(const GstStructure* fields, const char* a, const char* b,
                                        const char* c) {
  const auto x = Real(fields, a), y = Real(fields, b);
  if (!x || !y) return std::nullopt;
  return msgconv::Triple{*x, *y, Real(fields, c).value_or(0)};
}

/// The numbers of a GBytes; it need not be aligned.
template <class T>
std::vector<T> Numbers(const GValue* value) {
  std::vector<T> numbers;
  if (value == nullptr || !G_VALUE_HOLDS(value, G_TYPE_BYTES)) return numbers;
  auto* bytes = static_cast<GBytes*>(g_value_get_boxed(value));
  if (bytes == nullptr) return numbers;
  gsize size = 0;
  const void* data = g_bytes_get_data(bytes, &size);
  numbers.resize(size / sizeof(T));
  if (!numbers.empty()) std::memcpy(numbers.data(), data, numbers.size() * sizeof(T));
  return numbers;
}

template <class T>
Range Append(std::vector<T>* list, const std::vector<T>& more) {
  const Range range{static_cast<uint32_t>(list->size()), static_cast<uint32_t>(more.size())};
  list->insert(list->end(), more.begin(), more.end());
  return range;
}

/// Calls `use` for every structure of a list field, or for the field itself if it is a structure.
template <class Use>
void EachStructure(const GstStructure* fields, const char* name, Use use) {
  const GValue* value = gst_structure_get_value(fields, name);
  if (value == nullptr) return;
  if (GST_VALUE_HOLDS_STRUCTURE(value)) return use(gst_value_get_structure(value));
  if (!GST_VALUE_HOLDS_LIST(value)) return;
  for (guint i = 0; i < gst_value_list_get_size(value); ++i) {
    const GValue* item = gst_value_list_get_value(value, i);
    if (GST_VALUE_HOLDS_STRUCTURE(item)) use(gst_value_get_structure(item));
  }
}

Range ReadAttributes(const GstStructure* fields, const char* name, Frame* frame) {
  Range range{static_cast<uint32_t>(frame->attributes.size()), 0};
  EachStructure(fields, name, [&](const GstStructure* one) {
    const std::string_view key = Text(one, "name");
    if (key.empty()) return;
    frame->attributes.push_back({key, Text(one, "value"), OptionalFloat(one, "confidence")});
    ++range.count;
  });
  return range;
}

Range ReadTexts(const GstStructure* fields, const char* name, Frame* frame) {
  Range range{static_cast<uint32_t>(frame->texts.size()), 0};
  const GValue* value = gst_structure_get_value(fields, name);
  if (value == nullptr) return range;
  if (G_VALUE_HOLDS_STRING(value)) frame->texts.push_back(Text(fields, name));
  if (G_VALUE_HOLDS(value, G_TYPE_STRV)) {
    for (auto* text = static_cast<gchar**>(g_value_get_boxed(value));
         text != nullptr && *text != nullptr; ++text)
      frame->texts.push_back(*text);
  }
  range.count = static_cast<uint32_t>(frame->texts.size()) - range.first;
  return range;
}

void AddOutline(const GValue* value, Frame* frame, Object* object) {
  const std::vector<float> xy = Numbers<float>(value);
  if (xy.size() < 2) return;
  if (object->outlines.count == 0)
    object->outlines.first = static_cast<uint32_t>(frame->outlines.size());
  Range polygon{static_cast<uint32_t>(frame->points.size()), static_cast<uint32_t>(xy.size() / 2)};
  for (size_t i = 0; i + 1 < xy.size(); i += 2) frame->points.push_back({xy[i], xy[i + 1]});
  frame->outlines.push_back(polygon);
  ++object->outlines.count;
}

void ReadMask(const GstStructure* fields, Frame* frame, Object* object) {
  const GValue* value = gst_structure_get_value(fields, "mask");
  if (value == nullptr) return;
  if (!GST_VALUE_HOLDS_LIST(value)) return AddOutline(value, frame, object);
  for (guint i = 0; i < gst_value_list_get_size(value); ++i)
    AddOutline(gst_value_list_get_value(value, i), frame, object);
}

void ReadPose(const GstStructure* fields, Frame* frame, Object* object) {
  object->pose_type = Text(fields, "pose-type");
  const std::vector<float> xyzc = Numbers<float>(gst_structure_get_value(fields, "keypoints"));
  const GValue* names_value = gst_structure_get_value(fields, "keypoint-names");
  gchar** names = names_value != nullptr && G_VALUE_HOLDS(names_value, G_TYPE_STRV)
                      ? static_cast<gchar**>(g_value_get_boxed(names_value))
                      : nullptr;
  object->keypoints = {static_cast<uint32_t>(frame->keypoints.size()),
                       static_cast<uint32_t>(xyzc.size() / 4)};
  for (size_t i = 0; i + 3 < xyzc.size(); i += 4) {
    msgconv::Keypoint point;
    point.position = {xyzc[i], xyzc[i + 1], xyzc[i + 2]};
    point.confidence = xyzc[i + 3];
    if (names != nullptr && *names != nullptr) point.name = *names++;
    frame->keypoints.push_back(point);
  }
  object->actions.first = static_cast<uint32_t>(frame->actions.size());
  EachStructure(fields, "actions", [&](const GstStructure* one) {
    frame->actions.push_back({Text(one, "type"), Float(one, "confidence")});
    ++object->actions.count;
  });
}

msgconv::ObjectKind KindOf(std::string_view name) {
  using msgconv::ObjectKind;
  static constexpr std::array<std::pair<std::string_view, ObjectKind>, 5> kKinds{{
      {"vehicle", ObjectKind::kVehicle},
      {"person", ObjectKind::kPerson},
      {"face", ObjectKind::kFace},
      {"product", ObjectKind::kProduct},
      {"other", ObjectKind::kOther},
  }};
  for (const auto& [text, kind] : kKinds) {
    if (text == name) return kind;
  }
  return ObjectKind::kByLabel;
}

int32_t Group(const GstStructure* fields, const char* name) {
  const auto number = Whole(fields, name);
  return number && *number <= INT32_MAX ? static_cast<int32_t>(*number) : msgconv::kSourceGroup;
}

void ReadNumbers(const GstStructure* fields, Frame* frame, Object* object) {
  object->embedding =
      Append(&frame->numbers, Numbers<float>(gst_structure_get_value(fields, "embedding")));
  object->embedding_info = ReadAttributes(fields, "embedding-info", frame);
  object->signature =
      Append(&frame->signatures, Numbers<double>(gst_structure_get_value(fields, "signature")));
  const std::vector<float> gaze = Numbers<float>(gst_structure_get_value(fields, "gaze"));
  if (gaze.size() == 5) object->gaze = {gaze[0], gaze[1], gaze[2], gaze[3], gaze[4]};
  object->lip_activity = Text(fields, "lip-activity");
}

Object ReadEvent(const GstStructure* fields, Frame* frame) {
  Object object;
  object.is_event = true;
  const std::string_view event = Text(fields, "event");
  object.event = EventTypeOf(event);
  if (object.event == msgconv::EventType::kNone) object.event_type = event;
  object.event_id = Text(fields, "event-id");
  object.label = Text(fields, "label");
  object.kind = KindOf(Text(fields, "kind"));
  object.id = Whole(fields, "id");
  object.id_text = Text(fields, "object-id");
  object.confidence = OptionalFloat(fields, "confidence");
  object.box = {Float(fields, "left"), Float(fields, "top"), Float(fields, "width"),
                Float(fields, "height")};
  object.speed = Float(fields, "speed");
  object.direction = Float(fields, "direction");
  object.orientation = Float(fields, "orientation");
  object.location = TripleOf(fields, "lat", "lon", "alt");
  object.coordinate = TripleOf(fields, "x", "y", "z");
  object.timestamp = Text(fields, "timestamp");
  object.video_path = Text(fields, "video-path");
  object.sensor_group = Group(fields, "sensor-group");
  object.place_group = Group(fields, "place-group");
  object.analytics_group = Group(fields, "analytics-group");
  object.component_id =
      static_cast<uint32_t>(Whole(fields, "component-id").value_or(msgconv::kAnyComponent));
  const Range attributes = ReadAttributes(fields, "attributes", frame);
  object.first_attribute = attributes.first;
  object.attribute_count = attributes.count;
  ReadNumbers(fields, frame, &object);
  ReadMask(fields, frame, &object);
  ReadPose(fields, frame, &object);
  object.custom_messages = ReadTexts(fields, "custom-messages", frame);
  if (frame->time_ns == 0) frame->time_ns = Whole(fields, "time").value_or(0);
  return object;
}

/// Calls `use` with the fields and the source of every event.
template <class Use>
void EachEvent(GstBuffer* buffer, uint32_t default_source, Use use) {
  gpointer state = nullptr;
  while (GstMeta* meta = gst_buffer_iterate_meta(buffer, &state)) {
    if (gst_meta_info_is_custom(meta->info) == FALSE) continue;
    auto* custom = reinterpret_cast<GstCustomMeta*>(meta);
    if (gst_custom_meta_has_name(custom, DSMSG_EVENT_META) == FALSE) continue;
    const GstStructure* fields = gst_custom_meta_get_structure(custom);
    use(fields, static_cast<uint32_t>(Whole(fields, "source-id").value_or(default_source)));
  }
}

}  // namespace

msgconv::EventType EventTypeOf(std::string_view name) {
  using msgconv::EventType;
  static constexpr std::array<std::pair<std::string_view, EventType>, 7> kTypes{{
      {"entry", EventType::kEntry},
      {"exit", EventType::kExit},
      {"moving", EventType::kMoving},
      {"stopped", EventType::kStopped},
      {"parked", EventType::kParked},
      {"empty", EventType::kEmpty},
      {"reset", EventType::kReset},
  }};
  for (const auto& [text, type] : kTypes) {
    if (text == name) return type;
  }
  return EventType::kNone;
}

std::vector<uint32_t> EventSources(GstBuffer* buffer, uint32_t default_source) {
  std::vector<uint32_t> sources;
  EachEvent(buffer, default_source, [&](const GstStructure*, uint32_t source) {
    if (std::find(sources.begin(), sources.end(), source) == sources.end())
      sources.push_back(source);
  });
  return sources;
}

size_t ReadEvents(GstBuffer* buffer, uint32_t default_source, Frame* frame) {
  size_t count = 0;
  EachEvent(buffer, default_source, [&](const GstStructure* fields, uint32_t source) {
    if (source != frame->source_id) return;
    frame->objects.push_back(ReadEvent(fields, frame));
    ++count;
  });
  return count;
}

}  // namespace dsmsg
