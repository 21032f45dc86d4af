// SPDX-License-Identifier: Apache-2.0
// Reads GStreamer's analytics metadata (GstAnalyticsRelationMeta, GStreamer 1.24) into the
// converter's model, as far as the running GStreamer has it (analytics_api.h):
//
//   detection       an object; its box may be rotated (1.26)
//   tracking        the object's id; a lost track ends it
//   classification  an attribute named by its semantic tag (1.30), else "classification"; one that
//                   belongs to nothing is about the whole picture, an object "frame". A list of
//                   a detector's classes (no level above 0) gives the class's number
//   segmentation    the mask of its object (1.26); one without an object makes one of each region
//   group           its keypoints are the pose of its object (1.30), or an object "keypoints"
//
// Elements that serve both new and old readers attach a detection and a region of interest for the
// same object, and give the region the detection's id (Intel's do since 2025): these count as one
// object.
//
// One thread at a time. Texts live for ever, or until the next Read().
#ifndef DSMSG_GST_ANALYTICS_READER_H_
#define DSMSG_GST_ANALYTICS_READER_H_

#include <gst/gst.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "gst/analytics_api.h"
#include "msgconv/model.h"

namespace dsmsg {

class AnalyticsReader {
 public:
  AnalyticsReader() = default;
  AnalyticsReader(const AnalyticsReader&) = delete;
  AnalyticsReader& operator=(const AnalyticsReader&) = delete;

  /// Appends what the buffer has to `frame`, whose size must be set. Detections that are also
  /// regions of interest complete the object that RoiReader made of the region. `first_region`:
  /// where in the frame's objects those begin. Returns how many regions without parameters were
  /// completed.
  size_t Read(GstBuffer* buffer, size_t first_region, msgconv::Frame* frame);
  /// Types of results that were there and were not read, each once: "tensor, zone"; "": none.
  const std::string& unread() const { return unread_; }

 private:
  enum class Kind : uint8_t {
    kDetection,
    kTracking,
    kClasses,
    kClassList,  // all classes of a detector
    kSegmentation,
    kGroup,
    kKeypoint,
    kOther
  };
  struct Part {
    AnalyticsMtd mtd;
    Kind kind = Kind::kOther;
    bool used = false;  // belongs to a detection
  };

  void Gather(void* meta);
  Kind KindOf(const AnalyticsMtd& mtd);
  bool IsClassList(const AnalyticsMtd& classes);
  bool Related(const Part& a, const Part& b) const;
  msgconv::Object ReadDetection(const Part& detection);
  void ReadBox(const AnalyticsMtd& detection, msgconv::Object* object) const;
  void ReadTracking(const AnalyticsMtd& tracking, msgconv::Object* object);
  void AddRelated(const Part& detection, Part* part, msgconv::Object* object);
  void AddClasses(const AnalyticsMtd& classes, uint32_t first_attribute);
  bool AddKeypoints(const Part& group, msgconv::Object* object);
  void AddLostTracks();
  void AddPicture();
  void AddRegions(const Part& segmentation);
  void AddPose(const Part& group);
  std::string_view Tag(const AnalyticsMtd& mtd);
  std::string_view Name(std::string_view base, uint32_t first_attribute);

  const AnalyticsApi* api_ = nullptr;
  msgconv::Frame* frame_ = nullptr;
  std::vector<Part> parts_;        // of the buffer at hand
  std::deque<std::string> texts_;  // of the frame at hand
  std::vector<AnalyticsApi::Type> unknown_;
  std::string unread_;
};

}  // namespace dsmsg

#endif  // DSMSG_GST_ANALYTICS_READER_H_
