// SPDX-License-Identifier: Apache-2.0
#include "host/event_router.h"

#include <mutex>
#include <utility>
#include <vector>

#include "core/base/fork.h"
#include "host/connection.h"

namespace dsmsg::host {

static_assert(sizeof(void*) >= sizeof(uint64_t), "a send's number travels in a pointer");

void* SendId::Pack() const {
  const uint64_t number_part = number & ((uint64_t{1} << kNumberBits) - 1);
  return reinterpret_cast<void*>((uint64_t{connection} << (kNumberBits + 8)) |
                                 (uint64_t{generation} << kNumberBits) | number_part);
}

SendId SendId::Unpack(void* user_ptr) {
  const auto bits = reinterpret_cast<uint64_t>(user_ptr);
  SendId id;
  id.connection = static_cast<uint16_t>(bits >> (kNumberBits + 8));
  id.generation = static_cast<uint8_t>(bits >> kNumberBits);
  id.number = bits & ((uint64_t{1} << kNumberBits) - 1);
  return id;
}

EventRouter& EventRouter::Get() {
  static PerProcess<EventRouter> router;
  return router.Get();
}

uint16_t EventRouter::Add(const std::shared_ptr<Connection>& connection) {
  const std::unique_lock lock(mutex_);
  if (connections_.size() >= UINT16_MAX) return 0;
  while (next_ == 0 || connections_.count(next_) > 0) ++next_;
  connections_[next_] = connection;
  return next_++;
}

void EventRouter::Remove(uint16_t number) {
  const std::unique_lock lock(mutex_);
  connections_.erase(number);
}

std::shared_ptr<Connection> EventRouter::Find(uint16_t number) {
  const std::shared_lock lock(mutex_);
  const auto found = connections_.find(number);
  return found == connections_.end() ? nullptr : found->second.lock();
}

NvDsMsgApiHandle EventRouter::Connect(decltype(&nvds_msgapi_connect) connect, char* conn_str,
                                      char* config) {
  {
    const std::unique_lock lock(mutex_);
    ++connecting_;
  }
  NvDsMsgApiHandle handle = connect(conn_str, &EventRouter::OnEvent, config);
  if (handle == nullptr) {
    const std::unique_lock lock(mutex_);
    if (--connecting_ == 0) early_.clear();
  }
  return handle;
}

void EventRouter::Bind(NvDsMsgApiHandle handle, uint16_t number) {
  std::shared_ptr<Connection> connection;
  NvDsMsgApiEventType event = NVDS_MSGAPI_EVT_SUCCESS;
  {
    const std::unique_lock lock(mutex_);
    handles_.emplace(handle, number);
    if (const auto found = early_.find(handle); found != early_.end()) {
      event = found->second;
      early_.erase(found);
      connection = connections_[number].lock();
    }
    if (--connecting_ == 0) early_.clear();
  }
  if (connection != nullptr) connection->OnEvent(event);
}

void EventRouter::Unbind(NvDsMsgApiHandle handle, uint16_t number) {
  const std::unique_lock lock(mutex_);
  const auto [begin, end] = handles_.equal_range(handle);
  for (auto it = begin; it != end; ++it) {
    if (it->second != number) continue;
    handles_.erase(it);
    return;
  }
}

void EventRouter::OnEvent(NvDsMsgApiHandle handle, NvDsMsgApiEventType event) {
  EventRouter& router = Get();
  std::vector<std::shared_ptr<Connection>> found;
  {
    const std::unique_lock lock(router.mutex_);
    const auto [begin, end] = router.handles_.equal_range(handle);
    for (auto it = begin; it != end; ++it) {
      if (auto alive = router.connections_[it->second].lock()) found.push_back(std::move(alive));
    }
    if (begin == end && router.connecting_ > 0) router.early_[handle] = event;
  }
  for (const auto& connection : found) connection->OnEvent(event);
}

}  // namespace dsmsg::host
