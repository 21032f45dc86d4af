// SPDX-License-Identifier: Apache-2.0
// Messages inside DeepStream's batches: user metadata (NVDS_PAYLOAD_META) of a frame or of the
// batch, made with DeepStream's own functions. There its sink looks for them, and its library
// copies and releases them with the batch.
//
// Attach() holds the batch's own lock, so that the buffer need not be writable: the branches of a
// tee share the batch and see each other's messages. (DeepStream's functions take that lock
// themselves, but read the head of a list before and write it after: two at once lose metadata.)
// OwnBatchPayload() and the objects of this class: one thread at a time.
#ifndef DSMSG_GST_BATCH_PAYLOADS_H_
#define DSMSG_GST_BATCH_PAYLOADS_H_

#include <gst/gst.h>

#include <cstdint>

#include "gst/payload_meta.h"
#include "nvmsgconv.h"

namespace dsmsg {

/// What the user metadata points to. It owns all it points to, all from g_malloc.
struct BatchPayload {
  NvDsPayload payload;  // what DeepStream's sink reads
  guint32 order;        // among the messages of the buffer
  // As in DsmsgPayload. For kDsmsgAnyComponent `payload` has 0.
  guint component_id, source_id;
  DsmsgContentType content_type;
  gchar* partition_key;
  guint64 timestamp_ns;
  guint64 converter;  // who made it, see converter_state.h
};

/// The payload of this user metadata (an NvDsUserMeta of type NVDS_PAYLOAD_META); nullptr if dsmsg
/// did not attach it.
const BatchPayload* OwnBatchPayload(const void* user_meta);

class BatchPayloads {
 public:
  /// Whether messages can be attached to this batch (an NvDsBatchMeta or its audio twin): the
  /// process has DeepStream's metadata library, and the batch has its pool of user metadata.
  bool Usable(const void* batch);
  /// The list is newest first, so attach the last message first. `frame`: one of the batch's
  /// frames; nullptr: the batch itself.
  void Attach(const void* batch, const void* frame, const DsmsgPayload& what, guint32 order,
              guint64 converter);

 private:
  bool FindFunctions();
  void Add(void* batch, void* frame, BatchPayload* payload);

  bool looked_ = false;
  void (*lock_)(void* batch) = nullptr;
  void (*unlock_)(void* batch) = nullptr;
  void* (*acquire_)(void* batch) = nullptr;
  void (*add_to_frame_)(void* frame, void* user_meta) = nullptr;
  void (*add_to_audio_frame_)(void* frame, void* user_meta) = nullptr;
  void (*add_to_batch_)(void* batch, void* user_meta) = nullptr;
};

}  // namespace dsmsg

#endif  // DSMSG_GST_BATCH_PAYLOADS_H_
