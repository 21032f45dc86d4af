// SPDX-License-Identifier: Apache-2.0
// FAKE_EXTENSIONS: with the dsmsg_* functions, so that a host takes it for one of ours.
#include "fake_adaptor.h"

#include <algorithm>
#include <cstring>

#define FAKE_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

using fake::Control;
using Lock = std::unique_lock<std::mutex>;

Control& Get() {
  static auto* const control = new Control;
  return *control;
}

std::shared_ptr<fake::Link> Find(NvDsMsgApiHandle handle) {
  const auto found = Get().state.links.find(handle);
  return found == Get().state.links.end() ? nullptr : found->second;
}

size_t CallBack(Lock& lock, fake::Link& link, size_t most, bool all,
                NvDsMsgApiErrorType otherwise) {
  fake::State& state = Get().state;
  size_t count = 0;
  while (count < most && !link.waiting.empty()) {
    const fake::Waiting send = link.waiting.front();
    if (!all && std::chrono::steady_clock::now() - send.since < state.latency) break;
    link.waiting.pop_front();
    NvDsMsgApiErrorType code = otherwise;
    if (send.payload == state.poison) code = NVDS_MSGAPI_ERR;
    if (code == NVDS_MSGAPI_OK) state.received.insert(send.payload);
    lock.unlock();
    if (send.callback != nullptr) send.callback(send.user_ptr, code);
    lock.lock();
    ++count;
  }
  return count;
}

}  // namespace

FAKE_EXPORT Control* fake_control() { return &Get(); }

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
    auto link = std::make_shared<fake::Link>();
    link->connect_cb = callback;
    ++c.state.connects;
    handle = link.get();
    c.state.links[handle] = std::move(link);
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
  Control& c = Get();
  Lock lock(c.mutex);
  c.state.callers.insert(std::this_thread::get_id());
  const auto link = Find(handle);
  if (link == nullptr) return NVDS_MSGAPI_ERR;
  if (c.state.refuse_sends > 0) {
    --c.state.refuse_sends;
    c.changed.notify_all();
    return NVDS_MSGAPI_ERR;
  }
  fake::Waiting send;
  if (topic != nullptr) send.topic = topic;
  send.payload.assign(reinterpret_cast<const char*>(payload), nbuf);
  send.callback = callback;
  send.user_ptr = user_ptr;
  send.since = std::chrono::steady_clock::now();
  link->waiting.push_back(std::move(send));
  if (c.state.callback_at_once) CallBack(lock, *link, 1, true, NVDS_MSGAPI_OK);
  c.changed.notify_all();
  return NVDS_MSGAPI_OK;
}

FAKE_EXPORT NvDsMsgApiErrorType nvds_msgapi_subscribe(NvDsMsgApiHandle handle, char** topics,
                                                      int count,
                                                      nvds_msgapi_subscribe_request_cb_t callback,
                                                      void* user_ptr) {
  Control& c = Get();
  const Lock lock(c.mutex);
  c.state.callers.insert(std::this_thread::get_id());
  const auto link = Find(handle);
  ++c.state.subscribes;
  c.changed.notify_all();
  if (link == nullptr) return NVDS_MSGAPI_ERR;
  if (c.state.refuse_subscribes > 0) {
    --c.state.refuse_subscribes;
#ifndef FAKE_EXTENSIONS
    // As third-party adaptors may: nothing is subscribed any more, and the refused callback stays.
    // Ours keep what was in force (servers_test.cc shows it).
    link->topics.clear();
    link->subscribe_cb = callback;
    link->subscribe_ptr = user_ptr;
#endif
    return NVDS_MSGAPI_ERR;
  }
  link->topics.assign(topics, topics + count);
  link->subscribe_cb = callback;
  link->subscribe_ptr = user_ptr;
  return NVDS_MSGAPI_OK;
}

FAKE_EXPORT void nvds_msgapi_do_work(NvDsMsgApiHandle handle) {
  Control& c = Get();
  Lock lock(c.mutex);
  c.state.callers.insert(std::this_thread::get_id());
  ++c.state.do_works;
  const auto link = Find(handle);
  if (link == nullptr) return;
#ifdef FAKE_EXTENSIONS
  c.changed.wait_for(lock, std::chrono::milliseconds(50),
                     [&] { return !link->waiting.empty() && !c.state.hold_completions; });
#endif
  if (!c.state.hold_completions) CallBack(lock, *link, c.state.per_work, false, NVDS_MSGAPI_OK);
  c.changed.notify_all();
}

FAKE_EXPORT NvDsMsgApiErrorType nvds_msgapi_disconnect(NvDsMsgApiHandle handle) {
  Control& c = Get();
  Lock lock(c.mutex);
  const auto link = Find(handle);
  if (link == nullptr) return NVDS_MSGAPI_ERR;
  c.changed.wait(lock, [&] { return !c.state.hold_disconnects; });
  c.state.links.erase(handle);
  ++c.state.disconnects;
  if (c.state.forget) link->waiting.clear();
#ifdef FAKE_EXTENSIONS
  const NvDsMsgApiErrorType code = c.state.hold_completions ? NVDS_MSGAPI_ERR : NVDS_MSGAPI_OK;
#else
  const NvDsMsgApiErrorType code = NVDS_MSGAPI_ERR;
#endif
  CallBack(lock, *link, SIZE_MAX, true, code);
  c.changed.notify_all();
  return NVDS_MSGAPI_OK;
}

FAKE_EXPORT char* nvds_msgapi_getversion() { return const_cast<char*>("4.0"); }

FAKE_EXPORT char* nvds_msgapi_get_protocol_name() {
  const Lock lock(Get().mutex);
  return const_cast<char*>(Get().state.protocol);
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
  const Lock lock(Get().mutex);
  const auto link = Find(handle);
  if (link == nullptr) return NVDS_MSGAPI_ERR;
  link->link_cb = callback;
  link->link_ptr = user_ptr;
  return NVDS_MSGAPI_OK;
}
#endif
