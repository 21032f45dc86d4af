// SPDX-License-Identifier: Apache-2.0
// The C functions of the contract, compiled into every adaptor: argument checks, handles, exception
// barrier.
#include "core/export/export.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>

#include "core/base/guard.h"
#include "core/base/log_sink.h"
#include "core/export/registry.h"
#include "core/observe/error_kind.h"
#include "core/options/config_parser.h"
#include "core/session/session.h"
#include "dsmsg_ext.h"
#include "nvds_msgapi.h"

#define DSMSG_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

using dsmsg::Ending;
using dsmsg::Registry;
using dsmsg::SendRequest;
using dsmsg::Session;
using dsmsg::Settings;
using dsmsg::Status;

/// Of this thread's last refused call.
thread_local std::string last_error;
thread_local const char* last_error_kind = "";

// A process may exit without disconnecting. Our threads and those of the client libraries then use
// OpenSSL to the very end, so it must not clean up at exit. For the same reason this library
// destroys nothing at exit (tests/abi).
[[maybe_unused]] const int openssl_stays = OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr);

void KeepError(const char* function, const Status& status) {
  last_error = std::string(function) + ": " + status.message();
  last_error_kind = dsmsg::KindName(status);
}

// Logs, keeps for dsmsg_last_error, and answers ERR.
NvDsMsgApiErrorType Refuse(const char* function, const Status& status,
                           dsmsg::Logger* logger = nullptr) {
  KeepError(function, status);
  if (logger != nullptr) {
    logger->Limited(dsmsg::LogLevel::kError, last_error, last_error);
  } else {
    dsmsg::Logger(dsmsg::AdaptorFactory().info->protocol).Error(last_error);
  }
  return NVDS_MSGAPI_ERR;
}

/// For a wrong argument.
NvDsMsgApiErrorType Refuse(const char* function, const std::string& reason,
                           dsmsg::Logger* logger = nullptr) {
  return Refuse(function, Status(dsmsg::Code::kInvalidArgument, reason), logger);
}

NvDsMsgApiErrorType RefuseHandle(const char* function, NvDsMsgApiHandle handle) {
  return Refuse(function, Status(dsmsg::Code::kCancelled, Registry::Get().WhyNot(handle)));
}

template <class Body>
auto Guard(const char* function, decltype(std::declval<Body>()()) failure, Body body) {
  return dsmsg::Guarded(failure, body, [&](const char* what) {
    Refuse(function, Status(dsmsg::Code::kInternal, what));
  });
}

std::string Text(const char* text) { return text == nullptr ? std::string() : std::string(text); }

template <class Body>
NvDsMsgApiErrorType Send(const char* function, NvDsMsgApiHandle handle, const SendRequest& request,
                         bool arguments_ok, Body send) {
  const std::shared_ptr<Session> session = Registry::Get().Find(handle);
  if (!session) return RefuseHandle(function, handle);
  if (!arguments_ok || request.payload.empty()) {
    return Refuse(function, "the payload is NULL or empty, or an argument is malformed",
                  &session->logger());
  }
  const Status status = send(*session);
  if (!status.ok()) KeepError(function, status);
  return dsmsg::ToApi(status);
}

NvDsMsgApiErrorType Subscribe(const char* function, NvDsMsgApiHandle handle,
                              const char* const* topics, int count, dsmsg::Subscription wanted) {
  const std::shared_ptr<Session> session = Registry::Get().Find(handle);
  if (!session) return RefuseHandle(function, handle);
  const bool has_callback = wanted.callback != nullptr || wanted.message_callback != nullptr;
  if (topics == nullptr || count <= 0 || !has_callback) {
    return Refuse(function, "topics, their number and the callback are required",
                  &session->logger());
  }
  for (int i = 0; i < count; ++i) {
    if (topics[i] == nullptr || *topics[i] == '\0') {
      return Refuse(function, "topic " + std::to_string(i) + " is NULL or empty",
                    &session->logger());
    }
    wanted.topics.emplace_back(topics[i]);
  }
  const Status status = session->Subscribe(std::move(wanted));
  return status.ok() ? NVDS_MSGAPI_OK : Refuse(function, status, &session->logger());
}

size_t CopyOut(const std::string& text, char* buffer, size_t size) {
  if (buffer != nullptr && size > 0) {
    const size_t copied = std::min(size - 1, text.size());
    std::memcpy(buffer, text.data(), copied);
    buffer[copied] = '\0';
  }
  return text.size();
}

