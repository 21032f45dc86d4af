// SPDX-License-Identifier: Apache-2.0
// Batches made by NVIDIA's own metadata library (DeepStream 9.0.2), which scripts/setup fetched;
// tests fail without it. The structures are written out here a second time, so that the offsets of
// csrc/msgconv/deepstream_layout.h are checked against the compiler's.
#ifndef DSMSG_TESTS_GST_NVIDIA_H_
#define DSMSG_TESTS_GST_NVIDIA_H_

#include <gst/gst.h>

#include <cstdint>
#include <string>

namespace dsmsg_test::nvidia {

using CopyFunction = void* (*)(void* data, void* context);
using ReleaseFunction = void (*)(void* data, void* context);

enum Type : int32_t {
  kBatchGst = 4097,
  kPayload = 8,
  kEvent = 9,
  kSegmentation = 13,
  kReid = 17,
  kVisibility = 20,
  kImageFoot = 21,
  kWorldFoot = 22,
  kConvexHull = 23,
  kBox3d = 24,
  kCustomBlob = 29,
  kSparse4d = 31,
  kFrameAnalytics = 32,
  kObjectAnalytics = 33,
};

struct BatchMeta;
struct Base {
  BatchMeta* batch;
  int32_t type;
  void* context;
  CopyFunction copy;
  ReleaseFunction release;
};
struct Pool {
  int32_t type;
  uint32_t most, element_size, empty, full;
  GList *empty_list, *full_list;
  CopyFunction copy;
  ReleaseFunction release;
};
struct BatchMeta {
  Base base;
  uint32_t max_frames, frames;
  Pool* pools[6];
  GList *frame_list, *user_list;
  GRecMutex mutex;
  int64_t misc[4], reserved[4];
};
struct FrameMeta {
  Base base;
  uint32_t pad, batch_id;
  int32_t number;
  uint64_t pts, ntp;
  uint32_t source;
  int32_t surfaces;
  uint32_t source_width, source_height, surface_type, surface_index, objects;
  int32_t inferred;
  GList *object_list, *display_list, *user_list;
  int64_t misc[4];
  uint32_t pipeline_width, pipeline_height;
  uint32_t sensor_source;
  const char *sensor_uri, *sensor_id, *sensor_name;
  int64_t reserved[4];
};
struct Color {
  double rgba[4];
};
struct Rectangle {
  float left, top, width, height;
  uint32_t border_width;
  Color border;
  uint32_t has_background, reserved;
  Color background;
  int32_t has_color_info, color_id;
  float rotation;
};
struct MaskParams {
  float* data;
  uint32_t size;
  float threshold;
  uint32_t width, height;
};
struct TextParams {
  char* text;
  uint32_t x, y;
  char* font;
  uint32_t font_size;
  Color font_color;
  int32_t has_background;
  Color background;
};
struct ObjectMeta {
  Base base;
  ObjectMeta* parent;
  int32_t component, class_id;
  uint64_t id;
  float detector_box[4], tracker_box[4];
  float confidence, tracker_confidence;
  Rectangle box;
  MaskParams mask;
  TextParams text;
  char label[128];
  GList *classifiers, *user_list;
  int64_t misc[4], reserved[4];
};
struct ClassifierMeta {
  Base base;
  uint32_t labels;
  int32_t component;
  GList* label_list;
  const char* type;
};
struct LabelInfo {
  Base base;
  uint32_t classes;
  char result[128];
  char* long_result;
  uint32_t class_id, label_id;
  float probability;
};
struct UserMeta {
  Base base;
  void* data;
};
struct AudioFrameMeta {
  Base base;
  uint32_t pad, batch_id;
  int32_t number;
  uint64_t pts, ntp;
  uint32_t source;
  int32_t samples;
  uint32_t rate, channels, format, layout;
  int32_t inferred, class_id;
  float confidence;
  char label[128];
  GList *classifiers, *user_list;
  int64_t misc[4], reserved[4];
};
struct GstBatchMeta {
  GstMeta meta;
  void *data, *user_data;
  int32_t type;
  void* functions[4];
};
struct Payload {
  void* bytes;
  uint32_t size, component;
};
struct CustomBlob {
  void* text;
  uint32_t size;
};
static_assert(sizeof(BatchMeta) == 192 && sizeof(FrameMeta) == 232 && sizeof(ObjectMeta) == 552 &&
              sizeof(ClassifierMeta) == 64 && sizeof(LabelInfo) == 200 && sizeof(UserMeta) == 48 &&
              sizeof(AudioFrameMeta) == 320 && sizeof(GstBatchMeta) == 72);

/// The functions of the library, under NVIDIA's names without "nvds_".
struct Library {
  BatchMeta* (*create_batch_meta)(uint32_t frames);
  int32_t (*destroy_batch_meta)(BatchMeta*);
  BatchMeta* (*create_audio_batch_meta)(uint32_t frames);
  FrameMeta* (*acquire_frame_meta_from_pool)(BatchMeta*);
  AudioFrameMeta* (*acquire_audio_frame_meta_from_pool)(BatchMeta*);
  ObjectMeta* (*acquire_obj_meta_from_pool)(BatchMeta*);
  ClassifierMeta* (*acquire_classifier_meta_from_pool)(BatchMeta*);
  LabelInfo* (*acquire_label_info_meta_from_pool)(BatchMeta*);
  UserMeta* (*acquire_user_meta_from_pool)(BatchMeta*);
  void (*add_frame_meta_to_batch)(BatchMeta*, FrameMeta*);
  void (*add_audio_frame_meta_to_audio_batch)(BatchMeta*, AudioFrameMeta*);
  void (*add_obj_meta_to_frame)(FrameMeta*, ObjectMeta*, ObjectMeta* parent);
  void (*add_classifier_meta_to_object)(ObjectMeta*, ClassifierMeta*);
  void (*add_classifier_meta_to_audio_frame)(AudioFrameMeta*, ClassifierMeta*);
  void (*add_label_info_meta_to_classifier)(ClassifierMeta*, LabelInfo*);
  void (*add_user_meta_to_batch)(BatchMeta*, UserMeta*);
  void (*add_user_meta_to_frame)(FrameMeta*, UserMeta*);
  void (*add_user_meta_to_audio_frame)(AudioFrameMeta*, UserMeta*);
  void (*add_user_meta_to_obj)(ObjectMeta*, UserMeta*);
  void (*remove_obj_meta_from_frame)(FrameMeta*, ObjectMeta*);
  CopyFunction batch_meta_copy_func, audio_batch_meta_copy_func;
  ReleaseFunction batch_meta_release_func, audio_batch_meta_release_func;
  GstBatchMeta* (*gst_buffer_add_nvds_meta)(GstBuffer*, void* data, void* user_data, CopyFunction,
                                            ReleaseFunction);
};

/// The library, loaded on first use. Ends the test program if it is not there.
const Library& Get();
/// Its folder; "": there is none for this kind of machine. main() makes the loader search it.
std::string Folder();

/// A batch under construction. It belongs to the buffer once it is attached, until then to this
/// object.
class Batch {
 public:
  explicit Batch(uint32_t frames, bool audio = false);
  ~Batch();
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  BatchMeta* get() { return batch_; }
  FrameMeta* AddFrame(uint32_t source, int32_t number = 0);
  AudioFrameMeta* AddSound(uint32_t source, const std::string& label);
  ObjectMeta* AddObject(FrameMeta* frame, const std::string& label, ObjectMeta* parent = nullptr);
  ClassifierMeta* AddClassifier(ObjectMeta* object, int32_t component, const char* type = nullptr);
  LabelInfo* AddLabel(ClassifierMeta* classifier, const std::string& result,
                      float probability = 0.5F);
  /// `data` lives as long as the batch and its copies, unless there are functions for it.
  UserMeta* AddUser(BatchMeta* batch, int32_t type, void* data);
  UserMeta* AddUser(FrameMeta* frame, int32_t type, void* data);
  UserMeta* AddUser(AudioFrameMeta* frame, int32_t type, void* data);
  UserMeta* AddUser(ObjectMeta* object, int32_t type, void* data);
  /// Attaches it to the buffer, which is returned.
  GstBuffer* Attach(GstBuffer* buffer);

 private:
  UserMeta* NewUser(int32_t type, void* data);

  BatchMeta* batch_;
  const bool audio_;
  bool attached_ = false;
};

}  // namespace dsmsg_test::nvidia

#endif  // DSMSG_TESTS_GST_NVIDIA_H_
