// SPDX-License-Identifier: Apache-2.0
// Loads an adaptor, ours or a third party's, and resolves the functions of the contract.
#ifndef DSMSG_HOST_ADAPTOR_LIBRARY_H_
#define DSMSG_HOST_ADAPTOR_LIBRARY_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "dsmsg_ext.h"
#include "nvds_msgapi.h"

namespace dsmsg::host {

/// The nine functions of the contract (never null) and our extensions (null if the library has
/// none).
struct AdaptorApi {
  decltype(&nvds_msgapi_connect) connect = nullptr;
  decltype(&nvds_msgapi_send) send = nullptr;
  decltype(&nvds_msgapi_send_async) send_async = nullptr;
  decltype(&nvds_msgapi_subscribe) subscribe = nullptr;
  decltype(&nvds_msgapi_do_work) do_work = nullptr;
  decltype(&nvds_msgapi_disconnect) disconnect = nullptr;
  decltype(&nvds_msgapi_getversion) getversion = nullptr;
  decltype(&nvds_msgapi_get_protocol_name) get_protocol_name = nullptr;
  decltype(&nvds_msgapi_connection_signature) connection_signature = nullptr;

  decltype(&dsmsg_describe) describe = nullptr;
  decltype(&dsmsg_stats) stats = nullptr;
  decltype(&dsmsg_last_error) last_error = nullptr;
  decltype(&dsmsg_set_link_callback) set_link_callback = nullptr;
  decltype(&dsmsg_flush) flush = nullptr;
  decltype(&dsmsg_send_message) send_message = nullptr;
  decltype(&dsmsg_check_topic) check_topic = nullptr;
  decltype(&dsmsg_check_option) check_option = nullptr;
  decltype(&dsmsg_subscribe_message) subscribe_message = nullptr;
  decltype(&dsmsg_ack) ack = nullptr;
};

/// A loaded adaptor library. Created by Load(), unloaded by the destructor: then no call into it
/// may be in progress, and its connections must have ended.
///
/// Threads: immutable after Load(); the functions have the contract's own thread rules. Load() may
/// be called from any thread; dlerror() is per thread.
class AdaptorLibrary {
 public:
  /// `name` is a path, a file name (searched by the system, then in SearchFolders()), or a short
  /// name such as "kafka", which stands for libnvds_kafka_proto.so in SearchFolders(). An error
  /// says what is missing and, if that is a library, which package contains it.
  static Result<std::shared_ptr<const AdaptorLibrary>> Load(const std::string& name);

  /// Where short names are looked up, in this order: $DSMSG_LIB_DIR (several, separated by ':'),
  /// the folder of the library or program this code is part of and the two above it, <prefix>/lib
  /// of the installation, DeepStream's lib folder. Without duplicates.
  static std::vector<std::string> SearchFolders();

  /// Short names of the adaptors found in SearchFolders(), sorted.
  static std::vector<std::string> Available();

  ~AdaptorLibrary();
  AdaptorLibrary(const AdaptorLibrary&) = delete;
  AdaptorLibrary& operator=(const AdaptorLibrary&) = delete;

  const AdaptorApi& api() const { return api_; }
  /// The file that was loaded.
  const std::string& path() const { return path_; }
  /// The library's own protocol name: "KAFKA", ...; never empty.
  const std::string& protocol() const { return protocol_; }
  /// The library is one of ours: do_work waits inside and needs no sleeping host.
  bool ours() const { return api_.describe != nullptr; }

  /// Text of dsmsg_last_error(); with a null handle, that of the calling thread's last refused
  /// call. Empty if the library has no such function or nothing to report.
  std::string LastError(NvDsMsgApiHandle handle) const;
  /// JSON of dsmsg_stats(), or empty.
  std::string Stats(NvDsMsgApiHandle handle) const;

 private:
  AdaptorLibrary(void* library, std::string path) : library_(library), path_(std::move(path)) {}
  static Result<std::shared_ptr<const AdaptorLibrary>> Open(const std::string& path);
  Status Resolve();

  void* const library_;  // of dlopen
  const std::string path_;
  std::string protocol_;
  AdaptorApi api_;
};

}  // namespace dsmsg::host

#endif  // DSMSG_HOST_ADAPTOR_LIBRARY_H_
