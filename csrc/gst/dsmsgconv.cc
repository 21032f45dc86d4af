// SPDX-License-Identifier: Apache-2.0
#include "gst/dsmsgconv.h"

#include <gst/base/gstbasetransform.h>

#include <exception>
#include <memory>

#include "gst/conv_settings.h"
#include "gst/conv_worker.h"
#include "gst/converter_state.h"
#include "gst/late_change.h"
#include "gst/late_sender.h"
#include "gst/payload_meta.h"
#include "gst/source_end.h"
#include "gst/type_names.h"

GST_DEBUG_CATEGORY(dsmsg_conv_debug);
#define GST_CAT_DEFAULT dsmsg_conv_debug

namespace {

// C++ members of the instance; GObject can only zero its memory.
struct State {
  dsmsg::ConvSettings settings;  // guarded by the object lock
  dsmsg::ConvCounters counters;
  std::unique_ptr<dsmsg::ConvWorker>
      worker;  // between start and stop; used under the sink pad's stream lock
  std::unique_ptr<dsmsg::LateSender> late;  // likewise; null without evidence
};

struct Conv {
  GstBaseTransform base;
  State* state;
};

struct ConvClass {
  GstBaseTransformClass base;
};

GObjectClass* parent_class = nullptr;

GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

State& Self(gpointer object) { return *static_cast<Conv*>(object)->state; }

void SetProperty(GObject* object, guint id, const GValue* value, GParamSpec* pspec) {
  dsmsg::ConvSettings& settings = Self(object).settings;
  GST_OBJECT_LOCK(object);
  const dsmsg::ConvSettings before = settings;
  const bool known = dsmsg::SetConvProperty(&settings, id, value);
  const bool late = dsmsg::HasReadSettings(GST_ELEMENT(object)) && !(settings == before);
  GST_OBJECT_UNLOCK(object);
  if (!known) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  if (late) dsmsg::WarnOfLateChange(GST_ELEMENT(object), pspec->name);
}

GstStructure* EvidenceStats(const dsmsg::ConvCounters& counters) {
  const auto count = [](const std::atomic<uint64_t>& value) {
    return static_cast<guint64>(value.load());
  };
  return gst_structure_new("evidence-stats", "stored", G_TYPE_UINT64, count(counters.stored),
                           "stored-bytes", G_TYPE_UINT64, count(counters.stored_bytes), "lost",
                           G_TYPE_UINT64, count(counters.lost), nullptr);
}

void GetProperty(GObject* object, guint id, GValue* value, GParamSpec* pspec) {
  if (id == dsmsg::kConvEvidenceStats)
    return g_value_take_boxed(value, EvidenceStats(Self(object).counters));
  GST_OBJECT_LOCK(object);
  const bool known = dsmsg::GetConvProperty(Self(object).settings, id, value);
  GST_OBJECT_UNLOCK(object);
  if (!known) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
}

void Finalize(GObject* object) {
  delete static_cast<Conv*>(static_cast<gpointer>(object))->state;
  parent_class->finalize(object);
}

gboolean Start(GstBaseTransform* base) {
  State& self = Self(base);
  GST_OBJECT_LOCK(base);
  const dsmsg::ConvSettings settings = self.settings;
  GST_OBJECT_UNLOCK(base);
  auto worker = dsmsg::ConvWorker::Create(GST_ELEMENT(base), settings, &self.counters);
  if (!worker.ok()) {
    GST_ELEMENT_ERROR(base, RESOURCE, SETTINGS, ("%s", worker.status().message().c_str()),
                      (nullptr));
    return FALSE;
  }
  self.worker = std::move(worker.value());
  if (!self.worker->has_evidence()) return TRUE;
  try {
    self.late = std::make_unique<dsmsg::LateSender>(
        GST_BASE_TRANSFORM_SINK_PAD(base), GST_BASE_TRANSFORM_SRC_PAD(base),
        [worker = self.worker.get()] { return worker->TakeLate(); });
  } catch (const std::exception& error) {
    GST_ELEMENT_ERROR(base, RESOURCE, FAILED, ("%s", error.what()), (nullptr));
    self.worker.reset();
    return FALSE;
  }
  return TRUE;
}

gboolean Stop(GstBaseTransform* base) {
  Self(base).late.reset();
  Self(base).worker.reset();
  return TRUE;
}

// The streaming thread may wait for pictures at the end of the stream, and the base class for it.
GstStateChangeReturn ChangeState(GstElement* element, GstStateChange change) {
  if (change == GST_STATE_CHANGE_PAUSED_TO_READY) {
    if (dsmsg::ConvWorker* const worker = Self(element).worker.get()) worker->StopWaiting();
  }
  return GST_ELEMENT_CLASS(parent_class)->change_state(element, change);
}

gboolean SinkEvent(GstBaseTransform* base, GstEvent* event) {
  if (dsmsg::ConvWorker* const worker = Self(base).worker.get()) {
    GstEvent* late = nullptr;
    if (GST_EVENT_TYPE(event) == GST_EVENT_EOS) late = worker->AtEnd();
    if (const auto source = dsmsg::EndedSource(event)) late = worker->AtEndOf(*source);
    if (late != nullptr) gst_pad_push_event(GST_BASE_TRANSFORM_SRC_PAD(base), late);
    if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP) worker->Flush();
  }
  return GST_BASE_TRANSFORM_CLASS(parent_class)->sink_event(base, event);
}

