// SPDX-License-Identifier: Apache-2.0
// Finds the connection that a call of an adaptor is for. Adaptors are given numbers, never
// pointers, so that a call that comes too late, or twice, finds nothing instead of freed memory.
#ifndef DSMSG_HOST_EVENT_ROUTER_H_
#define DSMSG_HOST_EVENT_ROUTER_H_

#include <map>
#include <memory>
#include <shared_mutex>

#include "nvds_msgapi.h"

namespace dsmsg::host {

class Connection;

/// The user pointer of a send: which connection, which of its generations (it may connect several
/// times, one after the other), which message.
struct SendId {
  uint16_t connection = 0;
  uint8_t generation = 0;
  uint64_t number = 0;  // only the lower 40 bits travel

  void* Pack() const;
  static SendId Unpack(void* user_ptr);
  static constexpr int kNumberBits = 40;
};

/// Threads: every function from any thread. No lock is held while a connection is called.
class EventRouter {
 public:
  /// Never destroyed: an adaptor's thread may call at any time.
  static EventRouter& Get();

  /// A number that no live connection has; 0 if 65535 are alive.
  uint16_t Add(const std::shared_ptr<Connection>& connection);
  void Remove(uint16_t number);
  std::shared_ptr<Connection> Find(uint16_t number);

  /// nvds_msgapi_connect. Events that come for the handle before Bind() are kept until then.
  NvDsMsgApiHandle Connect(decltype(&nvds_msgapi_connect) connect, char* conn_str, char* config);
  void Bind(NvDsMsgApiHandle handle, uint16_t number);
  void Unbind(NvDsMsgApiHandle handle, uint16_t number);

 private:
  static void OnEvent(NvDsMsgApiHandle handle, NvDsMsgApiEventType event);

  std::shared_mutex mutex_;
  std::map<uint16_t, std::weak_ptr<Connection>> connections_;
  // Two third-party adaptors may use the same value: both connections get the event then.
  std::multimap<NvDsMsgApiHandle, uint16_t> handles_;
  std::map<NvDsMsgApiHandle, NvDsMsgApiEventType> early_;
  size_t connecting_ = 0;  // calls of Connect, and their handles that were not bound yet
  uint16_t next_ = 1;
};

}  // namespace dsmsg::host

#endif  // DSMSG_HOST_EVENT_ROUTER_H_
