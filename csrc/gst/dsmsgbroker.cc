// SPDX-License-Identifier: Apache-2.0
#include "gst/dsmsgbroker.h"

#include <gst/base/gstbasesink.h>

#include <exception>

#include "gst/broker_sink.h"
#include "gst/late_change.h"
#include "gst/late_messages.h"
#include "gst/type_names.h"

GST_DEBUG_CATEGORY(dsmsg_broker_debug);
#define GST_CAT_DEFAULT dsmsg_broker_debug

namespace {

struct Broker {
  GstBaseSink base;
  dsmsg::BrokerSink* sink;
};

struct BrokerClass {
  GstBaseSinkClass base;
};

GstBaseSinkClass* parent_class = nullptr;

GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

dsmsg::BrokerSink& Self(gpointer object) { return *static_cast<Broker*>(object)->sink; }

void SetProperty(GObject* object, guint id, const GValue* value, GParamSpec* pspec) {
  bool late = false;
  if (!Self(object).SetProperty(id, value, &late)) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  } else if (late) {
    dsmsg::WarnOfLateChange(GST_ELEMENT(object), pspec->name);
  }
}

void GetProperty(GObject* object, guint id, GValue* value, GParamSpec* pspec) {
  if (!Self(object).GetProperty(id, value)) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
}

void Finalize(GObject* object) {
  delete static_cast<Broker*>(static_cast<gpointer>(object))->sink;
  G_OBJECT_CLASS(parent_class)->finalize(object);
}

// With a sink that does not wait for preroll, a pipeline may learn of PLAYING before a thread of
// decodebin tells it of PAUSED (seen in GStreamer 1.22), and then it never posts the end of the
// stream. Repeating its own PLAYING message makes it check again.
void TellOfPlaying(GstElement* element) {
  GstObject* object = gst_object_get_parent(GST_OBJECT(element));
  while (object != nullptr) {
    if (GST_IS_BIN(object)) {
      GST_OBJECT_LOCK(object);
      const bool playing = GST_STATE(object) == GST_STATE_PLAYING &&
                           GST_STATE_PENDING(object) == GST_STATE_VOID_PENDING;
      GST_OBJECT_UNLOCK(object);
      if (playing)
        gst_element_post_message(
            GST_ELEMENT_CAST(object),
            gst_message_new_state_changed(object, GST_STATE_PLAYING, GST_STATE_PLAYING,
                                          GST_STATE_VOID_PENDING));
    }
    GstObject* parent = gst_object_get_parent(object);
    gst_object_unref(object);
    object = parent;
  }
}

gboolean Event(GstBaseSink* base, GstEvent* event) {
  if (GstBuffer* const late = dsmsg::LateMessagesOf(event)) {
    const bool sent = Self(base).RenderLate(late) == GST_FLOW_OK;
    gst_event_unref(event);
    return sent ? TRUE : FALSE;
  }
  if (GST_EVENT_TYPE(event) != GST_EVENT_EOS) return parent_class->event(base, event);
  // With async=true, a change to PAUSED may be waiting for this buffer; draining does not report
  // its arrival.
  const bool playing = gst_base_sink_do_preroll(base, GST_MINI_OBJECT_CAST(event)) == GST_FLOW_OK;
  if (!playing || !Self(base).DrainAtEos()) {
    gst_event_unref(event);
    return FALSE;
  }
  const gboolean handled = parent_class->event(base, event);
  TellOfPlaying(GST_ELEMENT_CAST(base));
  return handled;
}

// No exception may pass through GStreamer; only running out of memory or threads throws.
template <class Starter>
gboolean Guarded(GstElement* element, Starter start) {
  try {
    return start() ? TRUE : FALSE;
  } catch (const std::exception& error) {
    GST_ELEMENT_ERROR(element, RESOURCE, FAILED, ("Cannot start: %s", error.what()), (nullptr));
    return FALSE;
  }
}

gboolean Start(GstBaseSink* base) {
  return Guarded(GST_ELEMENT(base), [base] { return Self(base).Start(); });
}

