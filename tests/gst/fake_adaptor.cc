// SPDX-License-Identifier: Apache-2.0
// Variants: FAKE_EXTENSIONS has the dsmsg_* functions, FAKE_WITHOUT_DO_WORK lacks one of the nine.
#include "fake_adaptor.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "dsmsg_ext.h"

#define FAKE_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

FakeControl& Control() {
  static auto* const control = new FakeControl;
  return *control;
}

NvDsMsgApiErrorType Send(FakeMessage message, nvds_msgapi_send_cb_t callback, void* user_ptr) {
  FakeControl& c = Control();
  std::unique_lock lock(c.mutex);
  ++c.sends_waiting;
  c.changed.notify_all();
  c.changed.wait(lock, [&] { return !c.hold_sends; });
  --c.sends_waiting;
  if (c.send_result == NVDS_MSGAPI_OK) {
    c.messages.push_back(std::move(message));
    c.pending.emplace_back(callback, user_ptr);
  }
  c.changed.notify_all();
  return c.send_result;
}

void CallBack(FakeControl& c, std::unique_lock<std::mutex>& lock) {
  while (!c.pending.empty()) {
    const auto [callback, user_ptr] = c.pending.front();
    c.pending.pop_front();
    const NvDsMsgApiErrorType code = c.completion;
    lock.unlock();
    if (callback != nullptr) callback(user_ptr, code);
    lock.lock();
  }
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

FAKE_EXPORT FakeControl* fake_control() { return &Control(); }

#ifdef FAKE_NEEDS_ABSENT
extern "C" int dsmsg_absent();
FAKE_EXPORT int fake_absent() { return dsmsg_absent(); }
#endif

FAKE_EXPORT NvDsMsgApiHandle nvds_msgapi_connect(char* conn_str,
                                                 nvds_msgapi_connect_cb_t connect_cb,
                                                 char* config) {
  FakeControl& c = Control();
  const std::lock_guard lock(c.mutex);
  ++c.connects;
  c.conn_str = conn_str == nullptr ? "(null)" : conn_str;
  c.config = config == nullptr ? "(null)" : config;
  c.connect_cb = connect_cb;
  c.handle = c.refuse_connect
                 ? nullptr
                 : reinterpret_cast<NvDsMsgApiHandle>(static_cast<intptr_t>(c.connects));
  c.changed.notify_all();
  return c.handle;
}

FAKE_EXPORT NvDsMsgApiErrorType nvds_msgapi_send(NvDsMsgApiHandle, char*, const uint8_t*, size_t) {
  return NVDS_MSGAPI_ERR;
}

FAKE_EXPORT NvDsMsgApiErrorType nvds_msgapi_send_async(NvDsMsgApiHandle, char* topic,
                                                       const uint8_t* payload, size_t nbuf,
                                                       nvds_msgapi_send_cb_t callback,
                                                       void* user_ptr) {
  FakeMessage message;
  message.has_topic = topic != nullptr;
  if (topic != nullptr) message.topic = topic;
  message.payload.assign(reinterpret_cast<const char*>(payload), nbuf);
  return Send(std::move(message), callback, user_ptr);
}

FAKE_EXPORT NvDsMsgApiErrorType nvds_msgapi_subscribe(NvDsMsgApiHandle, char**, int,
                                                      nvds_msgapi_subscribe_request_cb_t, void*) {
  return NVDS_MSGAPI_ERR;
}

#ifndef FAKE_WITHOUT_DO_WORK
FAKE_EXPORT void nvds_msgapi_do_work(NvDsMsgApiHandle) {
  FakeControl& c = Control();
  std::unique_lock lock(c.mutex);
  ++c.do_works;
#ifdef FAKE_EXTENSIONS
  // One of ours waits inside.
  c.changed.wait_for(lock, std::chrono::milliseconds(50),
                     [&] { return !c.pending.empty() && !c.hold_completions; });
#endif
  if (!c.hold_completions) CallBack(c, lock);
  c.changed.notify_all();
}
#endif

FAKE_EXPORT NvDsMsgApiErrorType nvds_msgapi_disconnect(NvDsMsgApiHandle handle) {
  FakeControl& c = Control();
  std::unique_lock lock(c.mutex);
  ++c.disconnects;
  if (c.forget) c.pending.clear();
  CallBack(c, lock);
  c.changed.notify_all();
  return handle == c.handle ? NVDS_MSGAPI_OK : NVDS_MSGAPI_ERR;
}

FAKE_EXPORT char* nvds_msgapi_getversion() { return const_cast<char*>("4.0"); }
FAKE_EXPORT char* nvds_msgapi_get_protocol_name() {
  static std::string name;
  const std::lock_guard lock(Control().mutex);
  name = Control().protocol;
  return name.data();
}
FAKE_EXPORT NvDsMsgApiErrorType nvds_msgapi_connection_signature(char* conn_str, char*, char* out,
                                                                 int max_len) {
  if (out == nullptr || max_len < 1) return NVDS_MSGAPI_ERR;
  const std::lock_guard lock(Control().mutex);
  std::string text = Control().signature;
  if (!text.empty() && conn_str != nullptr) text += conn_str;
  if (text.size() >= static_cast<size_t>(max_len)) return NVDS_MSGAPI_ERR;
  std::memcpy(out, text.c_str(), text.size() + 1);
  return NVDS_MSGAPI_OK;
}

#ifdef FAKE_EXTENSIONS
FAKE_EXPORT const char* dsmsg_describe() { return "{}"; }
FAKE_EXPORT size_t dsmsg_stats(NvDsMsgApiHandle, char* out, size_t size) {
  const std::lock_guard lock(Control().mutex);
  return Copy(Control().stats, out, size);
}
FAKE_EXPORT size_t dsmsg_last_error(NvDsMsgApiHandle, char* out, size_t size) {
  const std::lock_guard lock(Control().mutex);
  return Copy(Control().last_error, out, size);
}
FAKE_EXPORT NvDsMsgApiErrorType dsmsg_check_topic(NvDsMsgApiHandle, const char* topic) {
  const std::lock_guard lock(Control().mutex);
  return Control().needs_topic && *topic == '\0' ? NVDS_MSGAPI_ERR : NVDS_MSGAPI_OK;
}
FAKE_EXPORT NvDsMsgApiErrorType dsmsg_send_message(NvDsMsgApiHandle, const DsmsgMessage* m,
                                                   nvds_msgapi_send_cb_t callback, void* user_ptr) {
  FakeMessage message;
  message.has_topic = m->topic != nullptr;
  if (m->topic != nullptr) message.topic = m->topic;
  message.payload.assign(reinterpret_cast<const char*>(m->payload), m->payload_len);
  message.key.assign(reinterpret_cast<const char*>(m->key), m->key_len);
  message.timestamp_ms = m->timestamp_ms;
  return Send(std::move(message), callback, user_ptr);
}
#endif
