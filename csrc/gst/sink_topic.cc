// SPDX-License-Identifier: Apache-2.0
#include "gst/sink_topic.h"

#include <algorithm>
#include <fstream>

GST_DEBUG_CATEGORY_EXTERN(dsmsg_broker_debug);
#define GST_CAT_DEFAULT dsmsg_broker_debug

namespace dsmsg {
namespace {

/// Whether the file has a line that sets an option whose name ends with "topic".
bool NamesTopic(const std::string& config_file) {
  std::ifstream file(config_file);
  for (std::string line; std::getline(file, line);) {
    std::string key = line.substr(0, line.find('='));
    key.erase(std::remove_if(key.begin(), key.end(), [](char c) { return g_ascii_isspace(c); }),
              key.end());
    std::transform(key.begin(), key.end(), key.begin(), g_ascii_tolower);
    const bool comment = key.starts_with('#') || key.starts_with(';');
    if (!comment && key.size() < line.size() && key.ends_with("topic")) return true;
  }
  return false;
}

/// A third-party adaptor may have a topic that we cannot know of, or need none.
void WarnOfForeignTopic(GstElement* element, const SinkSettings& s,
                        const host::AdaptorLibrary& adaptor) {
  if (adaptor.protocol().starts_with("AZURE") || NamesTopic(s.config)) return;
  GST_ELEMENT_WARNING(
      element, RESOURCE, SETTINGS,
      ("No topic is set: unless the %s adaptor has a default topic, no message will be delivered "
       "(set the property topic)",
       adaptor.protocol().c_str()),
      ("adaptor %s has no dsmsg_check_topic, so it cannot be asked", adaptor.path().c_str()));
}

}  // namespace

std::string TopicOfConnStr(const std::string& conn_str, const std::string& protocol) {
  // AMQP's additional fields are user and password, Azure's are key=value pairs.
  if (protocol.starts_with("AMQP") || protocol.starts_with("AZURE")) return {};
  if (std::count(conn_str.begin(), conn_str.end(), ';') != 2) return {};
  return conn_str.substr(conn_str.rfind(';') + 1);
}

bool CheckSinkTopic(GstElement* element, const SinkSettings& s, const std::string& topic,
                    const Template* topic_template, const SendEngine& engine) {
  if (topic_template != nullptr) {
    if (!topic_template->needs_topic() || !topic.empty()) return true;
    GST_ELEMENT_ERROR(element, RESOURCE, SETTINGS,
                      ("topic-template=%s uses ${topic}, but the property topic is not set: set "
                       "topic, or give a default (${topic:-text})",
                       s.topic_template.c_str()),
                      (nullptr));
    return false;
  }
  const host::AdaptorLibrary& adaptor = engine.library();
  const Status status = engine.CheckTopic(topic);
  if (!status.ok()) {
    const bool in_conn_str = !adaptor.protocol().starts_with("AMQP");
    GST_ELEMENT_ERROR(element, RESOURCE, SETTINGS,
                      ("No topic to send to: set the property topic%s, or topic in the group "
                       "[message-broker] of the file that the property config names",
                       in_conn_str ? ", or conn-str to \"host;port;topic\"" : ""),
                      ("%s adaptor: %s", adaptor.protocol().c_str(), status.message().c_str()));
    return false;
  }
  if (!adaptor.ours() && topic.empty()) WarnOfForeignTopic(element, s, adaptor);
  return true;
}

}  // namespace dsmsg
