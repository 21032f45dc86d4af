// SPDX-License-Identifier: Apache-2.0
// The C functions: argument checks and exception barrier.
#include "nvmsgbroker.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "broker/client_settings.h"
#include "broker/loader.h"
#include "broker/registry.h"
#include "core/base/guard.h"

#define DSMSG_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

using dsmsg::BrokerLog;
using dsmsg::Connection;
using dsmsg::Registry;

NvMsgBrokerErrorType Refuse(const char* function, const std::string& reason) {
  const std::string line = std::string(function) + ": " + reason;
  // Rate-limited, because a host may repeat a wrong call for every message.
  BrokerLog().Limited(dsmsg::LogLevel::kError, line, line);
  return NV_MSGBROKER_API_ERR;
}

template <class Body>
auto Guard(const char* function, decltype(std::declval<Body>()()) failure, Body body) {
  return dsmsg::Guarded(failure, body, [&](const char* what) { Refuse(function, what); });
}

NvMsgBrokerErrorType RefuseHandle(const char* function, NvMsgBrokerClientHandle handle) {
  return Refuse(function, Registry::Get().WhyNot(handle));
}

NvMsgBrokerClientHandle Connect(char* conn_str, const char* library_name,
                                nv_msgbroker_connect_cb_t connect_cb, char* config) {
  const auto fail = [](const std::string& reason) {
    BrokerLog().Error("connect: " + reason);
    return NvMsgBrokerClientHandle{nullptr};
  };
  if (library_name == nullptr || *library_name == '\0')
    return fail("no adaptor was named (broker_proto_lib is NULL or empty)");
  Connection::Options options;
  options.has_conn_str = conn_str != nullptr;
  if (conn_str != nullptr) options.conn_str = conn_str;
  options.has_config = config != nullptr;
  if (config != nullptr) options.config = config;

  auto settings = dsmsg::ClientSettings::Load(options.config);
  if (!settings.ok()) return fail(settings.status().message());
  for (const std::string& warning : settings->warnings) BrokerLog().Warn(warning);
  options.settings = std::move(settings.value());

  auto library = dsmsg::AdaptorLibrary::Load(library_name);
  if (!library.ok()) return fail(library.status().message());
  options.library = std::move(library.value());

  const auto entry = Registry::Get().Connect(std::move(options), connect_cb);
  if (!entry.ok()) return fail(entry.status().message());
  entry->client->notifier->ConnectReturning();
  return entry->client->handle;
}

NvMsgBrokerErrorType Send(NvMsgBrokerClientHandle handle, const NvMsgBrokerClientMsg& message,
                          nv_msgbroker_send_cb_t callback, void* user_ptr) {
  const Registry::Entry entry = Registry::Get().Find(handle);
  if (!entry) return RefuseHandle("send_async", handle);
  if (message.payload == nullptr || message.payload_len == 0)
    return Refuse("send_async", "the payload is NULL or empty");
  entry.client->notifier->HostCalled();
  return entry.connection->Send(entry.client, message, callback, user_ptr);
}

NvMsgBrokerErrorType Subscribe(NvMsgBrokerClientHandle handle, char** topics, int count,
                               nv_msgbroker_subscribe_cb_t callback, void* user_ptr) {
  const Registry::Entry entry = Registry::Get().Find(handle);
  if (!entry) return RefuseHandle("subscribe", handle);
  if (topics == nullptr || count <= 0 || callback == nullptr)
    return Refuse("subscribe", "topics or callback is NULL, or there is no topic");
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) {
    if (topics[i] == nullptr || *topics[i] == '\0')
      return Refuse("subscribe", "topic " + std::to_string(i) + " is NULL or empty");
    if (std::find(names.begin(), names.end(), topics[i]) == names.end())
      names.emplace_back(topics[i]);
  }
  entry.client->notifier->HostCalled();
  return entry.connection->Subscribe(entry.client, std::move(names), callback, user_ptr);
}

NvMsgBrokerErrorType Disconnect(NvMsgBrokerClientHandle handle) {
  // Only looked at: keeping the connection would keep its adaptor's library loaded.
  uint64_t id = 0;
  if (const Registry::Entry entry = Registry::Get().Find(handle)) id = entry.connection->id();
  if (id == 0) return RefuseHandle("disconnect", handle);
  if (dsmsg::CallbackScope::Inside(id))
    return Refuse("disconnect", "called from inside a callback of the same connection");
  return Registry::Get().Disconnect(handle) ? NV_MSGBROKER_API_OK
                                            : RefuseHandle("disconnect", handle);
}

}  // namespace

DSMSG_EXPORT NvMsgBrokerClientHandle nv_msgbroker_connect(char* broker_conn_str,
                                                          char* broker_proto_lib,
                                                          nv_msgbroker_connect_cb_t connect_cb,
                                                          char* cfg) {
  return Guard("connect", NvMsgBrokerClientHandle{nullptr},
               [&] { return Connect(broker_conn_str, broker_proto_lib, connect_cb, cfg); });
}

DSMSG_EXPORT NvMsgBrokerErrorType nv_msgbroker_send_async(NvMsgBrokerClientHandle h_ptr,
                                                          NvMsgBrokerClientMsg message,
                                                          nv_msgbroker_send_cb_t cb,
                                                          void* user_ctx) {
  return Guard("send_async", NV_MSGBROKER_API_ERR,
               [&] { return Send(h_ptr, message, cb, user_ctx); });
}

DSMSG_EXPORT NvMsgBrokerErrorType nv_msgbroker_subscribe(NvMsgBrokerClientHandle h_ptr,
                                                         char** topics, int num_topics,
                                                         nv_msgbroker_subscribe_cb_t cb,
                                                         void* user_ctx) {
  return Guard("subscribe", NV_MSGBROKER_API_ERR,
               [&] { return Subscribe(h_ptr, topics, num_topics, cb, user_ctx); });
}

DSMSG_EXPORT NvMsgBrokerErrorType nv_msgbroker_disconnect(NvMsgBrokerClientHandle h_ptr) {
  return Guard("disconnect", NV_MSGBROKER_API_ERR, [&] { return Disconnect(h_ptr); });
}

DSMSG_EXPORT char* nv_msgbroker_version(void) {
  static char version[] = NV_MSGBROKER_VERSION;
  return version;
}
