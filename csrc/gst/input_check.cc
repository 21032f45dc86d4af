// SPDX-License-Identifier: Apache-2.0
#include "gst/input_check.h"

#include <cinttypes>

#include "gst/converter_state.h"
#include "gst/json_end.h"

GST_DEBUG_CATEGORY_EXTERN(dsmsg_broker_debug);
#define GST_CAT_DEFAULT dsmsg_broker_debug

namespace dsmsg {
namespace {

// Number of buffers without a payload after which the sink warns: a few seconds of video.
constexpr uint64_t kPatience = 100;
// How much filesrc and similar sources read at once by default.
constexpr size_t kBlock = 4096;
constexpr char kJson[] = "application/json";
constexpr char kOwnTypes[] = "application/json, application/x-protobuf or text/x-raw";

std::string BuffersCame(uint64_t count) {
  return std::to_string(count) + (count == 1 ? " buffer arrived" : " buffers arrived");
}

/// Whether the pipeline contains DeepStream's converter (ours would have answered).
bool HasForeignConverter(GstElement* element) {
  auto* top = GST_OBJECT(gst_object_ref(element));
  while (GstObject* parent = gst_object_get_parent(top)) {
    gst_object_unref(top);
    top = parent;
  }
  bool found = false;
  if (GST_IS_BIN(top)) {
    GstIterator* all = gst_bin_iterate_all_by_element_factory_name(GST_BIN(top), "nvmsgconv");
    GValue one = G_VALUE_INIT;
    found = gst_iterator_next(all, &one) == GST_ITERATOR_OK;
    if (found) g_value_unset(&one);
    gst_iterator_free(all);
  }
  gst_object_unref(top);
  return found;
}

}  // namespace

void InputCheck::Restart() {
  type_.clear();
  own_bytes_ = said_unsent_ = said_cut_ = false;
  next_offset_ = GST_BUFFER_OFFSET_NONE;
}

void InputCheck::SetCaps(const GstCaps* caps) {
  type_ = gst_structure_get_name(gst_caps_get_structure(caps, 0));
  own_bytes_ = type_ == kJson || type_ == "application/x-protobuf" || type_ == "text/x-raw";
}

// ---------------------------------------------------------------- nothing is sent

void InputCheck::Rendered(const RenderCounters& counters) {
  if (counters.rendered == kPatience) ReportUnsent(counters, false);
}

void InputCheck::AtEnd(const RenderCounters& counters) {
  if (counters.rendered > 0) ReportUnsent(counters, true);
}

/// Empty if nothing is wrong, or if the converter itself reports it.
std::string InputCheck::WhyUnsent(const RenderCounters& counters, bool at_end) const {
  const uint64_t filtered = counters.filtered;
  if (filtered > 0) {
    if (!at_end) return {};
    return "comp-id left out every message (" + std::to_string(filtered) +
           "): set it to the comp-id of the converter, or leave it out";
  }
  // Only empty buffers so far: something may still come.
  if (own_bytes_) return at_end ? "all were empty" : "";
  GstPad* pad = gst_element_get_static_pad(element_, "sink");
  const std::optional<uint64_t> made = MessagesOfConverter(pad);
  gst_object_unref(pad);
  if (made) {
    // Before the end, messages may still be on their way, and a camera may have nothing to see.
    if (!at_end || *made == 0) return {};
    return "dsmsgconv made " + std::to_string(*made) +
           " messages that did not arrive: an element between the two drops metadata (put "
           "dsmsgbroker right after dsmsgconv)";
  }
  if (HasForeignConverter(element_))
    return "nvmsgconv attached no message: set its msg2p-newapi=true to convert detected objects, "
           "or attach NvDsEventMsgMeta before it";
  if (type_.empty())
    return std::string(
               "they have no caps: if they are messages, set their type (for example "
               "... ! application/json ! dsmsgbroker ...); ") +
           kOwnTypes + " are sent as they are";
  const bool media =
      type_.starts_with("video/") || type_.starts_with("audio/") || type_.starts_with("image/");
  if (!media)
    return "their type is " + type_ + ", but only " + kOwnTypes +
           " are sent as they are: set one of these caps on the source";
  return "put dsmsgconv before this element (... ! dsmsgconv ! dsmsgbroker ...), with nothing "
         "between the two that drops metadata";
}

void InputCheck::ReportUnsent(const RenderCounters& counters, bool at_end) {
  if (said_unsent_ || counters.payloads > 0) return;
  const std::string why = WhyUnsent(counters, at_end);
  if (why.empty()) return;
  said_unsent_ = true;
  GST_ELEMENT_WARNING(element_, STREAM, WRONG_TYPE,
                      ("%s and none had a message to send: %s",
                       BuffersCame(counters.rendered).c_str(), why.c_str()),
                      ("dsmsgbroker sends messages that dsmsgconv or nvmsgconv attached, and "
                       "buffers of the types %s as they are",
                       kOwnTypes));
}

// ---------------------------------------------------------------- messages in pieces

/// The buffer continues where the previous one ended, and that was as large as a source's block.
bool InputCheck::Continues(GstBuffer* buffer, size_t size) {
  const guint64 begin = GST_BUFFER_OFFSET(buffer), end = GST_BUFFER_OFFSET_END(buffer);
  const bool in_bytes = begin != GST_BUFFER_OFFSET_NONE && end == begin + size;
  const bool continues = in_bytes && begin > 0 && begin == next_offset_;
  next_offset_ = in_bytes && size == kBlock ? end : GST_BUFFER_OFFSET_NONE;
  return continues;
}

void InputCheck::Sending(GstBuffer* buffer, std::string_view bytes) {
  if (said_cut_) return;
  const bool continues = Continues(buffer, bytes.size());
  if (type_ == kJson) {
    if (EndsInsideJson(bytes)) ReportCut(bytes.size(), "ends in the middle of a JSON document");
  } else if (continues) {
    ReportCut(bytes.size(),
              "continues the previous one, from a file that is read 4096 bytes at a time");
  }
}

void InputCheck::ReportCut(size_t size, const char* how) {
  said_cut_ = true;
  GST_ELEMENT_WARNING(
      element_, STREAM, FORMAT,
      ("A buffer of %zu bytes %s: every buffer is sent as a separate message, so this message is "
       "sent in pieces. If filesrc reads it, set blocksize above the size of the file "
       "(filesrc blocksize=16777216 ...)",
       size, how),
      ("type %s; reported once", type_.c_str()));
}

}  // namespace dsmsg
