// SPDX-License-Identifier: Apache-2.0
// Finds DeepStream's own metadata on a buffer, without DeepStream's libraries: the payloads that
// its converter made, and the objects and events of its detectors. deepstream_layout.h has their
// layout; metadata that does not match it, or comes from a release it does not name, is not read.
//
// One thread at a time. What is found belongs to the buffer and lives as long as it does.
#ifndef DSMSG_GST_DEEPSTREAM_READER_H_
#define DSMSG_GST_DEEPSTREAM_READER_H_

#include <gst/gst.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "msgconv/deepstream_release.h"
#include "msgconv/event_reader.h"
#include "msgconv/model.h"
#include "nvmsgconv.h"

namespace dsmsg {

struct DeepStreamPayload {
  const void* data = nullptr;
  size_t size = 0;
  uint32_t component = 0;
};

class DeepStreamReader {
 public:
  DeepStreamReader() = default;
  DeepStreamReader(const DeepStreamReader&) = delete;
  DeepStreamReader& operator=(const DeepStreamReader&) = delete;

  /// Reads the batch of this buffer; false: it has none, or the batch is refused (see refusal()).
  bool Find(GstBuffer* buffer);
  /// The payloads of the batch that Find() has read, in order.
  const std::vector<DeepStreamPayload>& payloads() const { return payloads_; }
  /// The cameras of that batch, once each, in order of their frames.
  const std::vector<uint32_t>& sources() const { return sources_; }
  /// Refills `frame`, whose source is set, with the event metadata attached to its frames.
  bool ReadEvents(msgconv::Frame* frame);
  /// Appends the objects of the frames of `frame->source_id`, and sets the frame's number, time and
  /// sizes. False: this release's objects are not supported (see refusal()).
  bool ReadObjects(msgconv::Frame* frame);
  /// Why metadata was not read; "" if nothing was refused so far.
  const std::string& refusal() const { return refusal_; }

 private:
  using Address = const unsigned char*;
  bool CheckRelease(bool objects);
  bool FindIn(Address batch);
  bool AddPayloads(Address user_list);
  bool AddObject(Address object, msgconv::Frame* frame);
  void SetFrame(msgconv::Frame* frame) const;
  void AddClassifiers(Address list, msgconv::Frame* frame);
  bool Refuse(std::string what);
  /// The elements of a GList; false if it is not a list of this batch's metadata.
  bool List(Address first, std::vector<Address>* elements) const;
  bool IsMeta(Address meta, int32_t type) const;

  std::optional<msgconv::DeepStream> deepstream_;  // asked for when metadata is there
  Address batch_ = nullptr;
  std::vector<Address> frames_;
  std::vector<DeepStreamPayload> payloads_;
  std::vector<uint32_t> sources_;
  std::vector<NvDsEvent> events_;  // of the frame at hand
  std::optional<msgconv::EventReader> event_reader_;
  std::deque<std::string> names_;  // of classifiers, for the current frame
  std::string refusal_;
};

}  // namespace dsmsg

#endif  // DSMSG_GST_DEEPSTREAM_READER_H_
