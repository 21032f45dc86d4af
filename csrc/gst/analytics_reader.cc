// SPDX-License-Identifier: Apache-2.0
#include "gst/analytics_reader.h"

#include <gst/video/video.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "gst/attribute_name.h"
#include "gst/keypoint_names.h"
#include "gst/region_map.h"

namespace dsmsg {
namespace {

using msgconv::Box;
using msgconv::Frame;
using msgconv::Object;

constexpr char kClassification[] = "classification";
// Intel's tag for a list of classes.
constexpr std::string_view kClassListTag = "class_descriptor";

std::string_view Text(GQuark quark) {
  const gchar* text = g_quark_to_string(quark);
  return text == nullptr ? std::string_view() : text;
}

/// The most likely class; the number of classes if none has a level. Below 0: unknown.
gsize BestClass(const AnalyticsApi& api, const AnalyticsMtd& classes) {
  const gsize count = api.class_count(&classes);
  if (count == 1) return 0;
  gsize best = count;
  gfloat most = 0;
  for (gsize i = 0; i < count; ++i) {
    const gfloat level = api.class_level(&classes, i);
    if (!(level > most)) continue;
    most = level;
    best = i;
  }
  return best;
}

struct Region {
  const GstVideoRegionOfInterestMeta* meta = nullptr;
  Object* object = nullptr;
};

// One is a whole number; the other may have been truncated to one.
bool SameBox(const Box& a, const Box& b) {
  return std::abs(a.left - b.left) <= 1 && std::abs(a.top - b.top) <= 1 &&
         std::abs(a.width - b.width) <= 1 && std::abs(a.height - b.height) <= 1;
}

/// The region that is the same object, if any. An id alone is not enough: other elements give
/// regions ids of their own.
Region FindRegion(GstBuffer* buffer, guint id, const Box& box, size_t first_region, Frame* frame) {
  gpointer state = nullptr;
  size_t index = first_region;
  while (const GstMeta* meta = gst_buffer_iterate_meta_filtered(
             buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)) {
    const auto* region = reinterpret_cast<const GstVideoRegionOfInterestMeta*>(meta);
    Object* const object = &frame->objects[index++];
    if (region->id >= 0 && static_cast<guint>(region->id) == id && SameBox(object->box, box))
      return {region, object};
  }
  return {};
}

void Complete(const Object& detection, Object* object) {
  if (object->label.empty()) object->label = detection.label;
  if (!object->label_id) object->label_id = detection.label_id;
  if (!object->confidence) object->confidence = detection.confidence;
  if (!object->id) object->id = detection.id;
  if (object->rotation == 0) object->rotation = detection.rotation;
  if (object->state.empty()) object->state = detection.state;
  if (object->mask.count == 0) object->mask = detection.mask;
  if (object->keypoints.count == 0) {
    object->keypoints = detection.keypoints;
    object->pose_type = detection.pose_type;
  }
  if (object->attribute_count > 0) return;
  object->first_attribute = detection.first_attribute;
  object->attribute_count = detection.attribute_count;
}

/// A box around the points.
Box Around(std::span<const msgconv::Keypoint> points) {
  constexpr double kFar = std::numeric_limits<float>::max();
  double left = kFar, top = kFar, right = -kFar, bottom = -kFar;
  for (const msgconv::Keypoint& point : points) {
    left = std::min(left, point.position[0]);
    right = std::max(right, point.position[0]);
    top = std::min(top, point.position[1]);
    bottom = std::max(bottom, point.position[1]);
  }
  return {static_cast<float>(left), static_cast<float>(top), static_cast<float>(right - left),
          static_cast<float>(bottom - top)};
}

}  // namespace

size_t AnalyticsReader::Read(GstBuffer* buffer, size_t first_region, Frame* frame) {
  texts_.clear();
  api_ = AnalyticsApi::Find();
  if (api_ == nullptr) return 0;
  void* meta = api_->buffer_meta(buffer);
  if (meta == nullptr) return 0;
  frame_ = frame;
  Gather(meta);
  size_t completed = 0;
  for (const Part& part : parts_) {
    if (part.kind != Kind::kDetection) continue;
    const Object object = ReadDetection(part);
    const Region region = FindRegion(buffer, part.mtd.id, object.box, first_region, frame);
    if (region.meta == nullptr) {
      frame->objects.push_back(object);
      continue;
    }
    Complete(object, region.object);
    if (region.meta->params == nullptr) ++completed;
  }
  for (Part& part : parts_) {
    if (part.used) continue;
    if (part.kind == Kind::kSegmentation) AddRegions(part);
    if (part.kind == Kind::kGroup) AddPose(part);
  }
  AddPicture();
  AddLostTracks();
  return completed;
}

void AnalyticsReader::Gather(void* meta) {
  parts_.clear();
  gpointer state = nullptr;
  AnalyticsMtd mtd;
  while (api_->iterate(meta, &state, 0, &mtd) != FALSE) {
    const Kind kind = KindOf(mtd);
    parts_.push_back({mtd, kind});
  }
}

AnalyticsReader::Kind AnalyticsReader::KindOf(const AnalyticsMtd& mtd) {
  const AnalyticsApi::Type type = api_->type(&mtd);
  const auto is = [type](AnalyticsApi::TypeFunction* function) {
    return function != nullptr && function() == type;
  };
  if (is(api_->detection_type)) return Kind::kDetection;
  if (is(api_->tracking_type)) return Kind::kTracking;
  if (is(api_->class_type)) return IsClassList(mtd) ? Kind::kClassList : Kind::kClasses;
  if (is(api_->segmentation_type)) return Kind::kSegmentation;
  if (is(api_->group_type)) return Kind::kGroup;
  if (is(api_->keypoint_type)) return Kind::kKeypoint;
  if (std::find(unknown_.begin(), unknown_.end(), type) == unknown_.end()) {
    unknown_.push_back(type);
    const gchar* name = api_->type_name(type);
    unread_ += (unread_.empty() ? "" : ", ") + std::string(name == nullptr ? "?" : name);
  }
  return Kind::kOther;
}

bool AnalyticsReader::IsClassList(const AnalyticsMtd& classes) {
  if (Tag(classes) == kClassListTag) return true;
  const gsize count = api_->class_count(&classes);
  for (gsize i = 0; i < count; ++i) {
    if (api_->class_level(&classes, i) != 0) return false;
  }
  return count > 1;
}

// Relations have a direction, and elements use both.
bool AnalyticsReader::Related(const Part& a, const Part& b) const {
  return api_->relation(a.mtd.meta, a.mtd.id, b.mtd.id) != 0 ||
         api_->relation(a.mtd.meta, b.mtd.id, a.mtd.id) != 0;
}

std::string_view AnalyticsReader::Tag(const AnalyticsMtd& mtd) {
  gchar* tag = api_->semantic_tag == nullptr ? nullptr : api_->semantic_tag(&mtd);
  if (tag == nullptr || *tag == 0) {
    g_free(tag);
    return {};
  }
  const std::string_view text = texts_.emplace_back(tag);
  g_free(tag);
  return text;
}

std::string_view AnalyticsReader::Name(std::string_view base, uint32_t first_attribute) {
  return UniqueName(base, *frame_, first_attribute, &texts_);
}

// ---------------------------------------------------------------- detections

Object AnalyticsReader::ReadDetection(const Part& detection) {
  Object object;
  object.label = Text(api_->detection_class(&detection.mtd));
  ReadBox(detection.mtd, &object);
  object.first_attribute = static_cast<uint32_t>(frame_->attributes.size());
  for (Part& part : parts_) {
    // Keypoints are found through their group.
    if (part.kind == Kind::kDetection || part.kind == Kind::kKeypoint || part.kind == Kind::kOther)
      continue;
    if (Related(detection, part)) AddRelated(detection, &part, &object);
  }
  object.attribute_count =
      static_cast<uint32_t>(frame_->attributes.size()) - object.first_attribute;
  return object;
}

void AnalyticsReader::ReadBox(const AnalyticsMtd& detection, Object* object) const {
  gint x = 0, y = 0, width = 0, height = 0;
  gfloat confidence = -1, radians = 0;
  const gboolean read =
      api_->oriented_location == nullptr
          ? api_->location(&detection, &x, &y, &width, &height, &confidence)
          : api_->oriented_location(&detection, &x, &y, &width, &height, &radians, &confidence);
  if (read == FALSE) return;
  object->box = {static_cast<float>(x), static_cast<float>(y), static_cast<float>(width),
                 static_cast<float>(height)};
  if (std::isfinite(radians)) object->rotation = radians * 180 / std::numbers::pi_v<float>;
  if (confidence >= 0) object->confidence = confidence;
}

void AnalyticsReader::AddRelated(const Part& detection, Part* part, Object* object) {
  part->used = true;
  switch (part->kind) {
    case Kind::kTracking:
      return ReadTracking(part->mtd, object);
    case Kind::kClasses:
    case Kind::kClassList: {
      const gint number = api_->class_index(&part->mtd, api_->detection_class(&detection.mtd));
      // A list of one class is not known by its levels.
      const bool list =
          part->kind == Kind::kClassList || (number == 0 && api_->class_count(&part->mtd) == 1 &&
                                             api_->class_level(&part->mtd, 0) == 0);
      if (!list) return AddClasses(part->mtd, object->first_attribute);
      if (number >= 0) object->label_id = number;
      return;
    }
    case Kind::kSegmentation:
      object->mask = RegionMap(*api_, part->mtd, *frame_).MaskWithin(object->box, frame_);
      return;
    case Kind::kGroup: {
      const std::string_view tag = Tag(part->mtd);
      if (!AddKeypoints(*part, object) && !tag.empty())
        frame_->attributes.push_back({Name("group", object->first_attribute), tag, std::nullopt});
      return;
    }
    default:
      return;
  }
}

void AnalyticsReader::ReadTracking(const AnalyticsMtd& tracking, Object* object) {
  guint64 id = 0;
  GstClockTime first = 0, last = 0;
  gboolean lost = FALSE;
  if (api_->tracking(&tracking, &id, &first, &last, &lost) == FALSE) return;
  object->id = id;
  if (lost != FALSE) object->state = "lost";
}

void AnalyticsReader::AddClasses(const AnalyticsMtd& classes, uint32_t first_attribute) {
  const gsize best = BestClass(*api_, classes);
  if (best >= api_->class_count(&classes)) return;
  const std::string_view value = Text(api_->class_name(&classes, best));
  if (value.empty()) return;
  std::string_view name = Tag(classes);
  if (name.empty()) name = kClassification;
  const gfloat level = api_->class_level(&classes, best);
  std::optional<float> confidence;
  if (level >= 0) confidence = level;
  frame_->attributes.push_back({Name(name, first_attribute), value, confidence});
}

/// False: the group has no keypoints.
bool AnalyticsReader::AddKeypoints(const Part& group, Object* object) {
  const KeypointLayout layout = LayoutOf(Tag(group.mtd));
  msgconv::Range range{static_cast<uint32_t>(frame_->keypoints.size()), 0};
  AnalyticsMtd member;
  for (gsize i = 0; api_->member(&group.mtd, i, &member) != FALSE; ++i) {
    if (api_->keypoint_type == nullptr || api_->type(&member) != api_->keypoint_type()) continue;
    gint x = 0, y = 0, z = 0, dimensions = 0;
    msgconv::Keypoint point;
    if (api_->position(&member, &x, &y, &z, &dimensions) == FALSE) continue;
    if (i < layout.points.size()) point.name = layout.points[i];
    point.position = {static_cast<double>(x), static_cast<double>(y), static_cast<double>(z)};
    gfloat confidence = 0;
    if (api_->keypoint_confidence(&member, &confidence) != FALSE && confidence > 0)
      point.confidence = confidence;
    frame_->keypoints.push_back(point);
    ++range.count;
  }
  if (range.count == 0) return false;
  object->keypoints = range;
  object->pose_type = layout.name.empty() ? "pose" : layout.name;
  return true;
}

// ---------------------------------------------------------------- what belongs to no detection

void AnalyticsReader::AddLostTracks() {
  for (const Part& part : parts_) {
    Object track;
    if (part.kind == Kind::kTracking) ReadTracking(part.mtd, &track);
    if (!track.state.empty()) frame_->lost.push_back(*track.id);
  }
}

// Classifications of the whole picture.
void AnalyticsReader::AddPicture() {
  Object picture;
  picture.first_attribute = static_cast<uint32_t>(frame_->attributes.size());
  for (const Part& part : parts_) {
    if (part.kind != Kind::kClasses || part.used) continue;
    const bool alone = std::none_of(parts_.begin(), parts_.end(), [&](const Part& other) {
      return other.kind != Kind::kClasses && other.kind != Kind::kClassList && Related(part, other);
    });
    if (alone) AddClasses(part.mtd, picture.first_attribute);
  }
  picture.attribute_count =
      static_cast<uint32_t>(frame_->attributes.size()) - picture.first_attribute;
  if (picture.attribute_count == 0) return;
  picture.label = "frame";
  picture.box = {0, 0, static_cast<float>(frame_->width), static_cast<float>(frame_->height)};
  picture.confidence = frame_->attributes[picture.first_attribute].confidence;
  frame_->objects.push_back(picture);
}

// The classes of the regions, if there are any, are in the same order.
void AnalyticsReader::AddRegions(const Part& segmentation) {
  const AnalyticsMtd* classes = nullptr;
  for (const Part& part : parts_) {
    const bool has_classes = part.kind == Kind::kClasses || part.kind == Kind::kClassList;
    if (has_classes && Related(segmentation, part)) classes = &part.mtd;
  }
  const RegionMap map(*api_, segmentation.mtd, *frame_);
  for (const RegionMap::Region& region : map.Regions()) {
    Object object;
    object.label_id = region.id;
    if (classes != nullptr && region.index < api_->class_count(classes)) {
      object.label = Text(api_->class_name(classes, region.index));
      const gfloat level = api_->class_level(classes, region.index);
      if (level > 0) object.confidence = level;
    }
    if (object.label == "background" || (object.label.empty() && region.id == 0)) continue;
    if (object.label.empty()) object.label = "region";
    object.box = region.box;
    object.first_attribute = static_cast<uint32_t>(frame_->attributes.size());
    object.mask = map.MaskOf(region, frame_);
    frame_->objects.push_back(object);
  }
}

void AnalyticsReader::AddPose(const Part& group) {
  Object object;
  if (!AddKeypoints(group, &object)) return;
  object.label = "keypoints";
  object.box = Around(Frame::Part(frame_->keypoints, object.keypoints));
  object.first_attribute = static_cast<uint32_t>(frame_->attributes.size());
  frame_->objects.push_back(object);
}

}  // namespace dsmsg