GstStateChangeReturn ChangeState(GstElement* element, GstStateChange change) {
  dsmsg::BrokerSink& self = Self(element);
  if (change == GST_STATE_CHANGE_READY_TO_PAUSED &&
      Guarded(element, [&self] { return self.Renew(); }) == FALSE)
    return GST_STATE_CHANGE_FAILURE;
  if (change == GST_STATE_CHANGE_PLAYING_TO_PAUSED) self.Pausing();
  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(parent_class)->change_state(element, change);
  if (change == GST_STATE_CHANGE_PAUSED_TO_PLAYING && result != GST_STATE_CHANGE_FAILURE) {
    self.Playing();
  }
  return result;
}

void InstallFunctions(GstBaseSinkClass* base) {
  base->start = Start;
  base->stop = [](GstBaseSink* s) -> gboolean { return Self(s).Stop(); };
  base->unlock = [](GstBaseSink* s) -> gboolean {
    Self(s).Unlock();
    return TRUE;
  };
  base->unlock_stop = [](GstBaseSink* s) -> gboolean {
    Self(s).UnlockStop();
    return TRUE;
  };
  base->set_caps = [](GstBaseSink* s, GstCaps* caps) -> gboolean {
    Self(s).SetCaps(caps);
    return TRUE;
  };
  base->preroll = [](GstBaseSink* s, GstBuffer*) {
    Self(s).Preroll();
    return GST_FLOW_OK;
  };
  base->render = [](GstBaseSink* s, GstBuffer* buffer) { return Self(s).Render(buffer); };
  base->event = Event;
}

void ClassInit(gpointer klass, gpointer) {
  parent_class = static_cast<GstBaseSinkClass*>(g_type_class_peek_parent(klass));
  auto* object_class = G_OBJECT_CLASS(klass);
  object_class->set_property = SetProperty;
  object_class->get_property = GetProperty;
  object_class->finalize = Finalize;
  dsmsg::InstallSinkProperties(object_class);
  InstallFunctions(GST_BASE_SINK_CLASS(klass));
  dsmsg_payload_meta_get_info();
  auto* element_class = GST_ELEMENT_CLASS(klass);
  element_class->change_state = ChangeState;
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_set_static_metadata(
      element_class, "Message broker sink", "Sink/Network",
      "Sends payloads made by dsmsgconv, or by DeepStream's "
      "nvmsgconv, or JSON, protobuf and text buffers as they "
      "are, to a message broker through a protocol adaptor, "
      "libnvds_<name>_proto.so. Ends its branch: to show the video as well, put a tee before it "
      "and a queue in every branch. Never waits for the clock or for preroll (sync=false "
      "async=false)",
      "dsmsg");
}

void InstanceInit(GTypeInstance* instance, gpointer) {
  auto* base = GST_BASE_SINK(instance);
  static_cast<Broker*>(static_cast<gpointer>(instance))->sink = new dsmsg::BrokerSink(base);
  // A metadata sink waits neither for the clock nor for preroll: a tee with a live source would
  // stall.
  gst_base_sink_set_sync(base, FALSE);
  gst_base_sink_set_async_enabled(base, FALSE);
  gst_base_sink_set_last_sample_enabled(base, FALSE);  // it would hold a video buffer needlessly
}

}  // namespace

GType dsmsg_broker_get_type() {
  static const GType type = [] {
    GST_DEBUG_CATEGORY_INIT(dsmsg_broker_debug, "dsmsgbroker", 0, "message broker sink");
    return g_type_register_static_simple(GST_TYPE_BASE_SINK, DSMSG_GST_TYPE_NAME("Broker"),
                                         sizeof(BrokerClass), ClassInit, sizeof(Broker),
                                         InstanceInit, static_cast<GTypeFlags>(0));
  }();
  return type;
}

bool dsmsg_broker_register(GstPlugin* plugin, const char* name) {
  return gst_element_register(plugin, name, GST_RANK_NONE, dsmsg_broker_get_type()) != FALSE;
}
