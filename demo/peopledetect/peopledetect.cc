// SPDX-License-Identifier: Apache-2.0
// An example of a detector element: dsmsgpeopledetect finds people with OpenCV's built-in HOG
// detector, on the CPU and without a model to download, and attaches each as a
// GstVideoRegionOfInterestMeta that dsmsgconv reads, with a number that it keeps from frame to
// frame.
//
// Threads: everything runs on the streaming thread. The picture is read, not changed; in-place,
// because metadata can only be attached to a writable buffer.
#include <gst/video/gstvideofilter.h>
#include <gst/video/gstvideometa.h>

#include <algorithm>
#include <opencv2/core.hpp>
#include <opencv2/objdetect.hpp>
#include <vector>

#include "tracker.h"

#define PACKAGE "dsmsg"

namespace {

struct PeopleDetect {
  GstVideoFilter base;
  cv::HOGDescriptor* detector;
  Tracker* tracker;
};

struct PeopleDetectClass {
  GstVideoFilterClass base;
};

GObjectClass* parent_class = nullptr;

GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE("BGR")));
GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE("BGR")));

void Attach(GstBuffer* buffer, const cv::Rect& box, double confidence, int id,
            const cv::Size& picture) {
  GstVideoRegionOfInterestMeta* region = gst_buffer_add_video_region_of_interest_meta(
      buffer, "person", static_cast<guint>(box.x), static_cast<guint>(box.y),
      static_cast<guint>(box.width), static_cast<guint>(box.height));
  // The layout that Intel's GVA elements made common: edges as parts of the picture.
  const double width = picture.width, height = picture.height;
  gst_video_region_of_interest_meta_add_param(
      region,
      gst_structure_new("detection", "x_min", G_TYPE_DOUBLE, box.x / width, "x_max", G_TYPE_DOUBLE,
                        (box.x + box.width) / width, "y_min", G_TYPE_DOUBLE, box.y / height,
                        "y_max", G_TYPE_DOUBLE, (box.y + box.height) / height, "confidence",
                        G_TYPE_DOUBLE, confidence, "label_id", G_TYPE_INT, 0, "label",
                        G_TYPE_STRING, "person", nullptr));
  gst_video_region_of_interest_meta_add_param(
      region, gst_structure_new("object_id", "id", G_TYPE_INT, id, nullptr));
}

/// The detector answers a distance to the decision border; people expect a number from 0 to 1.
double Confidence(double weight) {
  return std::clamp(1.0 - 1.0 / (1.0 + std::max(weight, 0.0)), 0.0, 1.0);
}

void Detect(const cv::HOGDescriptor& detector, Tracker* tracker, GstVideoFrame* frame) {
  const cv::Mat picture(GST_VIDEO_FRAME_HEIGHT(frame), GST_VIDEO_FRAME_WIDTH(frame), CV_8UC3,
                        GST_VIDEO_FRAME_PLANE_DATA(frame, 0),
                        static_cast<size_t>(GST_VIDEO_FRAME_PLANE_STRIDE(frame, 0)));
  std::vector<cv::Rect> boxes;
  std::vector<double> weights;
  detector.detectMultiScale(picture, boxes, weights, 0, cv::Size(8, 8), cv::Size(), 1.05, 2);
  const cv::Rect all(cv::Point(), picture.size());
  const std::vector<int> ids = tracker->Follow(boxes);
  for (size_t i = 0; i < boxes.size(); ++i) {
    const cv::Rect inside = boxes[i] & all;
    if (!inside.empty())
      Attach(frame->buffer, inside, Confidence(weights[i]), ids[i], picture.size());
  }
}

GstFlowReturn Transform(GstVideoFilter* filter, GstVideoFrame* frame) {
  const auto* self = static_cast<PeopleDetect*>(static_cast<gpointer>(filter));
  try {
    Detect(*self->detector, self->tracker, frame);
  } catch (const std::exception& error) {
    GST_ELEMENT_ERROR(filter, STREAM, FAILED, ("OpenCV's people detector failed: %s", error.what()),
                      (nullptr));
    return GST_FLOW_ERROR;
  }
  return GST_FLOW_OK;
}

void ClassInit(gpointer klass, gpointer) {
  parent_class = static_cast<GObjectClass*>(g_type_class_peek_parent(klass));
  G_OBJECT_CLASS(klass)->finalize = [](GObject* object) {
    auto* self = static_cast<PeopleDetect*>(static_cast<gpointer>(object));
    delete self->detector;
    delete self->tracker;
    parent_class->finalize(object);
  };
  GST_VIDEO_FILTER_CLASS(klass)->transform_frame_ip = Transform;
  auto* element_class = GST_ELEMENT_CLASS(klass);
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(
      element_class, "People detector (example)", "Filter/Analyzer/Video",
      "Attaches a region of interest for every person found by OpenCV's HOG detector", "dsmsg");
}

void InstanceInit(GTypeInstance* instance, gpointer) {
  auto* detector = new cv::HOGDescriptor;
  detector->setSVMDetector(cv::HOGDescriptor::getDefaultPeopleDetector());
  auto* self = static_cast<PeopleDetect*>(static_cast<gpointer>(instance));
  self->detector = detector;
  self->tracker = new Tracker;
}

gboolean Init(GstPlugin* plugin) {
  const GType type = g_type_register_static_simple(
      GST_TYPE_VIDEO_FILTER, "DsmsgPeopleDetect", sizeof(PeopleDetectClass), ClassInit,
      sizeof(PeopleDetect), InstanceInit, static_cast<GTypeFlags>(0));
  return gst_element_register(plugin, "dsmsgpeopledetect", GST_RANK_NONE, type);
}

}  // namespace

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, dsmsgpeopledetect,
                  "Example: finds people in video", Init, DSMSG_VERSION, "Apache 2.0", "dsmsg",
                  "Unknown package origin")