std::string_view Bytes(const uint8_t* data, size_t size) {
  return data == nullptr ? std::string_view()
                         : std::string_view(reinterpret_cast<const char*>(data), size);
}

}  // namespace

DSMSG_EXPORT NvDsMsgApiHandle nvds_msgapi_connect(char* connection_str,
                                                  nvds_msgapi_connect_cb_t connect_cb,
                                                  char* config_path) {
  return Guard("connect", NvDsMsgApiHandle{nullptr}, [&]() -> NvDsMsgApiHandle {
    NvDsMsgApiHandle handle = Registry::Get().NextHandle();
    auto session = Session::Connect(dsmsg::AdaptorFactory(), Text(connection_str),
                                    Text(config_path), connect_cb, handle);
    if (!session.ok()) {
      Refuse("connect", session.status());
      return nullptr;
    }
    Registry::Get().Add(handle, session.value());
    session.value()->notifier().ConnectReturning();
    return handle;
  });
}

DSMSG_EXPORT NvDsMsgApiErrorType nvds_msgapi_send(NvDsMsgApiHandle h_ptr, char* topic,
                                                  const uint8_t* payload, size_t nbuf) {
  return Guard("send", NVDS_MSGAPI_ERR, [&] {
    SendRequest request;
    if (topic != nullptr) request.topic = topic;
    request.payload = Bytes(payload, nbuf);
    return Send("send", h_ptr, request, true,
                [&](Session& session) { return session.Send(request); });
  });
}

DSMSG_EXPORT NvDsMsgApiErrorType nvds_msgapi_send_async(NvDsMsgApiHandle h_ptr, char* topic,
                                                        const uint8_t* payload, size_t nbuf,
                                                        nvds_msgapi_send_cb_t send_callback,
                                                        void* user_ptr) {
  return Guard("send_async", NVDS_MSGAPI_ERR, [&] {
    SendRequest request;
    if (topic != nullptr) request.topic = topic;
    request.payload = Bytes(payload, nbuf);
    return Send("send_async", h_ptr, request, true, [&](Session& session) {
      return session.SendAsync(request, send_callback, user_ptr);
    });
  });
}

DSMSG_EXPORT NvDsMsgApiErrorType nvds_msgapi_subscribe(NvDsMsgApiHandle h_ptr, char** topics,
                                                       int num_topics,
                                                       nvds_msgapi_subscribe_request_cb_t cb,
                                                       void* user_ctx) {
  return Guard("subscribe", NVDS_MSGAPI_ERR, [&] {
    dsmsg::Subscription wanted;
    wanted.callback = cb;
    wanted.user_ctx = user_ctx;
    return Subscribe("subscribe", h_ptr, topics, num_topics, std::move(wanted));
  });
}

DSMSG_EXPORT void nvds_msgapi_do_work(NvDsMsgApiHandle h_ptr) {
  Guard("do_work", false, [&] {
    const std::shared_ptr<Session> session = Registry::Get().Find(h_ptr);
    if (session) session->DoWork();
    // A host's work thread keeps calling: log it only now and then.
    Registry& registry = Registry::Get();
    if (!session) Refuse("do_work", registry.WhyNot(h_ptr), &registry.log());
    return true;
  });
}

DSMSG_EXPORT NvDsMsgApiErrorType nvds_msgapi_disconnect(NvDsMsgApiHandle h_ptr) {
  return Guard("disconnect", NVDS_MSGAPI_ERR, [&] {
    std::shared_ptr<Session> session = Registry::Get().Find(h_ptr);
    if (!session) return RefuseHandle("disconnect", h_ptr);
    if (session->InCallback()) {
      return Refuse("disconnect", "refused from inside a callback of the same connection",
                    &session->logger());
    }
    session = Registry::Get().Remove(h_ptr);
    if (!session) return RefuseHandle("disconnect", h_ptr);
    const Ending scope(h_ptr, session);
    const Status status = session->Disconnect();
    // The handle is gone: its last words about its messages become this thread's last error.
    if (status.ok()) {
      const bool lost = session->LostAny();
      last_error = lost ? "disconnect: " + session->LastError() : "";
      last_error_kind = lost ? session->LastErrorKind() : "";
    }
    return status.ok() ? NVDS_MSGAPI_OK : Refuse("disconnect", status, &session->logger());
  });
}

DSMSG_EXPORT char* nvds_msgapi_getversion(void) {
  static char version[sizeof dsmsg::kContractVersion];
  std::memcpy(version, dsmsg::kContractVersion, sizeof version);
  return version;
}

