// SPDX-License-Identifier: Apache-2.0
// dsmsgtestdetect: replaces a detector in the tests of docs/pipelines.md. Every frame has a car,
// tracked as 7, that moves to the right, and a person without an id.
#include <gst/base/gstbasetransform.h>
#include <gst/gst.h>
#include <gst/video/video.h>

#define PACKAGE "dsmsg"

namespace {

GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
                                                             GST_STATIC_CAPS("video/x-raw(ANY)"));
GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                                                            GST_STATIC_CAPS("video/x-raw(ANY)"));

struct Detect {
  GstBaseTransform base;
  guint frames;
};

void AddObject(GstBuffer* buffer, const char* label, guint left, double confidence, int id) {
  auto* region = gst_buffer_add_video_region_of_interest_meta(buffer, label, left, 8, 16, 8);
  gst_video_region_of_interest_meta_add_param(
      region, gst_structure_new("detection", "label", G_TYPE_STRING, label, "confidence",
                                G_TYPE_DOUBLE, confidence, nullptr));
  if (id < 0) return;
  gst_video_region_of_interest_meta_add_param(
      region, gst_structure_new("object_id", "id", G_TYPE_INT, id, nullptr));
}

GstFlowReturn TransformInPlace(GstBaseTransform* base, GstBuffer* buffer) {
  auto* self = reinterpret_cast<Detect*>(base);
  AddObject(buffer, "car", self->frames++ % 64, 0.75, 7);
  AddObject(buffer, "person", 24, 0.5, -1);
  return GST_FLOW_OK;
}

void ClassInit(gpointer klass, gpointer) {
  GST_BASE_TRANSFORM_CLASS(klass)->transform_ip = TransformInPlace;
  auto* element_class = GST_ELEMENT_CLASS(klass);
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "Test detector", "Filter/Analyzer/Video",
                                        "Attaches regions of interest for tests", "dsmsg");
}

gboolean Init(GstPlugin* plugin) {
  const GType type = g_type_register_static_simple(
      GST_TYPE_BASE_TRANSFORM, "DsmsgTestDetect", sizeof(GstBaseTransformClass), ClassInit,
      sizeof(Detect), nullptr, static_cast<GTypeFlags>(0));
  return gst_element_register(plugin, "dsmsgtestdetect", GST_RANK_NONE, type);
}

}  // namespace

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, dsmsgtestdetect, "Test detector", Init,
                  "1.0", "Apache 2.0", "dsmsg", "Unknown package origin")
