// SPDX-License-Identifier: Apache-2.0
#include "gst/roi_reader.h"

#include <gst/video/video.h>

#include <cmath>
#include <cstring>
#include <numbers>
#include <optional>

#include "gst/attribute_name.h"
#include "gst/keypoint_names.h"

namespace dsmsg {
namespace {

using msgconv::Frame;
using msgconv::Object;

// Looked up once: a field is then found by comparing integers.
struct Quarks {
  GQuark detection = g_quark_from_static_string("detection");
  GQuark object_id = g_quark_from_static_string("object_id");
  GQuark id = g_quark_from_static_string("id");
  GQuark label = g_quark_from_static_string("label");
  GQuark label_id = g_quark_from_static_string("label_id");
  GQuark confidence = g_quark_from_static_string("confidence");
  GQuark attribute_name = g_quark_from_static_string("attribute_name");
  GQuark model_name = g_quark_from_static_string("model_name");
  GQuark rotation = g_quark_from_static_string("rotation");
  GQuark type = g_quark_from_static_string("type");
  GQuark format = g_quark_from_static_string("format");
  GQuark dims = g_quark_from_static_string("dims");
  GQuark data_buffer = g_quark_from_static_string("data_buffer");
  GQuark x_min = g_quark_from_static_string("x_min");
  GQuark x_max = g_quark_from_static_string("x_max");
  GQuark y_min = g_quark_from_static_string("y_min");
  GQuark y_max = g_quark_from_static_string("y_max");
};

const Quarks& Names() {
  static const Quarks quarks;
  return quarks;
}

std::string_view TextField(const GstStructure* structure, GQuark field) {
  const GValue* value = gst_structure_id_get_value(structure, field);
  if (value == nullptr || !G_VALUE_HOLDS_STRING(value)) return {};
  const gchar* text = g_value_get_string(value);
  return text == nullptr ? std::string_view() : text;
}

std::optional<float> FloatField(const GstStructure* structure, GQuark field) {
  const GValue* value = gst_structure_id_get_value(structure, field);
  if (value == nullptr) return std::nullopt;
  double number = NAN;
  switch (G_VALUE_TYPE(value)) {
    case G_TYPE_DOUBLE:
      number = g_value_get_double(value);
      break;
    case G_TYPE_FLOAT:
      number = static_cast<double>(g_value_get_float(value));
      break;
    case G_TYPE_INT:
      number = g_value_get_int(value);
      break;
  }
  if (!std::isfinite(number)) return std::nullopt;
  return static_cast<float>(number);
}

// Not negative: detectors write -1 for "none".
std::optional<uint64_t> IndexField(const GstStructure* structure, GQuark field) {
  const GValue* value = gst_structure_id_get_value(structure, field);
  if (value == nullptr) return std::nullopt;
  int64_t number = -1;
  switch (G_VALUE_TYPE(value)) {
    case G_TYPE_UINT64:
      return g_value_get_uint64(value);
    case G_TYPE_INT:
      number = g_value_get_int(value);
      break;
    case G_TYPE_UINT:
      number = g_value_get_uint(value);
      break;
    case G_TYPE_INT64:
      number = g_value_get_int64(value);
      break;
  }
  if (number < 0) return std::nullopt;
  return static_cast<uint64_t>(number);
}

// GStreamer's elements keep the rectangle up to date; if it is empty, the relative one in the
// parameters is used.
void ReadRelativeBox(const GstStructure* detection, const Frame& frame, Object* object) {
  if (object->box.width > 0 || object->box.height > 0) return;
  const Quarks& q = Names();
  const auto left = FloatField(detection, q.x_min), right = FloatField(detection, q.x_max);
  const auto top = FloatField(detection, q.y_min), bottom = FloatField(detection, q.y_max);
  if (!left || !right || !top || !bottom) return;
  const float width = static_cast<float>(frame.width), height = static_cast<float>(frame.height);
  object->box = {*left * width, *top * height, (*right - *left) * width, (*bottom - *top) * height};
}

void ReadDetection(const GstStructure* detection, const Frame& frame, Object* object) {
  const Quarks& q = Names();
  object->confidence = FloatField(detection, q.confidence);
  if (const auto id = IndexField(detection, q.label_id))
    object->label_id = static_cast<int64_t>(*id);
  if (object->label.empty()) object->label = TextField(detection, q.label);
  if (const auto radians = FloatField(detection, q.rotation))
    object->rotation = *radians * 180 / std::numbers::pi_v<float>;
  ReadRelativeBox(detection, frame, object);
}

/// A number of an array of a structure, nullptr: it has no such number.
const GValue* ArrayValue(const GstStructure* structure, GQuark field, guint index) {
  const GValue* array = gst_structure_id_get_value(structure, field);
  if (array == nullptr || !GST_VALUE_HOLDS_ARRAY(array) || index >= gst_value_array_get_size(array))
    return nullptr;
  return gst_value_array_get_value(array, index);
}

guint Dimension(const GstStructure* tensor, guint index) {
  const GValue* value = ArrayValue(tensor, Names().dims, index);
  return value != nullptr && G_VALUE_HOLDS_UINT(value) ? g_value_get_uint(value) : 0;
}

// Floats in parts of the box, made whole pixels as the same elements do for their analytics
// metadata.
void ReadKeypoints(const GstStructure* tensor, Frame* frame, Object* object) {
  const Quarks& q = Names();
  const GValue* data = gst_structure_id_get_value(tensor, q.data_buffer);
  const guint count = Dimension(tensor, 0), size = Dimension(tensor, 1);
  if (data == nullptr || !G_VALUE_HOLDS_VARIANT(data) || size < 2 || size > 3) return;
  GVariant* variant = g_value_get_variant(data);
  if (variant == nullptr || !g_variant_is_of_type(variant, G_VARIANT_TYPE_BYTESTRING)) return;
  gsize bytes = 0;
  const auto* floats = static_cast<const char*>(g_variant_get_fixed_array(variant, &bytes, 1));
  if (bytes != gsize{count} * size * sizeof(float)) return;
  std::string_view format = TextField(tensor, q.format);
  if (format.empty()) format = TextField(tensor, q.model_name);
  const KeypointLayout layout = LayoutOf(format);
  object->pose_type = layout.name.empty() ? "pose" : layout.name;
  object->keypoints = {static_cast<uint32_t>(frame->keypoints.size()), count};
  for (guint i = 0; i < count; ++i) {
    float place[3] = {};
    std::memcpy(place, floats + gsize{i} * size * sizeof(float), size * sizeof(float));
    msgconv::Keypoint point;
    if (i < layout.points.size()) point.name = layout.points[i];
    point.position = {object->box.left + std::trunc(object->box.width * place[0]),
                      object->box.top + std::trunc(object->box.height * place[1]),
                      std::trunc(place[2])};
    const GValue* confidence = ArrayValue(tensor, q.confidence, i);
    if (confidence != nullptr && G_VALUE_HOLDS_FLOAT(confidence))
      point.confidence = std::max(g_value_get_float(confidence), 0.0F);
    frame->keypoints.push_back(point);
  }
}

}  // namespace

void RoiReader::ReadAttribute(const GstStructure* structure, uint32_t first_attribute,
                              Frame* frame) {
  const Quarks& q = Names();
  const std::string_view value = TextField(structure, q.label);
  if (value.empty()) return;
  std::string_view name = TextField(structure, q.attribute_name);
  if (name.empty()) name = TextField(structure, q.model_name);
  if (name.empty()) name = gst_structure_get_name(structure);
  frame->attributes.push_back({UniqueName(name, *frame, first_attribute, &texts_), value,
                               FloatField(structure, q.confidence)});
}

void RoiReader::ReadRegion(const GstVideoRegionOfInterestMeta* region, Frame* frame) {
  const Quarks& q = Names();
  Object& object = frame->objects.emplace_back();
  if (const gchar* type = g_quark_to_string(region->roi_type)) object.label = type;
  object.box = {static_cast<float>(region->x), static_cast<float>(region->y),
                static_cast<float>(region->w), static_cast<float>(region->h)};
  object.first_attribute = static_cast<uint32_t>(frame->attributes.size());
  for (const GList* node = region->params; node != nullptr; node = node->next) {
    const auto* structure = static_cast<const GstStructure*>(node->data);
    const GQuark name = gst_structure_get_name_id(structure);
    if (name == q.detection) {
      ReadDetection(structure, *frame, &object);
    } else if (name == q.object_id) {
      if (const auto id = IndexField(structure, q.id)) object.id = *id;
    } else if (TextField(structure, q.type) == "keypoints") {
      ReadKeypoints(structure, frame, &object);
    } else {
      ReadAttribute(structure, object.first_attribute, frame);
    }
  }
  object.attribute_count = static_cast<uint32_t>(frame->attributes.size()) - object.first_attribute;
}

RoiReport RoiReader::Read(GstBuffer* buffer, Frame* frame) {
  texts_.clear();
  RoiReport report;
  gpointer state = nullptr;
  while (const GstMeta* meta = gst_buffer_iterate_meta_filtered(
             buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)) {
    const auto* region = reinterpret_cast<const GstVideoRegionOfInterestMeta*>(meta);
    ++report.regions;
    if (region->params == nullptr) ++report.without_parameters;
    ReadRegion(region, frame);
  }
  return report;
}

}  // namespace dsmsg