DSMSG_EXPORT char* nvds_msgapi_get_protocol_name(void) {
  return const_cast<char*>(dsmsg::AdaptorFactory().info->protocol);
}

DSMSG_EXPORT NvDsMsgApiErrorType nvds_msgapi_connection_signature(char* broker_str, char* cfg,
                                                                  char* output_str, int max_len) {
  return Guard("connection_signature", NVDS_MSGAPI_ERR, [&] {
    constexpr int kNeeded = 65;
    if (output_str == nullptr || max_len <= 0)
      return Refuse("connection_signature", "the output buffer is NULL or has no room");
    output_str[0] = '\0';
    if (max_len < kNeeded)
      return Refuse("connection_signature", "the output buffer needs room for 65 bytes");
    const dsmsg::DriverInfo& info = *dsmsg::AdaptorFactory().info;
    const dsmsg::Result<Settings> settings = Settings::Load(info, Text(broker_str), Text(cfg));
    if (!settings.ok()) {  // connect, which follows, logs the same
      KeepError("connection_signature", settings.status());
      return NVDS_MSGAPI_ERR;
    }
    CopyOut(settings->Signature(info), output_str, static_cast<size_t>(max_len));
    return NVDS_MSGAPI_OK;
  });
}

// ---------------------------------------------------------------- extensions

DSMSG_EXPORT const char* dsmsg_describe(void) {
  return Guard("describe", static_cast<const char*>(""), [] {
    struct Description {
      const std::string text = dsmsg::DescribeJson(*dsmsg::AdaptorFactory().info);
    };
    static dsmsg::PerProcess<Description> description;
    return description.Get().text.c_str();
  });
}

DSMSG_EXPORT size_t dsmsg_stats(NvDsMsgApiHandle h_ptr, char* buffer, size_t size) {
  return Guard("stats", size_t{0}, [&] {
    const std::shared_ptr<Session> session = Ending::Find(h_ptr);
    return CopyOut(session ? session->StatsJson() : "", buffer, size);
  });
}

DSMSG_EXPORT size_t dsmsg_last_error(NvDsMsgApiHandle h_ptr, char* buffer, size_t size) {
  return Guard("last_error", size_t{0}, [&] {
    if (h_ptr == nullptr) return CopyOut(last_error, buffer, size);
    const std::shared_ptr<Session> session = Ending::Find(h_ptr);
    return CopyOut(session ? session->LastError() : "", buffer, size);
  });
}

DSMSG_EXPORT NvDsMsgApiErrorType dsmsg_set_link_callback(NvDsMsgApiHandle h_ptr,
                                                         DsmsgLinkCallback callback,
                                                         void* user_ptr) {
  return Guard("set_link_callback", NVDS_MSGAPI_ERR, [&] {
    const std::shared_ptr<Session> session = Registry::Get().Find(h_ptr);
    if (!session) return RefuseHandle("set_link_callback", h_ptr);
    session->SetLinkCallback(callback, user_ptr);
    return NVDS_MSGAPI_OK;
  });
}

DSMSG_EXPORT NvDsMsgApiErrorType dsmsg_flush(NvDsMsgApiHandle h_ptr, int timeout_ms) {
  return Guard("flush", NVDS_MSGAPI_ERR, [&] {
    const std::shared_ptr<Session> session = Registry::Get().Find(h_ptr);
    if (!session) return RefuseHandle("flush", h_ptr);
    return session->Flush(dsmsg::Millis(std::max(0, timeout_ms))) ? NVDS_MSGAPI_OK
                                                                  : NVDS_MSGAPI_ERR;
  });
}

DSMSG_EXPORT NvDsMsgApiErrorType dsmsg_reload(NvDsMsgApiHandle h_ptr, const char* connection_str,
                                              const char* config_path) {
  return Guard("reload", NVDS_MSGAPI_ERR, [&] {
    const std::shared_ptr<Session> session = Registry::Get().Find(h_ptr);
    if (!session) return RefuseHandle("reload", h_ptr);
    const Status status = session->Reload(Text(connection_str), Text(config_path));
    return status.ok() ? NVDS_MSGAPI_OK : Refuse("reload", status, &session->logger());
  });
}

