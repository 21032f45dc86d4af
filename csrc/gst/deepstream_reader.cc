// SPDX-License-Identifier: Apache-2.0
#include "gst/deepstream_reader.h"

#include <algorithm>

#include "gst/batch_payloads.h"
#include "msgconv/deepstream_memory.h"

namespace dsmsg {

namespace ds = deepstream;

namespace {

// DeepStream's library reverses the lists when it copies a batch.
void Sort(std::vector<DeepStreamPayload>* payloads) {
  const auto place = [](const DeepStreamPayload& payload) {
    const BatchPayload* own = OwnBatchPayload(payload.user_meta);
    return own == nullptr ? 0 : own->order;
  };
  std::stable_sort(
      payloads->begin(), payloads->end(),
      [&](const DeepStreamPayload& a, const DeepStreamPayload& b) { return place(a) < place(b); });
}

}  // namespace

bool DeepStreamReader::Accept(const Status& status) {
  if (!status.ok()) refusal_ = status.message();
  return status.ok();
}

bool DeepStreamReader::Find(GstBuffer* buffer) {
  payloads_.clear();
  static const GQuark tag = g_quark_from_static_string(ds::kTag);
  gpointer state = nullptr;
  while (const GstMeta* meta = gst_buffer_iterate_meta(buffer, &state)) {
    if (gst_meta_api_type_has_tag(meta->info->api, tag) == FALSE) continue;
    if (meta->info->size < ds::kGstSize) continue;
    const auto* base = reinterpret_cast<ds::Address>(meta);
    if (ds::At<int32_t>(base, ds::kGstType) != ds::kBatchGstMeta) continue;
    if (Accept(batch_.Open(ds::At<const void*>(base, ds::kGstData))) &&
        Accept(batch_.ReadPayloads(&payloads_))) {
      Sort(&payloads_);
      return true;
    }
    payloads_.clear();
    return false;
  }
  return false;
}

}  // namespace dsmsg
