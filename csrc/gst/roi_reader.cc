// SPDX-License-Identifier: Apache-2.0
#include "gst/roi_reader.h"

#include <gst/video/video.h>

#include <cmath>
#include <optional>

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
  if (G_VALUE_HOLDS_DOUBLE(value)) number = g_value_get_double(value);
  if (G_VALUE_HOLDS_FLOAT(value)) number = static_cast<double>(g_value_get_float(value));
  if (G_VALUE_HOLDS_INT(value)) number = g_value_get_int(value);
  if (!std::isfinite(number)) return std::nullopt;
  return static_cast<float>(number);
}

// Not negative: detectors write -1 for "none".
std::optional<int64_t> IndexField(const GstStructure* structure, GQuark field) {
  const GValue* value = gst_structure_id_get_value(structure, field);
  if (value == nullptr) return std::nullopt;
  int64_t number = -1;
  if (G_VALUE_HOLDS_INT(value)) number = g_value_get_int(value);
  if (G_VALUE_HOLDS_UINT(value)) number = g_value_get_uint(value);
  if (G_VALUE_HOLDS_INT64(value)) number = g_value_get_int64(value);
  if (G_VALUE_HOLDS_UINT64(value)) number = static_cast<int64_t>(g_value_get_uint64(value));
  if (number < 0) return std::nullopt;
  return number;
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
  object->label_id = IndexField(detection, q.label_id);
  if (object->label.empty()) object->label = TextField(detection, q.label);
  ReadRelativeBox(detection, frame, object);
}

void ReadAttribute(const GstStructure* structure, Frame* frame) {
  const Quarks& q = Names();
  const std::string_view value = TextField(structure, q.label);
  if (value.empty()) return;
  std::string_view name = TextField(structure, q.attribute_name);
  if (name.empty()) name = gst_structure_get_name(structure);
  frame->attributes.push_back({name, value, FloatField(structure, q.confidence)});
}

Object ReadRegion(const GstVideoRegionOfInterestMeta* region, Frame* frame) {
  const Quarks& q = Names();
  Object object;
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
      if (const auto id = IndexField(structure, q.id)) object.id = static_cast<uint64_t>(*id);
    } else {
      ReadAttribute(structure, frame);
    }
  }
  object.attribute_count = static_cast<uint32_t>(frame->attributes.size()) - object.first_attribute;
  return object;
}

}  // namespace

RoiReport ReadRegions(GstBuffer* buffer, Frame* frame) {
  RoiReport report;
  gpointer state = nullptr;
  while (const GstMeta* meta = gst_buffer_iterate_meta_filtered(
             buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)) {
    const auto* region = reinterpret_cast<const GstVideoRegionOfInterestMeta*>(meta);
    ++report.regions;
    if (region->params == nullptr) ++report.without_parameters;
    const Object object = ReadRegion(region, frame);
    frame->objects.push_back(object);
  }
  return report;
}

}  // namespace dsmsg
