// SPDX-License-Identifier: Apache-2.0
// An adaptor as a host sees it: a library loaded with dlopen, and one connection made through it.
// Every call goes through Link, which notes on the calling thread what is being called, so that
// callbacks can tell whether they came where the contract allows them (rules 1, 2 and 7 are checked
// in every test).
//
// Threads: Adaptor is immutable after Load. Link's functions may be called from any thread as far
// as the contract allows it for the adaptor's. Ownership: Adaptor owns the dlopen reference. Link
// owns nothing: who opened it disconnects it.
#ifndef DSMSG_CONFORMANCE_ADAPTOR_H_
#define DSMSG_CONFORMANCE_ADAPTOR_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dsmsg_ext.h"
#include "nvds_msgapi.h"

namespace dsmsg::conformance {

/// The calls that the calling thread is inside of; counts, because a callback may call again.
struct CallState {
  int connect = 0, send = 0, subscribe = 0, work = 0, disconnect = 0;
};
CallState& ThisThread();

/// Broken rules noticed by callbacks, which cannot fail a test by themselves. Any thread.
void NoteViolation(std::string text);
std::vector<std::string> TakeViolations();

/// The functions of one adaptor; extensions that it lacks are null.
struct AdaptorFunctions {
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
  decltype(&dsmsg_reload) reload = nullptr;
  decltype(&dsmsg_send_message) send_message = nullptr;
  decltype(&dsmsg_check_topic) check_topic = nullptr;
  decltype(&dsmsg_subscribe_message) subscribe_message = nullptr;
  decltype(&dsmsg_ack) ack = nullptr;
  decltype(&dsmsg_last_error_kind) last_error_kind = nullptr;
};

class Adaptor {
 public:
  /// Loads as a host does: RTLD_LAZY, RTLD_LOCAL. Throws std::runtime_error with dlerror's text or
  /// the name of the missing function.
  static std::unique_ptr<Adaptor> Load(const std::string& path);
  /// An adaptor inside the process, for measuring a host alone.
  explicit Adaptor(const AdaptorFunctions& functions) : f(functions) {}
  ~Adaptor();
  Adaptor(const Adaptor&) = delete;
  Adaptor& operator=(const Adaptor&) = delete;

  const std::string& path() const { return path_; }
  std::string Signature(const std::string& connection, const std::string& config) const;
  std::string LastError(NvDsMsgApiHandle handle = nullptr) const;

  AdaptorFunctions f;

 private:
  std::string path_;
  void* library_ = nullptr;
};

/// What dsmsg_stats answers, by name; nested objects as "failed.auth".
class Stats {
 public:
  static Stats Parse(const std::string& json);
  uint64_t operator[](std::string_view name) const;  // 0 when absent
  bool Has(std::string_view name) const;
  std::string Text(std::string_view name) const;
  bool link_up() const { return Text("link") == "up"; }
  const std::string& json() const { return json_; }

 private:
  std::string json_;
  std::vector<std::pair<std::string, std::string>> values_;
};

struct Record;

class Link {
 public:
  Link() = default;
  Link(const Adaptor& adaptor, NvDsMsgApiHandle handle) : adaptor_(&adaptor), handle_(handle) {}
  /// std::nullopt stands for a NULL pointer.
  static Link Open(const Adaptor& adaptor, const std::optional<std::string>& connection,
                   const std::optional<std::string>& config,
                   nvds_msgapi_connect_cb_t callback = nullptr);

  bool ok() const { return handle_ != nullptr; }
  NvDsMsgApiHandle handle() const { return handle_; }
  const Adaptor& adaptor() const { return *adaptor_; }

  NvDsMsgApiErrorType Send(const std::string& topic, std::string_view payload) const;
  /// Sends a record of a ledger and notes there whether it was accepted.
  NvDsMsgApiErrorType SendAsync(Record& record) const;
  NvDsMsgApiErrorType SendAsync(char* topic, std::string_view payload,
                                nvds_msgapi_send_cb_t callback, void* user) const;
  NvDsMsgApiErrorType Subscribe(const std::vector<std::string>& topics,
                                nvds_msgapi_subscribe_request_cb_t callback, void* user) const;
  NvDsMsgApiErrorType Reload(const std::string& connection, const std::string& config) const;
  void DoWork() const;
  NvDsMsgApiErrorType Disconnect() const;
  Stats GetStats() const;

 private:
  const Adaptor* adaptor_ = nullptr;
  NvDsMsgApiHandle handle_ = nullptr;
};

}  // namespace dsmsg::conformance

#endif  // DSMSG_CONFORMANCE_ADAPTOR_H_
