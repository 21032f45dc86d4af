// SPDX-License-Identifier: Apache-2.0
#include "gst/sink_stats.h"

#include <rapidjson/document.h>

namespace dsmsg {
namespace {

void AddValues(GstStructure* stats, const std::string& prefix, const rapidjson::Value& object,
               int depth) {
  for (const auto& member : object.GetObject()) {
    std::string name = prefix + member.name.GetString();
    for (char& c : name) {
      if (c == '_') c = '-';
    }
    const rapidjson::Value& value = member.value;
    if (value.IsBool()) {
      gst_structure_set(stats, name.c_str(), G_TYPE_BOOLEAN, value.GetBool() ? TRUE : FALSE,
                        nullptr);
    } else if (value.IsUint64()) {
      gst_structure_set(stats, name.c_str(), G_TYPE_UINT64, value.GetUint64(), nullptr);
    } else if (value.IsInt64()) {
      gst_structure_set(stats, name.c_str(), G_TYPE_INT64, value.GetInt64(), nullptr);
    } else if (value.IsDouble()) {
      gst_structure_set(stats, name.c_str(), G_TYPE_DOUBLE, value.GetDouble(), nullptr);
    } else if (value.IsString()) {
      gst_structure_set(stats, name.c_str(), G_TYPE_STRING, value.GetString(), nullptr);
    } else if (value.IsObject() && depth > 0) {
      AddValues(stats, name + "-", value, depth - 1);
    }
  }
}

}  // namespace

GstStructure* MakeSinkStats(const RenderCounters& rendered, const SendEngine::Counters& sent,
                            const std::string& adaptor_json) {
  GstStructure* stats = gst_structure_new(
      "dsmsgbroker-stats", "rendered", G_TYPE_UINT64, rendered.rendered.load(), "payloads",
      G_TYPE_UINT64, rendered.payloads.load(), "filtered", G_TYPE_UINT64, rendered.filtered.load(),
      "missing-fields", G_TYPE_UINT64, rendered.missing_fields.load(), "queued", G_TYPE_UINT64,
      sent.queued, "sent", G_TYPE_UINT64, sent.sent, "ok", G_TYPE_UINT64, sent.ok, "failed",
      G_TYPE_UINT64, sent.failed, "pending", G_TYPE_UINT64, sent.pending, nullptr);
  if (adaptor_json.empty()) return stats;
  rapidjson::Document document;
  if (document.Parse(adaptor_json.data(), adaptor_json.size()).HasParseError() ||
      !document.IsObject())
    return stats;
  AddValues(stats, "adaptor-", document, 1);
  gst_structure_set(stats, "adaptor-json", G_TYPE_STRING, adaptor_json.c_str(), nullptr);
  return stats;
}

}  // namespace dsmsg
