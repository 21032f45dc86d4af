// SPDX-License-Identifier: Apache-2.0
#include "host/adaptor_library.h"

#include <dlfcn.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/base/library_error.h"

namespace dsmsg::host {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "libnvds_";
constexpr std::string_view kSuffix = "_proto.so";

/// "kafka" and "azure_edge" are short names; anything with a slash or a dot is a file.
bool IsShortName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
  });
}

std::string FileOfShortName(std::string_view name) {
  std::string file(kPrefix);
  for (char c : name) file += c == '-' ? '_' : static_cast<char>(std::tolower(c));
  return file.append(kSuffix);
}

bool IsFile(const std::string& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

/// The folder of the file that holds this code: a plugin, a library or a program.
std::string OwnFolder() {
  Dl_info info = {};
  if (dladdr(reinterpret_cast<void*>(&OwnFolder), &info) == 0 || info.dli_fname == nullptr)
    return {};
  std::error_code error;
  const fs::path file = fs::canonical(info.dli_fname, error);
  return error ? std::string() : file.parent_path().string();
}

std::string Join(const std::vector<std::string>& words, std::string_view separator) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += separator;
    text += word;
  }
  return text;
}

std::string HowToName() {
  const std::vector<std::string> names = AdaptorLibrary::Available();
  const std::string found =
      names.empty() ? "no adaptor was found in " : "found: " + Join(names, ", ") + ", in ";
  return found + Join(AdaptorLibrary::SearchFolders(), ", ");
}

template <class Function>
bool Find(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

/// Reads a text of unknown length from a function with the return value of snprintf().
template <class Reader>
std::string ReadText(Reader reader) {
  std::string text(4096, '\0');
  // The text may grow between two calls; losing its last bytes does not matter.
  for (int attempt = 0; attempt < 3; ++attempt) {
    const size_t length = reader(text.data(), text.size());
    if (length < text.size()) {
      text.resize(length);
      return text;
    }
    text.assign(length + 1024, '\0');
  }
  return {};
}

}  // namespace

std::vector<std::string> AdaptorLibrary::SearchFolders() {
  std::vector<std::string> folders;
  const auto add = [&folders](std::string folder) {
    if (folder.empty()) return;
    if (std::find(folders.begin(), folders.end(), folder) == folders.end())
      folders.push_back(std::move(folder));
  };
  if (const char* variable = std::getenv("DSMSG_LIB_DIR"); variable != nullptr) {
    std::string_view rest = variable;
    while (!rest.empty()) {
      const size_t colon = std::min(rest.find(':'), rest.size());
      add(std::string(rest.substr(0, colon)));
      rest.remove_prefix(std::min(colon + 1, rest.size()));
    }
  }
  // A plugin is one or two levels (lib/gstreamer-1.0, lib/<machine>/gstreamer-1.0) below the
  // adaptors.
  fs::path own = OwnFolder();
  for (int level = 0; level < 3 && own.has_relative_path(); ++level, own = own.parent_path())
    add(own.string());
  add(DSMSG_INSTALL_LIB_DIR);
  add("/opt/nvidia/deepstream/deepstream/lib");
  return folders;
}

