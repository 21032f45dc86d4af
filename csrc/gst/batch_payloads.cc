// SPDX-License-Identifier: Apache-2.0
#include "gst/batch_payloads.h"

#include <dlfcn.h>
#include <link.h>

#include <cstring>
#include <string>
#include <string_view>

#include "msgconv/deepstream_memory.h"

namespace dsmsg {
namespace {

namespace ds = deepstream;

// DeepStream's structures, as far as they are written here; the same in all releases from 6.0 on.
struct BaseMeta {
  void* batch;
  int32_t type;
  const void* context;
  void* (*copy)(void* user_meta, void*);
  void (*release)(void* user_meta, void*);
};
struct UserMeta {
  BaseMeta base;
  void* data;
};
static_assert(sizeof(BaseMeta) == 40 && sizeof(UserMeta) == 48);
constexpr int32_t kSparse4dMessage = 31;
constexpr size_t kUserPool = 80, kMiscInfo = 128;  // in the batch

// What marks a payload as ours. Two of our plugins in one process have to have the same, and
// GLib keeps one copy of a text.
const void* Context() {
  static const gchar* const name = g_intern_static_string("DsmsgBatchPayload1");
  return name;
}

void* Copy(void* user_meta, void*) {
  const auto* from = static_cast<const BatchPayload*>(static_cast<UserMeta*>(user_meta)->data);
  if (from == nullptr) return nullptr;
  auto* to = static_cast<BatchPayload*>(g_memdup2(from, sizeof(BatchPayload)));
  to->payload.payload = g_memdup2(from->payload.payload, from->payload.payloadSize);
  to->partition_key = g_strdup(from->partition_key);
  return to;
}

void Delete(BatchPayload* payload) {
  g_free(payload->payload.payload);
  g_free(payload->partition_key);
  g_free(payload);
}

void Release(void* user_meta, void*) {
  auto* meta = static_cast<UserMeta*>(user_meta);
  if (meta->data != nullptr) Delete(static_cast<BatchPayload*>(meta->data));
  meta->data = nullptr;
}

int FindPath(dl_phdr_info* info, size_t, void* path) {
  const std::string_view name = info->dlpi_name == nullptr ? "" : info->dlpi_name;
  if (!name.substr(name.rfind('/') + 1).starts_with("libnvds_meta.")) return 0;
  *static_cast<std::string*>(path) = name;
  return 1;
}

}  // namespace

const BatchPayload* OwnBatchPayload(const void* user_meta) {
  const auto* meta = static_cast<const UserMeta*>(user_meta);
  return meta->base.context == Context() ? static_cast<const BatchPayload*>(meta->data) : nullptr;
}

bool BatchPayloads::FindFunctions() {
  if (looked_) return acquire_ != nullptr;
  looked_ = true;
  std::string path;
  dl_iterate_phdr(FindPath, &path);
  void* library = path.empty() ? nullptr : dlopen(path.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (library == nullptr) return false;
  const auto find = [library](const char* name, auto* function) {
    *function = reinterpret_cast<std::remove_pointer_t<decltype(function)>>(dlsym(library, name));
    return *function != nullptr;
  };
  const bool all = find("nvds_add_user_meta_to_frame", &add_to_frame_) &&
                   find("nvds_add_user_meta_to_audio_frame", &add_to_audio_frame_) &&
                   find("nvds_add_user_meta_to_batch", &add_to_batch_) &&
                   find("nvds_acquire_meta_lock", &lock_) &&
                   find("nvds_release_meta_lock", &unlock_) &&
                   find("nvds_acquire_user_meta_from_pool", &acquire_);
  dlclose(library);  // who made the batch keeps it
  return all;
}

bool BatchPayloads::Usable(const void* batch) {
  if (!FindFunctions()) return false;
  const auto pool = ds::At<ds::Address>(static_cast<ds::Address>(batch), kUserPool);
  return ds::Plausible(pool) && ds::At<int32_t>(pool, ds::pool::kType) == ds::kUserMeta &&
         ds::At<uint32_t>(pool, ds::pool::kElementSize) == sizeof(UserMeta);
}

void BatchPayloads::Attach(const void* to_batch, const void* to_frame, const DsmsgPayload& what,
                           guint32 order, guint64 converter) {
  void* const batch = const_cast<void*>(to_batch);
  void* const frame = const_cast<void*>(to_frame);
  gsize size = 0;
  const void* bytes = g_bytes_get_data(what.payload, &size);
  auto* payload = g_new0(BatchPayload, 1);
  payload->payload.payload = g_memdup2(bytes, size);
  payload->payload.payloadSize = static_cast<unsigned>(size);
  payload->payload.componentId = what.component_id == kDsmsgAnyComponent ? 0 : what.component_id;
  payload->component_id = what.component_id;
  payload->source_id = what.source_id;
  payload->content_type = what.content_type;
  payload->order = order;
  payload->partition_key = g_strdup(what.partition_key);
  payload->timestamp_ns = what.timestamp_ns;
  payload->converter = converter;
  lock_(batch);
  Add(batch, frame, payload);
  unlock_(batch);
}

void BatchPayloads::Add(void* batch, void* frame, BatchPayload* payload) {
  auto* meta = static_cast<UserMeta*>(acquire_(batch));
  if (meta == nullptr) return Delete(payload);
  meta->data = payload;
  meta->base.type = ds::kPayloadMeta;
  meta->base.context = Context();
  meta->base.copy = Copy;
  meta->base.release = Release;
  if (frame == nullptr) {
    // Without this number DeepStream's sink looks at frames only.
    const int64_t number = kSparse4dMessage;
    std::memcpy(static_cast<char*>(batch) + kMiscInfo, &number, sizeof(number));
    add_to_batch_(batch, meta);
  } else if (static_cast<const BaseMeta*>(frame)->type == ds::kFrameMeta) {
    add_to_frame_(frame, meta);
  } else {
    add_to_audio_frame_(frame, meta);
  }
}

}  // namespace dsmsg
