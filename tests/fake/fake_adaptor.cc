// SPDX-License-Identifier: Apache-2.0
// Variants: FAKE_EXTENSIONS has the dsmsg_* functions, so that a host takes it for one of ours;
// FAKE_WITHOUT_DO_WORK lacks one of the nine; FAKE_NEEDS_ABSENT needs a library that is not found.
#include "fake_adaptor.h"

#include <algorithm>
#include <cstring>
#include <optional>

#define FAKE_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

using fake::Control;
using Lock = std::unique_lock<std::mutex>;

Control& Get() {
  static auto* const control = new Control;
  return *control;
}

std::shared_ptr<fake::Connection> Find(NvDsMsgApiHandle handle) {
  const auto found = Get().state.connections.find(handle);
  return found == Get().state.connections.end() ? nullptr : found->second;
}

void CallBack(Lock& lock, fake::Connection& connection, size_t most, bool all,
              std::optional<NvDsMsgApiErrorType> always = std::nullopt) {
  fake::State& state = Get().state;
  for (size_t count = 0; count < most && !connection.waiting.empty(); ++count) {
    const fake::Waiting send = connection.waiting.front();
    if (!all && std::chrono::steady_clock::now() - send.since < state.latency) break;
    connection.waiting.pop_front();
    NvDsMsgApiErrorType code = always.value_or(state.completion);
    if (send.payload == state.poison) code = NVDS_MSGAPI_ERR;
    if (code == NVDS_MSGAPI_OK) state.received.insert(send.payload);
    lock.unlock();
    if (send.callback != nullptr) send.callback(send.user_ptr, code);
    lock.lock();
  }
}

NvDsMsgApiErrorType Send(NvDsMsgApiHandle handle, fake::Message message,
                         nvds_msgapi_send_cb_t callback, void* user_ptr) {
  Control& c = Get();
  Lock lock(c.mutex);
  c.state.callers.insert(std::this_thread::get_id());
  ++c.state.sends_waiting;
  c.changed.notify_all();
  c.changed.wait(lock, [&] { return !c.state.hold_sends; });
  --c.state.sends_waiting;
  c.changed.notify_all();
  const auto connection = Find(handle);
  if (connection == nullptr) return NVDS_MSGAPI_ERR;
  if (c.state.refuse_sends > 0) {
    --c.state.refuse_sends;
    return NVDS_MSGAPI_ERR;
  }
  connection->waiting.push_back(
      {message.payload, callback, user_ptr, std::chrono::steady_clock::now()});
  c.state.messages.push_back(std::move(message));
  if (c.state.callback_at_once) CallBack(lock, *connection, 1, true);
  return NVDS_MSGAPI_OK;
}

[[maybe_unused]] size_t Copy(const std::string& text, char* out, size_t size) {
  if (out != nullptr && size > 0) {
    const size_t length = std::min(size - 1, text.size());
    std::memcpy(out, text.data(), length);
    out[length] = '\0';
  }
  return text.size();
}

}  // namespace

FAKE_EXPORT Control* fake_control() { return &Get(); }

#ifdef FAKE_NEEDS_ABSENT
extern "C" int dsmsg_absent();
FAKE_EXPORT int fake_absent() { return dsmsg_absent(); }
#endif

FAKE_EXPORT NvDsMsgApiHandle nvds_msgapi_connect(char* conn_str, nvds_msgapi_connect_cb_t callback,
                                                 char* config) {
  Control& c = Get();
  Lock lock(c.mutex);
  ++c.state.connects_waiting;
  c.changed.notify_all();
  c.changed.wait(lock, [&] { return !c.state.hold_connects; });
  --c.state.connects_waiting;
  c.state.connect_arguments.emplace_back(conn_str == nullptr ? "(null)" : conn_str,
                                         config == nullptr ? "(null)" : config);
  NvDsMsgApiHandle handle = nullptr;
  if (c.state.refuse_connects > 0) {
    --c.state.refuse_connects;
    ++c.state.refused_connects;
  } else {
    auto connection = std::make_shared<fake::Connection>();
    connection->connect_cb = callback;
    ++c.state.connects;
    handle = c.state.handle = connection.get();
    c.state.connections[handle] = std::move(connection);
    if (std::exchange(c.state.event_in_connect, false)) {
      lock.unlock();
      callback(handle, NVDS_MSGAPI_EVT_DISCONNECT);
      lock.lock();
    }
  }
  c.changed.notify_all();
  return handle;
}

FAKE_EXPORT NvDsMsgApiErrorType nvds_msgapi_send(NvDsMsgApiHandle, char*, const uint8_t*, size_t) {
  return NVDS_MSGAPI_ERR;
}

FAKE_EXPORT NvDsMsgApiErrorType nvds_msgapi_send_async(NvDsMsgApiHandle handle, char* topic,
                                                       const uint8_t* payload, size_t nbuf,
                                                       nvds_msgapi_send_cb_t callback,
                                                       void* user_ptr) {
  fake::Message message;
  message.has_topic = topic != nullptr;
  if (topic != nullptr) message.topic = topic;
  message.payload.assign(reinterpret_cast<const char*>(payload), nbuf);
  return Send(handle, std::move(message), callback, user_ptr);
}

