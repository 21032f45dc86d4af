// SPDX-License-Identifier: Apache-2.0
// The C functions: argument checks and exception barrier.
#include "nvmsgbroker.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "broker/client_handles.h"
#include "core/base/fork.h"
#include "core/base/guard.h"
#include "core/base/log.h"
#include "host/connection.h"

#define DSMSG_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

using dsmsg::ClientHandles;
using dsmsg::host::Connection;
using dsmsg::host::SendResult;

/// The one logger of the library.
dsmsg::Logger& Log() {
  static dsmsg::PerProcess<dsmsg::Logger> logger;
  return logger.Get("NVMSGBROKER");
}

NvMsgBrokerErrorType Refuse(const char* function, const std::string& reason) {
  const std::string line = std::string(function) + ": " + reason;
  // Rate-limited, because a host may repeat a wrong call for every message.
  Log().Limited(dsmsg::LogLevel::kError, line, line);
  return NV_MSGBROKER_API_ERR;
}

template <class Body>
auto Guard(const char* function, decltype(std::declval<Body>()()) failure, Body body) {
  return dsmsg::Guarded(failure, body, [&](const char* what) { Refuse(function, what); });
}

NvMsgBrokerErrorType RefuseHandle(const char* function, NvMsgBrokerClientHandle handle) {
  return Refuse(function, ClientHandles::Get().WhyNot(handle));
}

NvMsgBrokerClientHandle Connect(char* conn_str, const char* library_name,
                                nv_msgbroker_connect_cb_t connect_cb, char* config) {
  const auto fail = [](const std::string& reason) {
    Log().Error("connect: " + reason);
    return NvMsgBrokerClientHandle{nullptr};
  };
  if (library_name == nullptr || *library_name == '\0')
    return fail("no adaptor was named (broker_proto_lib is NULL or empty)");
  Connection::Options options;
  options.log = &Log();
  if (conn_str != nullptr) options.conn_str = conn_str;
  if (config != nullptr) options.config = config;

  auto settings = dsmsg::host::HostSettings::Load(options.config.value_or(""));
  if (!settings.ok()) return fail(settings.status().message());
  for (const std::string& warning : settings->warnings) Log().Warn(warning);
  options.settings = std::move(settings.value());

  auto library = dsmsg::host::AdaptorLibrary::Load(library_name);
  if (!library.ok()) return fail(library.status().message());
  options.library = library.value();

  const auto entry = ClientHandles::Get().Connect(std::move(options), connect_cb);
  if (!entry.ok()) {
    return fail(library.value()->protocol() + " (" + library.value()->path() +
                "): " + entry.status().message());
  }
  entry->client->notifier->ConnectReturning();
  return entry->client->handle;
}

/// A message that was not taken. Rate-limited by adaptor.
NvMsgBrokerErrorType NotTaken(const Connection& connection, SendResult result) {
  const char* reason = nullptr;
  if (result == SendResult::kTooLarge) reason = "the payload is larger than queue-bytes";
  if (result == SendResult::kFull) {
    reason =
        "the queue stayed full for overflow-timeout (is the broker too slow? see queue-size, "
        "queue-bytes)";
  }
  if (reason != nullptr) {
    Log().Limited(dsmsg::LogLevel::kError, reason + connection.library().path(),
                  "send_async: " + connection.Name() + ": " + reason);
  }
  return result == SendResult::kReconnecting ? NV_MSGBROKER_API_RECONNECTING : NV_MSGBROKER_API_ERR;
}

NvMsgBrokerErrorType Send(NvMsgBrokerClientHandle handle, const NvMsgBrokerClientMsg& message,
                          nv_msgbroker_send_cb_t callback, void* user_ptr) {
  const ClientHandles::Entry entry = ClientHandles::Get().Find(handle);
  if (!entry) return RefuseHandle("send_async", handle);
  if (message.payload == nullptr || message.payload_len == 0)
    return Refuse("send_async", "the payload is NULL or empty");
  Connection& connection = entry.connection();
  if (message.topic == nullptr && !connection.library().ours())
    return Refuse("send_async", connection.Name() + ": this adaptor needs a topic");
  entry.client->notifier->HostCalled();
  const SendResult result = connection.Send(
      entry.client,
      {message.topic, static_cast<const uint8_t*>(message.payload), message.payload_len, {}, 0},
      {callback, user_ptr});
  return result == SendResult::kOk ? NV_MSGBROKER_API_OK : NotTaken(connection, result);
}

NvMsgBrokerErrorType Subscribe(NvMsgBrokerClientHandle handle, char** topics, int count,
                               nv_msgbroker_subscribe_cb_t callback, void* user_ptr) {
  const ClientHandles::Entry entry = ClientHandles::Get().Find(handle);
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
  const bool done =
      entry.connection().Subscribe(entry.client, std::move(names), callback, user_ptr);
  return done ? NV_MSGBROKER_API_OK : NV_MSGBROKER_API_ERR;
}

NvMsgBrokerErrorType Disconnect(NvMsgBrokerClientHandle handle) {
  // Not kept: holding the connection would keep its adaptor's library loaded.
  uint64_t id = 0;
  if (const auto entry = ClientHandles::Get().Find(handle)) id = entry.connection().id();
  if (id == 0) return RefuseHandle("disconnect", handle);
  if (dsmsg::host::CallbackScope::Inside(id))
    return Refuse("disconnect", "called from inside a callback of the same connection");
  const ClientHandles::Entry entry = ClientHandles::Get().Take(handle);
  if (!entry) return RefuseHandle("disconnect", handle);
  entry.client->notifier->Close();
  const dsmsg::Status status =
      Connection::Leave(entry.slot, entry.client,
                        Connection::Clock::now() + entry.connection().settings().flush_timeout);
  if (!status.ok()) Log().Error("disconnect: " + status.message());
  return NV_MSGBROKER_API_OK;
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
