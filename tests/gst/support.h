// SPDX-License-Identifier: Apache-2.0
// What the tests of the sink share: the fake adaptor, a pipeline with its bus, waiting on
// conditions.
#ifndef DSMSG_TESTS_GST_SUPPORT_H_
#define DSMSG_TESTS_GST_SUPPORT_H_

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "fake_adaptor.h"

namespace dsmsg_test {

inline constexpr std::chrono::seconds kPatience{120};

using fake::Path;

/// The fake adaptor `name` in its initial state.
class Fake : public fake::Adaptor {
 public:
  explicit Fake(const std::string& name = "fake") : Adaptor(name) { Reset(); }
  size_t Sent() {
    return With([](fake::State& s) { return s.messages.size(); });
  }
  std::string proto_lib() { return std::string("proto-lib=") + path(); }
};

/// Text and debug text of an error or warning; empty for other messages.
struct BusText {
  std::string text, debug;
  explicit operator bool() const { return !text.empty(); }
};

inline BusText TextOf(GstMessage* message) {
  BusText result;
  if (message == nullptr) return result;
  GError* error = nullptr;
  gchar* debug = nullptr;
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR)
    gst_message_parse_error(message, &error, &debug);
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING)
    gst_message_parse_warning(message, &error, &debug);
  if (error != nullptr) result.text = error->message;
  if (debug != nullptr) result.debug = debug;
  g_clear_error(&error);
  g_free(debug);
  gst_message_unref(message);
  return result;
}

/// A pipeline from a launch line; goes to NULL at the end.
class Pipeline {
 public:
  explicit Pipeline(const std::string& line) {
    GError* error = nullptr;
    pipeline_ = gst_parse_launch(line.c_str(), &error);
    EXPECT_EQ(error, nullptr) << error->message << " in " << line;
    g_clear_error(&error);
    if (GST_IS_PIPELINE(pipeline_) == FALSE) {  // a single element
      GstElement* element = pipeline_;
      pipeline_ = gst_pipeline_new(nullptr);
      gst_bin_add(GST_BIN(pipeline_), element);
    }
    // Otherwise messages posted on the way to NULL are dropped.
    g_object_set(pipeline_, "auto-flush-bus", FALSE, nullptr);
    bus_ = gst_element_get_bus(pipeline_);
  }
  ~Pipeline() {
    Set(GST_STATE_NULL);
    gst_bus_set_flushing(bus_, TRUE);  // messages hold the elements, which hold the bus
    gst_object_unref(bus_);
    gst_object_unref(pipeline_);
  }
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  GstElement* get() const { return pipeline_; }
  GstStateChangeReturn Set(GstState state) { return gst_element_set_state(pipeline_, state); }
  /// Waits for the state asked for.
  GstStateChangeReturn Reach(std::chrono::seconds timeout = kPatience) {
    return gst_element_get_state(pipeline_, nullptr, nullptr,
                                 static_cast<GstClockTime>(timeout.count()) * GST_SECOND);
  }
  GstMessage* Pop(int types, std::chrono::milliseconds timeout = kPatience) {
    return gst_bus_timed_pop_filtered(bus_,
                                      static_cast<GstClockTime>(timeout.count()) * GST_MSECOND,
                                      static_cast<GstMessageType>(types));
  }
  /// The next message of these types as text; empty after 20 s.
  BusText Text(int types, std::chrono::milliseconds timeout = kPatience) {
    return TextOf(Pop(types, timeout));
  }
  bool WaitEos() {
    GstMessage* message = Pop(GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    const bool eos = message != nullptr && GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS;
    if (message != nullptr && !eos) {
      ADD_FAILURE() << TextOf(message).text;
    } else if (message != nullptr) {
      gst_message_unref(message);
    }
    return eos;
  }
  GstElement* Get(const std::string& name) {
    GstElement* element = gst_bin_get_by_name(GST_BIN(pipeline_), name.c_str());
    EXPECT_NE(element, nullptr) << name;
    gst_object_unref(element);  // the pipeline keeps it
    return element;
  }

 private:
  GstElement* pipeline_ = nullptr;
  GstBus* bus_ = nullptr;
};

/// A counter of the element's statistics.
inline guint64 Stat(GstElement* sink, const char* field) {
  GstStructure* stats = nullptr;
  g_object_get(sink, "stats", &stats, nullptr);
  guint64 value = 0;
  EXPECT_TRUE(gst_structure_get_uint64(stats, field, &value)) << field;
  gst_structure_free(stats);
  return value;
}

inline GstBuffer* BufferOf(std::string_view bytes) {
  GstBuffer* buffer = gst_buffer_new_allocate(nullptr, bytes.size(), nullptr);
  gst_buffer_fill(buffer, 0, bytes.data(), bytes.size());
  return buffer;
}

}  // namespace dsmsg_test

#endif  // DSMSG_TESTS_GST_SUPPORT_H_
