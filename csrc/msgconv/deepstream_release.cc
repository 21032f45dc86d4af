// SPDX-License-Identifier: Apache-2.0
#include "msgconv/deepstream_release.h"

#include <dlfcn.h>
#include <glib.h>
#include <link.h>

#include <charconv>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>
#include <vector>

#include "msgconv/deepstream_layout.h"

namespace dsmsg::msgconv {
namespace {

// Collected first, because the loader's lock is held in the callback.
int AddPath(dl_phdr_info* info, size_t, void* data) {
  const std::string_view path = info->dlpi_name == nullptr ? "" : info->dlpi_name;
  const size_t slash = path.rfind('/');
  const std::string_view file = slash == std::string_view::npos ? path : path.substr(slash + 1);
  // Not libnvds_msgconv.so or the adaptors: those may be ours.
  if (file.starts_with("libnvds_meta.") || file.starts_with("libnvdsgst_meta.") ||
      file.starts_with("libnvdsgst_helper.") || file.starts_with("libnvds_utils.")) {
    static_cast<std::vector<std::string>*>(data)->emplace_back(path);
  }
  return 0;
}

uint32_t ElementSize(const char* batch, size_t offset) {
  const char* pool = nullptr;
  std::memcpy(&pool, batch + offset, sizeof(pool));
  uint32_t size = 0;
  if (pool != nullptr) std::memcpy(&size, pool + deepstream::pool::kElementSize, sizeof(size));
  return size;
}

/// Has the library make a batch and looks at the size of what it would hold.
void AskSizes(void* library, DeepStream* found) {
  using Create = void* (*)(unsigned frames);
  using Destroy = int (*)(void* batch);
  const auto create = reinterpret_cast<Create>(dlsym(library, "nvds_create_batch_meta"));
  const auto destroy = reinterpret_cast<Destroy>(dlsym(library, "nvds_destroy_batch_meta"));
  if (create == nullptr || destroy == nullptr) return;
  void* const batch = create(1);
  if (batch == nullptr) return;
  const auto* bytes = static_cast<const char*>(batch);
  found->frame_size = ElementSize(bytes, deepstream::batch::kFramePool);
  found->object_size = ElementSize(bytes, deepstream::batch::kObjectPool);
  destroy(batch);
}

void AskTypes(void* library, DeepStream* found) {
  using Type = int32_t (*)(char* name);
  const auto type = reinterpret_cast<Type>(dlsym(library, "nvds_get_user_meta_type"));
  if (type == nullptr) return;
  // The library keeps the pointer for the rest of the process, so it gets GLib's copy of the name.
  const auto number = [type](const char* name) {
    return type(const_cast<char*>(g_intern_string(name)));
  };
  found->frame_analytics = number("NVIDIA.DSANALYTICSFRAME.USER_META");
  found->object_analytics = number("NVIDIA.DSANALYTICSOBJ.USER_META");
}

void AskLibrary(const std::string& path, DeepStream* found) {
  const std::unique_ptr<void, int (*)(void*)> library(dlopen(path.c_str(), RTLD_LAZY | RTLD_NOLOAD),
                                                      [](void* handle) { return dlclose(handle); });
  if (library == nullptr) return;
  if (found->object_size == 0) AskSizes(library.get(), found);
  if (!found->frame_analytics) AskTypes(library.get(), found);
  using Version = void (*)(unsigned* major, unsigned* minor);
  const auto version = reinterpret_cast<Version>(dlsym(library.get(), "nvds_version"));
  if (version == nullptr || found->release) return;
  version(&found->release.emplace().major, &found->release->minor);
}

}  // namespace

std::optional<Release> ParseRelease(std::string_view text) {
  Release release;
  const char* const end = text.data() + text.size();
  const auto [dot, error] = std::from_chars(text.data(), end, release.major);
  if (error != std::errc() || dot == end || *dot != '.') return std::nullopt;
  const auto [stop, minor_error] = std::from_chars(dot + 1, end, release.minor);
  if (minor_error != std::errc() || (stop != end && *stop != '.')) return std::nullopt;
  return release;
}

std::optional<Release> ReleaseInPath(std::string_view path) {
  constexpr std::string_view kFolder = "/deepstream-";
  const size_t at = path.find(kFolder);
  if (at == std::string_view::npos) return std::nullopt;
  path.remove_prefix(at + kFolder.size());
  return ParseRelease(path.substr(0, path.find('/')));
}

std::string Text(Release release) {
  return std::to_string(release.major) + '.' + std::to_string(release.minor);
}

DeepStream FindDeepStream() {
  std::vector<std::string> paths;
  dl_iterate_phdr(AddPath, &paths);
  DeepStream found;
  for (const std::string& path : paths) {
    found.present = true;
    found.how = path;
    AskLibrary(path, &found);
    std::error_code error;
    const std::filesystem::path real = std::filesystem::canonical(path, error);
    if (!found.release) found.release = ReleaseInPath(error ? path : real.string());
    if (found.release && found.object_size != 0) break;
  }
  return found;
}

}  // namespace dsmsg::msgconv
