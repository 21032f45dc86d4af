// SPDX-License-Identifier: Apache-2.0
#include "recording.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <utility>

namespace dsmsg_demo {

dsmsg::Status Recording::Open(const std::string& path, std::string topic) {
  topic_ = std::move(topic);
  file_.open(path, std::ios::binary | std::ios::trunc);
  if (file_.is_open()) return {};
  return {dsmsg::Code::kInternal, "cannot write " + path + " (is its folder there?)"};
}

void Recording::Add(std::string_view payload) {
  if (!file_.is_open()) return;
  rapidjson::StringBuffer line;
  rapidjson::Writer<rapidjson::StringBuffer> json(line);
  json.StartObject();
  json.Key("topic");
  json.String(topic_.data(), static_cast<rapidjson::SizeType>(topic_.size()));
  json.Key("payload");
  json.String(payload.data(), static_cast<rapidjson::SizeType>(payload.size()));
  json.EndObject();
  file_ << line.GetString() << std::endl;  // whole lines, whenever the demo is killed
}

}  // namespace dsmsg_demo
