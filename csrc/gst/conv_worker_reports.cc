// SPDX-License-Identifier: Apache-2.0
// ConvWorker: what it tells the user.
#include <cinttypes>

#include "gst/conv_worker.h"

GST_DEBUG_CATEGORY_EXTERN(dsmsg_conv_debug);
#define GST_CAT_DEFAULT dsmsg_conv_debug

namespace dsmsg {

void ConvWorker::ReportMissingGroups(msgconv::SourceGate::Source* source) {
  if (source->reported) return;
  source->reported = true;
  const msgconv::ConvConfig& config = *config_;
  if (!settings_.msg2p_lib.empty()) return;
  if (config.origin().empty()) {
    GST_INFO_OBJECT(element_,
                    "no config: messages are sent without sensor, place and analyticsModule");
    return;
  }
  const std::string missing =
      config.Missing(frame_.source_id, settings_.payload_type != kPayloadFull);
  if (missing.empty()) return;
  Warn(config.origin() + " has no " + missing + ": messages of source " +
       std::to_string(frame_.source_id) +
       " lack what those groups would add (their number is the source id)");
}

void ConvWorker::ReportDetections(const InputReport& report) {
  if (report.without_parameters > 0 && !told_no_parameters_) {
    told_no_parameters_ = true;
    Warn("regions come without parameters (confidence, tracking id, classes)",
         "A videoconvert that changes the format, or a videoscale, drops the parameters: put the "
         "converter right after the detector, before any conversion");
  }
  if (report.unnamed_class && !told_unnamed_) {
    told_unnamed_ = true;
    Warn("labels has no name for class " + std::to_string(*report.unnamed_class) + ", only " +
         std::to_string(labels_.size()) + " names: such regions keep their own label");
  }
}

void ConvWorker::ReportRefusal() {
  if (const std::string note = input_.TakeNote(); !note.empty() && !told_note_) {
    told_note_ = true;
    GST_ELEMENT_INFO(element_, STREAM, FORMAT, ("%s", note.c_str()), ("%s", note.c_str()));
  }
  if (told_refusal_ || input_.refusal().empty()) return;
  told_refusal_ = true;
  Warn(input_.refusal());
}

void ConvWorker::ReportUnread() {
  if (told_unread_ || input_.unread().empty()) return;
  told_unread_ = true;
  // gst-launch-1.0 prints the details of an INFO, not its text.
  GST_ELEMENT_INFO(element_, STREAM, FORMAT, ("analytics metadata of unknown types is not read"),
                   ("analytics metadata of the types %s is not read: messages do not have it",
                    input_.unread().c_str()));
}

void ConvWorker::ReportNothing() {
  if (counters_.buffers == 0 || counters_.messages > 0 || told_refusal_) return;
  if (counters_.found == 0) {
    ReportUnused();
  } else {
    ReportFiltered();
  }
}

void ConvWorker::ReportUnused() {
  if (counters_.found > 0 || told_unused_) return;
  told_unused_ = true;
  const uint64_t buffers = counters_.buffers;
  if (!settings_.new_api) {
    Warn("no message made from " + std::to_string(buffers) +
         (buffers == 1 ? " buffer" : " buffers") +
         ": with msg2p-newapi=false only event metadata that an application attached is converted, "
         "and there was none (set msg2p-newapi=true to convert the detected objects)");
  } else {
    // gst-launch-1.0 prints the details of an INFO, not its text.
    GST_ELEMENT_INFO(
        element_, STREAM, FAILED,
        ("no detections on the first %" PRIu64 " buffers: nothing to send so far", buffers),
        ("No detections (regions of interest, analytics metadata, DeepStream objects) on the first "
         "%" PRIu64
         " buffers. Perhaps there is nothing to see. Otherwise: is there a detector before the "
         "converter, and no videocrop or videobox (they drop regions) between them?",
         buffers));
  }
}

/// There were objects or events, but the settings left all of them out.
void ConvWorker::ReportFiltered() {
  std::string settings;
  const auto name = [&settings](bool set, const char* property) {
    if (set) settings += (settings.empty() ? "" : ", ") + std::string(property);
  };
  name(settings_.comp_id != 0 && settings_.comp_id != G_MAXUINT, "comp-id");
  name(settings_.events != kEventsNone, "events (which needs objects with a tracking id)");
  name(!settings_.space.empty(), "space (whose events need objects with a tracking id)");
  name(settings_.min_confidence > 0, "min-confidence");
  name(!settings_.msg2p_lib.empty(), "msg2p-lib");
  if (settings.empty()) return;
  const std::string text = "no message made, although " + std::to_string(counters_.found) +
                           " objects and events arrived: left out by " + settings;
  // Uncertain objects may be left out on purpose.
  if (settings == "min-confidence") {
    GST_ELEMENT_INFO(element_, STREAM, FAILED, ("%s", text.c_str()), ("%s", text.c_str()));
  } else {
    Warn(text);
  }
}

void ConvWorker::Warn(const std::string& what, const std::string& details) {
  GST_ELEMENT_WARNING(element_, RESOURCE, SETTINGS, ("%s", what.c_str()), ("%s", details.c_str()));
}

}  // namespace dsmsg