DSMSG_EXPORT NvDsMsgApiErrorType dsmsg_send_message(NvDsMsgApiHandle h_ptr,
                                                    const DsmsgMessage* message,
                                                    nvds_msgapi_send_cb_t send_callback,
                                                    void* user_ptr) {
  return Guard("send_message", NVDS_MSGAPI_ERR, [&] {
    if (message == nullptr || message->size < offsetof(DsmsgMessage, header_lens)) {
      return Refuse("send_message", "the message is NULL or its size field is too small");
    }
    SendRequest request;
    if (message->topic != nullptr) request.topic = message->topic;
    request.payload = Bytes(message->payload, message->payload_len);
    request.has_key = message->key != nullptr;
    request.key = Bytes(message->key, message->key_len);
    request.timestamp_ms = message->timestamp_ms;
    const size_t* lens = message->size < sizeof(DsmsgMessage) ? nullptr : message->header_lens;
    bool ok = message->headers != nullptr || message->num_headers == 0;
    for (size_t i = 0; ok && i < message->num_headers; ++i) {
      const DsmsgHeader& header = message->headers[i];
      ok = header.name != nullptr && header.value != nullptr;
      if (!ok) break;
      request.headers.emplace_back(header.name, lens == nullptr
                                                    ? std::string_view(header.value)
                                                    : std::string_view(header.value, lens[i]));
    }
    return Send("send_message", h_ptr, request, ok, [&](Session& session) {
      return session.SendAsync(request, send_callback, user_ptr);
    });
  });
}

DSMSG_EXPORT NvDsMsgApiErrorType dsmsg_subscribe_message(NvDsMsgApiHandle h_ptr,
                                                         const char* const* topics, int num_topics,
                                                         DsmsgMessageCallback callback,
                                                         unsigned flags, void* user_ctx) {
  return Guard("subscribe_message", NVDS_MSGAPI_ERR, [&] {
    if ((flags & ~DSMSG_MANUAL_ACK) != 0) {
      return Refuse("subscribe_message", "a flag is unknown (allowed: DSMSG_MANUAL_ACK)");
    }
    dsmsg::Subscription wanted;
    wanted.message_callback = callback;
    wanted.manual_ack = (flags & DSMSG_MANUAL_ACK) != 0;
    wanted.user_ctx = user_ctx;
    return Subscribe("subscribe_message", h_ptr, topics, num_topics, std::move(wanted));
  });
}

DSMSG_EXPORT NvDsMsgApiErrorType dsmsg_ack(NvDsMsgApiHandle h_ptr, uint64_t ack) {
  return Guard("ack", NVDS_MSGAPI_ERR, [&] {
    const std::shared_ptr<Session> session = Registry::Get().Find(h_ptr);
    if (!session) return RefuseHandle("ack", h_ptr);
    if (session->Acknowledge(ack)) return NVDS_MSGAPI_OK;
    return Refuse("ack", "no unacknowledged message has the number " + std::to_string(ack),
                  &session->logger());
  });
}

DSMSG_EXPORT void dsmsg_set_log_callback(DsmsgLogCallback callback) { dsmsg::SetLogSink(callback); }

DSMSG_EXPORT const char* dsmsg_last_error_kind(NvDsMsgApiHandle h_ptr) {
  return Guard("last_error_kind", static_cast<const char*>(""), [&]() -> const char* {
    if (h_ptr == nullptr) return last_error_kind;
    const std::shared_ptr<Session> session = Ending::Find(h_ptr);
    return session ? session->LastErrorKind() : "";
  });
}

DSMSG_EXPORT NvDsMsgApiErrorType dsmsg_check_topic(NvDsMsgApiHandle h_ptr, const char* topic) {
  return Guard("check_topic", NVDS_MSGAPI_ERR, [&] {
    const std::shared_ptr<Session> session = Registry::Get().Find(h_ptr);
    if (!session) return RefuseHandle("check_topic", h_ptr);
    const Status status = session->CheckTopic(Text(topic));
    return status.ok() ? NVDS_MSGAPI_OK : Refuse("check_topic", status, &session->logger());
  });
}

DSMSG_EXPORT size_t dsmsg_check_option(const char* name, const char* value, char* error,
                                       size_t size) {
  size_t failed = 1;  // never 0, which says that all is well
  const auto check = [&] {
    const dsmsg::OptionTable table(dsmsg::AdaptorFactory().info->options);
    const std::optional<std::string_view> text =
        value == nullptr ? std::nullopt : std::optional<std::string_view>(value);
    return CopyOut(dsmsg::CheckOption(table, Text(name), text).message(), error, size);
  };
  dsmsg::Contained([&] { failed = check(); },
                   [&](const char* what) { failed = CopyOut(what, error, size); });
  return failed;
}