FAKE_EXPORT NvDsMsgApiErrorType nvds_msgapi_subscribe(NvDsMsgApiHandle handle, char** topics,
                                                      int count,
                                                      nvds_msgapi_subscribe_request_cb_t callback,
                                                      void* user_ptr) {
  Control& c = Get();
  Lock lock(c.mutex);
  c.state.callers.insert(std::this_thread::get_id());
  const auto connection = Find(handle);
  ++c.state.subscribes;
  c.changed.notify_all();
  c.changed.wait(lock, [&] { return !c.state.hold_subscribes; });
  if (connection == nullptr) return NVDS_MSGAPI_ERR;
  if (c.state.refuse_subscribes > 0) {
    --c.state.refuse_subscribes;
#ifndef FAKE_EXTENSIONS
    // As third-party adaptors may do: it drops the subscription and keeps the refused callback.
    // Ours keep what was in force (servers_test.cc shows it).
    connection->topics.clear();
    connection->subscribe_cb = callback;
    connection->subscribe_ptr = user_ptr;
#endif
    return NVDS_MSGAPI_ERR;
  }
  connection->topics.assign(topics, topics + count);
  connection->subscribe_cb = callback;
  connection->subscribe_ptr = user_ptr;
  return NVDS_MSGAPI_OK;
}

#ifndef FAKE_WITHOUT_DO_WORK
FAKE_EXPORT void nvds_msgapi_do_work(NvDsMsgApiHandle handle) {
  Control& c = Get();
  Lock lock(c.mutex);
  c.state.callers.insert(std::this_thread::get_id());
  ++c.state.do_works;
  const auto connection = Find(handle);
  if (connection == nullptr) return;
#ifdef FAKE_EXTENSIONS
  c.changed.wait_for(lock, std::chrono::milliseconds(50),
                     [&] { return !connection->waiting.empty() && !c.state.hold_completions; });
#endif
  if (!c.state.hold_completions) CallBack(lock, *connection, c.state.per_work, false);
  c.changed.notify_all();
}
#endif

FAKE_EXPORT NvDsMsgApiErrorType nvds_msgapi_disconnect(NvDsMsgApiHandle handle) {
  Control& c = Get();
  Lock lock(c.mutex);
  const auto connection = Find(handle);
  if (connection == nullptr) return NVDS_MSGAPI_ERR;
  c.changed.wait(lock, [&] { return !c.state.hold_disconnects; });
  c.state.connections.erase(handle);
  ++c.state.disconnects;
  if (c.state.forget) connection->waiting.clear();
#ifdef FAKE_EXTENSIONS
  const bool fails = c.state.hold_completions;  // one of ours flushes
#else
  const bool fails = true;
#endif
  CallBack(lock, *connection, SIZE_MAX, true,
           fails ? std::optional(NVDS_MSGAPI_ERR) : std::nullopt);
  c.changed.notify_all();
  return NVDS_MSGAPI_OK;
}

FAKE_EXPORT char* nvds_msgapi_getversion() { return const_cast<char*>("4.0"); }

FAKE_EXPORT char* nvds_msgapi_get_protocol_name() {
  static auto* const names = new std::set<std::string>;  // a text that was given stays as it is
  const Lock lock(Get().mutex);
  return const_cast<char*>(names->insert(Get().state.protocol).first->c_str());
}

FAKE_EXPORT NvDsMsgApiErrorType nvds_msgapi_connection_signature(char* conn_str, char*, char* out,
                                                                 int max_len) {
  const Lock lock(Get().mutex);
  std::string signature = Get().state.signature;
  if (!signature.empty() && conn_str != nullptr) signature += conn_str;
  if (out == nullptr || static_cast<size_t>(max_len) <= signature.size()) return NVDS_MSGAPI_ERR;
  std::memcpy(out, signature.c_str(), signature.size() + 1);
  return NVDS_MSGAPI_OK;
}

#ifdef FAKE_EXTENSIONS
FAKE_EXPORT const char* dsmsg_describe() { return "{}"; }

FAKE_EXPORT NvDsMsgApiErrorType dsmsg_set_link_callback(NvDsMsgApiHandle handle,
                                                        DsmsgLinkCallback callback,
                                                        void* user_ptr) {
  Lock lock(Get().mutex);
  const auto connection = Find(handle);
  if (connection == nullptr) return NVDS_MSGAPI_ERR;
  connection->link_cb = callback;
  connection->link_ptr = user_ptr;
  const bool tells = Get().state.tells_link, up = Get().state.link_up;
  lock.unlock();
  if (tells) callback(user_ptr, up ? DSMSG_LINK_UP : DSMSG_LINK_DOWN, "told");
  return NVDS_MSGAPI_OK;
}

FAKE_EXPORT size_t dsmsg_stats(NvDsMsgApiHandle, char* out, size_t size) {
  const Lock lock(Get().mutex);
  return Copy(Get().state.stats, out, size);
}

FAKE_EXPORT size_t dsmsg_last_error(NvDsMsgApiHandle, char* out, size_t size) {
  const Lock lock(Get().mutex);
  return Copy(Get().state.last_error, out, size);
}

FAKE_EXPORT NvDsMsgApiErrorType dsmsg_check_topic(NvDsMsgApiHandle, const char* topic) {
  const Lock lock(Get().mutex);
  return Get().state.needs_topic && *topic == '\0' ? NVDS_MSGAPI_ERR : NVDS_MSGAPI_OK;
}

FAKE_EXPORT NvDsMsgApiErrorType dsmsg_send_message(NvDsMsgApiHandle handle, const DsmsgMessage* m,
                                                   nvds_msgapi_send_cb_t callback, void* user_ptr) {
  fake::Message message;
  message.has_topic = m->topic != nullptr;
  if (m->topic != nullptr) message.topic = m->topic;
  message.payload.assign(reinterpret_cast<const char*>(m->payload), m->payload_len);
  message.key.assign(reinterpret_cast<const char*>(m->key), m->key_len);
  message.timestamp_ms = m->timestamp_ms;
  return Send(handle, std::move(message), callback, user_ptr);
}
#endif
