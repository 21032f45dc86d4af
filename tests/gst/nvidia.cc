// SPDX-License-Identifier: Apache-2.0
#include "nvidia.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace dsmsg_test::nvidia {
namespace {

void* Open(const std::string& name) {
  void* const library = dlopen((Folder() + "/" + name).c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (library != nullptr) return library;
  fprintf(stderr, "DeepStream's metadata library is not there: %s (run scripts/setup test)\n",
          dlerror());
  exit(1);
}

template <class Function>
void Find(void* library, const std::string& name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name.c_str()));
  if (*function != nullptr) return;
  fprintf(stderr, "DeepStream's metadata library has no function %s\n", name.c_str());
  exit(1);
}

Library Load() {
  void* const meta = Open("libnvds_meta.so");
  void* const gst = Open("libnvdsgst_meta.so");
  Library library;
#define DSMSG_FIND(name) Find(meta, "nvds_" #name, &library.name)
  DSMSG_FIND(create_batch_meta);
  DSMSG_FIND(destroy_batch_meta);
  DSMSG_FIND(create_audio_batch_meta);
  DSMSG_FIND(acquire_frame_meta_from_pool);
  DSMSG_FIND(acquire_audio_frame_meta_from_pool);
  DSMSG_FIND(acquire_obj_meta_from_pool);
  DSMSG_FIND(acquire_classifier_meta_from_pool);
  DSMSG_FIND(acquire_label_info_meta_from_pool);
  DSMSG_FIND(acquire_user_meta_from_pool);
  DSMSG_FIND(add_frame_meta_to_batch);
  DSMSG_FIND(add_audio_frame_meta_to_audio_batch);
  DSMSG_FIND(add_obj_meta_to_frame);
  DSMSG_FIND(add_classifier_meta_to_object);
  DSMSG_FIND(add_classifier_meta_to_audio_frame);
  DSMSG_FIND(add_label_info_meta_to_classifier);
  DSMSG_FIND(add_user_meta_to_batch);
  DSMSG_FIND(add_user_meta_to_frame);
  DSMSG_FIND(add_user_meta_to_audio_frame);
  DSMSG_FIND(add_user_meta_to_obj);
  DSMSG_FIND(remove_obj_meta_from_frame);
  DSMSG_FIND(batch_meta_copy_func);
  DSMSG_FIND(audio_batch_meta_copy_func);
  DSMSG_FIND(batch_meta_release_func);
  DSMSG_FIND(audio_batch_meta_release_func);
#undef DSMSG_FIND
  Find(gst, "gst_buffer_add_nvds_meta", &library.gst_buffer_add_nvds_meta);
  return library;
}

void SetText(char (&field)[128], const std::string& text) {
  strncpy(field, text.c_str(), sizeof(field) - 1);
}

}  // namespace

std::string Folder() {
#ifdef __x86_64__
  const char* cache = getenv("XDG_CACHE_HOME");
  const char* home = getenv("HOME");
  const bool set = cache != nullptr && *cache == '/';
  const std::string base = set ? cache : std::string(home == nullptr ? "" : home) + "/.cache";
  return base + "/dsmsg/deepstream-meta-9.0.2";
#else
  return "";
#endif
}

const Library& Get() {
  static const Library library = Load();
  return library;
}

Batch::Batch(uint32_t frames, bool audio)
    : batch_((audio ? Get().create_audio_batch_meta : Get().create_batch_meta)(frames)),
      audio_(audio) {
  batch_->max_frames = frames;  // as the muxer does
}

Batch::~Batch() {
  if (attached_) return;
  (audio_ ? Get().audio_batch_meta_release_func : Get().batch_meta_release_func)(batch_, nullptr);
}

FrameMeta* Batch::AddFrame(uint32_t source, int32_t number) {
  FrameMeta* const frame = Get().acquire_frame_meta_from_pool(batch_);
  frame->source = frame->pad = source;
  frame->number = number;
  Get().add_frame_meta_to_batch(batch_, frame);
  return frame;
}

AudioFrameMeta* Batch::AddSound(uint32_t source, const std::string& label) {
  AudioFrameMeta* const frame = Get().acquire_audio_frame_meta_from_pool(batch_);
  frame->source = source;
  SetText(frame->label, label);
  Get().add_audio_frame_meta_to_audio_batch(batch_, frame);
  return frame;
}

ObjectMeta* Batch::AddObject(FrameMeta* frame, const std::string& label, ObjectMeta* parent) {
  ObjectMeta* const object = Get().acquire_obj_meta_from_pool(batch_);
  SetText(object->label, label);
  Get().add_obj_meta_to_frame(frame, object, parent);
  return object;
}

ClassifierMeta* Batch::AddClassifier(ObjectMeta* object, int32_t component, const char* type) {
  ClassifierMeta* const classifier = Get().acquire_classifier_meta_from_pool(batch_);
  classifier->component = component;
  classifier->type = type;
  Get().add_classifier_meta_to_object(object, classifier);
  return classifier;
}

LabelInfo* Batch::AddLabel(ClassifierMeta* classifier, const std::string& result,
                           float probability) {
  LabelInfo* const label = Get().acquire_label_info_meta_from_pool(batch_);
  SetText(label->result, result);
  label->probability = probability;
  Get().add_label_info_meta_to_classifier(classifier, label);
  return label;
}

UserMeta* Batch::NewUser(int32_t type, void* data) {
  UserMeta* const user = Get().acquire_user_meta_from_pool(batch_);
  user->base.type = type;
  user->base.copy = [](void* meta, void*) { return static_cast<UserMeta*>(meta)->data; };
  user->base.release = [](void*, void*) {};
  user->data = data;
  return user;
}

UserMeta* Batch::AddUser(BatchMeta* batch, int32_t type, void* data) {
  UserMeta* const user = NewUser(type, data);
  Get().add_user_meta_to_batch(batch, user);
  return user;
}

UserMeta* Batch::AddUser(FrameMeta* frame, int32_t type, void* data) {
  UserMeta* const user = NewUser(type, data);
  Get().add_user_meta_to_frame(frame, user);
  return user;
}

UserMeta* Batch::AddUser(AudioFrameMeta* frame, int32_t type, void* data) {
  UserMeta* const user = NewUser(type, data);
  Get().add_user_meta_to_audio_frame(frame, user);
  return user;
}

UserMeta* Batch::AddUser(ObjectMeta* object, int32_t type, void* data) {
  UserMeta* const user = NewUser(type, data);
  Get().add_user_meta_to_obj(object, user);
  return user;
}

GstBuffer* Batch::Attach(GstBuffer* buffer) {
  GstBatchMeta* const meta = Get().gst_buffer_add_nvds_meta(
      buffer, batch_, nullptr,
      audio_ ? Get().audio_batch_meta_copy_func : Get().batch_meta_copy_func,
      audio_ ? Get().audio_batch_meta_release_func : Get().batch_meta_release_func);
  meta->type = kBatchGst;
  attached_ = true;
  return buffer;
}

}  // namespace dsmsg_test::nvidia
