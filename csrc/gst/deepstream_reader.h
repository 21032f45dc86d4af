// SPDX-License-Identifier: Apache-2.0
// Finds DeepStream's own metadata on a buffer, without DeepStream's libraries, and reads it with
// msgconv::MetaReader. Metadata that does not look right is not read.
//
// One thread at a time. What is found belongs to the buffer and lives as long as it does.
#ifndef DSMSG_GST_DEEPSTREAM_READER_H_
#define DSMSG_GST_DEEPSTREAM_READER_H_

#include <gst/gst.h>

#include <string>
#include <vector>

#include "msgconv/meta_reader.h"

namespace dsmsg {

using DeepStreamPayload = msgconv::AttachedPayload;

class DeepStreamReader {
 public:
  /// Reads the batch of this buffer; false: it has none, or the batch is refused (see refusal()).
  bool Find(GstBuffer* buffer);
  /// The batch that Find() has found.
  msgconv::MetaReader& batch() { return batch_; }
  /// The payloads of that batch: others' in the order of their lists, then dsmsg's as they were
  /// made.
  const std::vector<DeepStreamPayload>& payloads() const { return payloads_; }
  /// Notes a refusal; true if nothing was refused.
  bool Accept(const Status& status);
  /// Why metadata was not read; "" if nothing was refused so far.
  const std::string& refusal() const { return refusal_; }

 private:
  msgconv::MetaReader batch_;
  std::vector<DeepStreamPayload> payloads_;
  std::string refusal_;
};

}  // namespace dsmsg

#endif  // DSMSG_GST_DEEPSTREAM_READER_H_
