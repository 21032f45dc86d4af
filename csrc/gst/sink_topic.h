// SPDX-License-Identifier: Apache-2.0
// Where the sink's topic comes from, and whether there is one. Any thread.
#ifndef DSMSG_GST_SINK_TOPIC_H_
#define DSMSG_GST_SINK_TOPIC_H_

#include <gst/gst.h>

#include <string>

#include "core/options/topic_template.h"
#include "gst/send_engine.h"
#include "gst/sink_settings.h"

namespace dsmsg {

/// What follows the last ';' of `conn_str` if it is a topic: the third field of host;port;topic.
/// Empty for other forms, and for protocols whose third field is something else.
std::string TopicOfConnStr(const std::string& conn_str, const std::string& protocol);

/// False, with an error on the element's bus that says what to set: without a topic every message
/// would be refused, so this is reported at the start, where an application looks for errors. With
/// a third-party adaptor, which cannot be asked, it is a warning. `topic_template` may be null.
bool CheckSinkTopic(GstElement* element, const SinkSettings& settings, const std::string& topic,
                    const Template* topic_template, const SendEngine& engine);

}  // namespace dsmsg

#endif  // DSMSG_GST_SINK_TOPIC_H_