// A sink may ask while the element stops, so the worker is not used.
gboolean Query(GstBaseTransform* base, GstPadDirection direction, GstQuery* query) {
  if (direction == GST_PAD_SRC &&
      dsmsg::AnswerConverterQuery(query, dsmsg::ConverterNumber(base), Self(base).counters))
    return TRUE;
  return GST_BASE_TRANSFORM_CLASS(parent_class)->query(base, direction, query);
}

gboolean SetCaps(GstBaseTransform* base, GstCaps* caps, GstCaps*) {
  if (Self(base).worker) Self(base).worker->SetCaps(caps);
  return TRUE;
}

// Used instead of transform_ip: in place, the base class would copy the pixels of a buffer that
// others hold too, although only a new list of metadata is needed.
GstFlowReturn GenerateOutput(GstBaseTransform* base, GstBuffer** out) {
  GstBuffer* buffer = base->queued_buf;
  base->queued_buf = nullptr;
  *out = buffer == nullptr ? nullptr : Self(base).worker->Process(buffer);
  return GST_FLOW_OK;
}

void ClassInit(gpointer klass, gpointer) {
  parent_class = G_OBJECT_CLASS(g_type_class_peek_parent(klass));
  auto* object_class = G_OBJECT_CLASS(klass);
  object_class->set_property = SetProperty;
  object_class->get_property = GetProperty;
  object_class->finalize = Finalize;
  dsmsg::InstallConvProperties(object_class);
  dsmsg_payload_meta_get_info();
  auto* base_class = GST_BASE_TRANSFORM_CLASS(klass);
  base_class->start = Start;
  base_class->stop = Stop;
  base_class->set_caps = SetCaps;
  base_class->sink_event = SinkEvent;
  base_class->query = Query;
  base_class->generate_output = GenerateOutput;
  auto* element_class = GST_ELEMENT_CLASS(klass);
  element_class->change_state = ChangeState;
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(
      element_class, "Detections to messages", "Filter/Metadata",
      "Makes messages (JSON, protobuf, or in a format of your own library) from what detectors and "
      "applications attached to a buffer, and attaches them to it for dsmsgbroker to send; the "
      "buffer passes unchanged. Reads regions of interest with their parameters, GStreamer's "
      "analytics metadata (1.24 and later), DeepStream's objects and events, and dsmsg_meta.h. Put "
      "it right after the detector and tracker, before any videoconvert or videoscale: those drop "
      "the regions' parameters. With msg2p-newapi=true frame-interval=1, every frame is converted",
      "dsmsg");
}

void InstanceInit(GTypeInstance* instance, gpointer) {
  static_cast<Conv*>(static_cast<gpointer>(instance))->state =
      new State{dsmsg::DefaultConvSettings(), {}, nullptr, nullptr};
  gst_base_transform_set_passthrough(GST_BASE_TRANSFORM(instance), TRUE);
}

}  // namespace

GType dsmsg_conv_get_type() {
  static const GType type = [] {
    GST_DEBUG_CATEGORY_INIT(dsmsg_conv_debug, "dsmsgconv", 0, "detections to messages");
    return g_type_register_static_simple(GST_TYPE_BASE_TRANSFORM, DSMSG_GST_TYPE_NAME("Conv"),
                                         sizeof(ConvClass), ClassInit, sizeof(Conv), InstanceInit,
                                         static_cast<GTypeFlags>(0));
  }();
  return type;
}

bool dsmsg_conv_register(GstPlugin* plugin, const char* name) {
  return gst_element_register(plugin, name, GST_RANK_NONE, dsmsg_conv_get_type()) != FALSE;
}
