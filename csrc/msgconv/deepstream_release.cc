// SPDX-License-Identifier: Apache-2.0
#include "msgconv/deepstream_release.h"

#include <dlfcn.h>
#include <link.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <system_error>
#include <vector>

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

std::optional<Release> AskLibrary(const std::string& path) {
  const std::unique_ptr<void, int (*)(void*)> library(dlopen(path.c_str(), RTLD_LAZY | RTLD_NOLOAD),
                                                      [](void* handle) { return dlclose(handle); });
  if (library == nullptr) return std::nullopt;
  using Function = void (*)(unsigned* major, unsigned* minor);
  const auto version = reinterpret_cast<Function>(dlsym(library.get(), "nvds_version"));
  if (version == nullptr) return std::nullopt;
  Release release;
  version(&release.major, &release.minor);
  return release;
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

DeepStream FindDeepStream() {
  if (const char* said = std::getenv("DSMSG_DEEPSTREAM_VERSION"); said != nullptr && *said != 0) {
    return {true, ParseRelease(said), std::string("DSMSG_DEEPSTREAM_VERSION=") + said};
  }
  std::vector<std::string> paths;
  dl_iterate_phdr(AddPath, &paths);
  DeepStream found;
  for (const std::string& path : paths) {
    found.present = true;
    found.how = path;
    std::error_code error;
    const std::filesystem::path real = std::filesystem::canonical(path, error);
    found.release = AskLibrary(path);
    if (!found.release) found.release = ReleaseInPath(error ? path : real.string());
    if (found.release) break;
  }
  return found;
}

}  // namespace dsmsg::msgconv
