// SPDX-License-Identifier: Apache-2.0
// From DeepStream's batch metadata to the converter's model, without DeepStream's headers or
// libraries (deepstream_layout.h). The layout is determined from the batch: its pools state the
// size of what they hold. Metadata that contradicts itself is not read, and the error says what was
// unexpected.
//
// One thread at a time. Texts in frames belong to the batch, and to the reader until the next
// Describe(). A frame is what the batch calls one: several of one source are several frames.
#ifndef DSMSG_MSGCONV_META_READER_H_
#define DSMSG_MSGCONV_META_READER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/status.h"
#include "msgconv/deepstream_layout.h"
#include "msgconv/event_reader.h"
#include "msgconv/model.h"
#include "nvmsgconv.h"

namespace dsmsg::msgconv {

/// A message that a converter of DeepStream's attached; the bytes belong to the batch.
struct AttachedPayload {
  const void* data = nullptr;
  size_t size = 0;
  uint32_t component = 0;
  const void* user_meta = nullptr;  // NvDsUserMeta
};

class MetaReader {
 public:
  /// `deepstream`: that of the process; nullopt: it is looked for when something depends on it.
  explicit MetaReader(std::optional<DeepStream> deepstream = {})
      : deepstream_(std::move(deepstream)) {}
  MetaReader(const MetaReader&) = delete;
  MetaReader& operator=(const MetaReader&) = delete;

  /// Whether a classifier's result without text is read, too: some readers of messages count
  /// places.
  void KeepEmptyResults(bool keep) { keep_empty_results_ = keep; }

  /// Examines a batch (NvDsBatchMeta), of pictures or of sound.
  Status Open(const void* batch);
  /// The same with the batch of this frame (NvDsFrameMeta or NvDsAudioFrameMeta), which is then the
  /// only one.
  Status OpenFrame(const void* frame);

  /// Frames of what was opened, in order. A detector in space (Sparse4D) gives one for its scene
  /// instead of those of the cameras.
  size_t size() const { return scenes_.empty() ? frames_.size() : scenes_.size(); }
  /// NvDsBatchMeta.
  const void* batch() const { return batch_; }
  uint32_t Source(size_t index) const;
  int64_t Number(size_t index) const;
  /// NvDsFrameMeta; NULL for a scene.
  const void* FrameMeta(size_t index) const;
  bool has_scenes() const { return !scenes_.empty(); }
  bool is_sound() const { return audio_; }

  /// Sets number, time, sizes and the names of the camera; what is unknown stays as it is.
  void Describe(size_t index, Frame* frame);
  /// Describes the frame, and appends its objects, custom messages and counts, in the order in
  /// which they were attached. After an error there is nothing of them.
  Status ReadObjects(size_t index, Frame* frame);
  /// Appends one object (NvDsObjectMeta) of a frame that was described.
  Status ReadObject(const void* object, Frame* frame);
  /// Refills the frame with the events attached to it, in the order in which they were attached.
  Status ReadEvents(size_t index, Frame* frame);
  /// Refills the list with the frame's objects (NvDsObjectMeta) or with its events, in the order in
  /// which they were attached. A frame of sound has no objects.
  Status ListObjects(size_t index, std::vector<const unsigned char*>* objects) const;
  Status ListEvents(size_t index, std::vector<NvDsEvent>* events) const;
  /// Appends the payloads of all frames and of the batch, in the order of their lists.
  Status ReadPayloads(std::vector<AttachedPayload>* payloads) const;

  /// What a user should know about what was opened since the last call; "" if nothing.
  std::string TakeNote() { return std::exchange(note_, {}); }

 private:
  using Address = const unsigned char*;
  Status FindLayout();
  Status FindAudioLayout(int32_t type, size_t frame_size);
  Status UnknownSize(const char* what, size_t size) const;
  Status Wrong(const std::string& what) const;
  void FindTypes();
  Status FindBatchUsers();
  Address SceneEnd(size_t index) const;
  Address UserList(Address frame) const;
  Status AddPayloads(Address user_list, std::vector<AttachedPayload>* payloads) const;

  Status AddObjects(size_t index, Frame* to);
  Status AddSound(Address frame, Frame* to);
  Status AddScene(size_t index, Frame* to);
  Status AddClassifiers(Address list, Frame* to, Object* object);
  Status AddMask(Address object_meta, Frame* to, Object* object) const;
  Status AddFrameUsers(Address frame, Frame* to);
  Status AddObjectUsers(Address object_meta, Frame* to, Object* object) const;
  bool AddObjectUser(int32_t type, Address data, Frame* to, Object* object) const;
  EventReader& Events();
  const DeepStream& Here();

  Address batch_ = nullptr;
  bool audio_ = false, keep_empty_results_ = false;
  size_t frame_size_ = 0, object_size_ = 0;
  const deepstream::Layout* layout_ = nullptr;  // NULL: the objects' layout is unknown
  deepstream::UserTypes types_;
  Address embeddings_ = nullptr;  // NvDsReidTensorBatch of the batch
  std::vector<Address> frames_, scenes_;
  std::vector<Address> elements_, classifiers_, labels_;  // kept for their memory
  std::vector<NvDsEvent> events_;
  std::optional<DeepStream> deepstream_;  // of the process
  size_t events_frame_size_ = 0, events_object_size_ = 0;
  std::optional<EventReader> event_reader_;  // for structures of these sizes
  std::deque<std::string> names_;
  std::string note_;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_META_READER_H_