std::vector<std::string> AdaptorLibrary::Available() {
  std::vector<std::string> names;
  for (const std::string& folder : SearchFolders()) {
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      const std::string file = it->path().filename().string();
      if (file.size() <= kPrefix.size() + kSuffix.size()) continue;
      if (!file.starts_with(kPrefix) || !file.ends_with(kSuffix)) continue;
      names.push_back(file.substr(kPrefix.size(), file.size() - kPrefix.size() - kSuffix.size()));
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

Result<std::shared_ptr<const AdaptorLibrary>> AdaptorLibrary::Load(const std::string& name) {
  if (name.empty()) return Status(Code::kInvalidArgument, "no adaptor was named");
  if (name.find('/') != std::string::npos) {
    if (!IsFile(name)) {
      return Status(Code::kInvalidArgument,
                    "cannot load " + name + ": there is no such file (" + HowToName() + ")");
    }
    return Open(name);
  }
  const bool short_name = IsShortName(name);
  const std::string file = short_name ? FileOfShortName(name) : name;
  for (const std::string& folder : SearchFolders()) {
    const std::string path = fs::path(folder) / file;
    if (IsFile(path)) return Open(path);
  }
  if (!short_name) return Open(name);  // the system's own search: LD_LIBRARY_PATH, ld.so.conf
  return Status(Code::kInvalidArgument, "there is no adaptor '" + name + "': no " + file + " (" +
                                            HowToName() + "; DSMSG_LIB_DIR adds a folder)");
}

Result<std::shared_ptr<const AdaptorLibrary>> AdaptorLibrary::Open(const std::string& path) {
  dlerror();
  // LOCAL: several adaptors in one process must not see each other's symbols. NOW: a missing symbol
  // is reported here and not in the middle of a stream.
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* text = dlerror();
    return Status(Code::kInvalidArgument,
                  ExplainLoadError(path, text == nullptr ? "unknown error" : text));
  }
  std::shared_ptr<AdaptorLibrary> library(new AdaptorLibrary(handle, path));
  Status status = library->Resolve();
  if (!status.ok()) return status;
  return std::shared_ptr<const AdaptorLibrary>(std::move(library));
}

Status AdaptorLibrary::Resolve() {
  std::vector<std::string> missing;
  const auto need = [&](const char* name, auto* function) {
    if (!Find(library_, name, function)) missing.emplace_back(name);
  };
  need("nvds_msgapi_connect", &api_.connect);
  need("nvds_msgapi_send", &api_.send);
  need("nvds_msgapi_send_async", &api_.send_async);
  need("nvds_msgapi_subscribe", &api_.subscribe);
  need("nvds_msgapi_do_work", &api_.do_work);
  need("nvds_msgapi_disconnect", &api_.disconnect);
  need("nvds_msgapi_getversion", &api_.getversion);
  need("nvds_msgapi_get_protocol_name", &api_.get_protocol_name);
  need("nvds_msgapi_connection_signature", &api_.connection_signature);
  if (!missing.empty()) {
    return Status(Code::kInvalidArgument,
                  path_ + " is not a protocol adaptor: it lacks " + Join(missing, ", ") +
                      " (an adaptor is a libnvds_<name>_proto.so; was another library named?)");
  }
  Find(library_, "dsmsg_describe", &api_.describe);
  Find(library_, "dsmsg_stats", &api_.stats);
  Find(library_, "dsmsg_last_error", &api_.last_error);
  Find(library_, "dsmsg_set_link_callback", &api_.set_link_callback);
  Find(library_, "dsmsg_flush", &api_.flush);
  Find(library_, "dsmsg_send_message", &api_.send_message);
  Find(library_, "dsmsg_check_topic", &api_.check_topic);
  Find(library_, "dsmsg_check_option", &api_.check_option);
  Find(library_, "dsmsg_subscribe_message", &api_.subscribe_message);
  Find(library_, "dsmsg_ack", &api_.ack);
  const char* name = api_.get_protocol_name();
  protocol_ = name == nullptr || *name == '\0' ? "unknown protocol" : name;
  return {};
}

AdaptorLibrary::~AdaptorLibrary() { dlclose(library_); }

std::string AdaptorLibrary::LastError(NvDsMsgApiHandle handle) const {
  if (api_.last_error == nullptr) return {};
  return ReadText([&](char* out, size_t size) { return api_.last_error(handle, out, size); });
}

std::string AdaptorLibrary::Stats(NvDsMsgApiHandle handle) const {
  if (api_.stats == nullptr) return {};
  return ReadText([&](char* out, size_t size) { return api_.stats(handle, out, size); });
}

}  // namespace dsmsg::host
