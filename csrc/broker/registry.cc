// SPDX-License-Identifier: Apache-2.0
#include "broker/registry.h"

#include <dlfcn.h>

#include <array>
#include <exception>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace dsmsg {
namespace {

/// Library and signature, or "" when the connection is not to be shared.
std::string KeyOf(const Connection::Options& options) {
  std::array<char, 1024> signature{};
  std::string conn_str = options.conn_str, config = options.config;
  const NvDsMsgApiErrorType code = options.library->api().connection_signature(
      options.has_conn_str ? conn_str.data() : nullptr,
      options.has_config ? config.data() : nullptr, signature.data(),
      static_cast<int>(signature.size()));
  signature.back() = '\0';
  if (code != NVDS_MSGAPI_OK || signature.front() == '\0') return {};
  std::error_code error;
  const auto path = std::filesystem::canonical(options.library->path(), error);
  return (error ? options.library->path() : path.string()) + '\n' + signature.data();
}

/// The callback is part of DeepStream's sink, which drops messages when it is told RECONNECTING.
bool BelongsToDeepStreamSink(nv_msgbroker_connect_cb_t callback) {
  Dl_info info = {};
  if (dladdr(reinterpret_cast<void*>(callback), &info) == 0 || info.dli_fname == nullptr)
    return false;
  return std::string_view(info.dli_fname).find("nvdsgst_msgbroker") != std::string_view::npos;
}

bool TellsReconnecting(ClientSettings::Report report, nv_msgbroker_connect_cb_t callback) {
  switch (report) {
    case ClientSettings::Report::kYes:
      return true;
    case ClientSettings::Report::kNo:
      return false;
    case ClientSettings::Report::kAuto:
      break;
  }
  return callback == nullptr || !BelongsToDeepStreamSink(callback);
}

/// Whoever waits for the connection must be told the outcome, also when memory runs out.
Result<std::shared_ptr<Connection>> OpenConnection(Connection::Options options) {
  try {
    return Connection::Open(std::move(options));
  } catch (const std::exception& error) {
    return Status(Code::kInternal, std::string("cannot make a connection: ") + error.what());
  }
}

}  // namespace

Registry& Registry::Get() {
  static auto* const registry = new Registry;
  return *registry;
}

/// The upper half comes from this library's address: no adaptor of ours has such a value.
NvMsgBrokerClientHandle Registry::NextHandle() {
  static const char address = 0;
  const auto upper = (reinterpret_cast<uintptr_t>(&address) >> 12) & 0x7fffffff;
  return reinterpret_cast<NvMsgBrokerClientHandle>((upper << 32) | next_.fetch_add(1));
}

Result<Registry::Entry> Registry::Connect(Connection::Options options,
                                          nv_msgbroker_connect_cb_t connect_cb) {
  const bool tell = TellsReconnecting(options.settings.report, connect_cb);
  Result<std::shared_ptr<Slot>> slot = GetSlot(std::move(options));
  if (!slot.ok()) return slot.status();
  Entry entry;
  entry.client = std::make_shared<Client>(NextHandle(), connect_cb, tell);
  entry.connection = slot.value()->connection;
  entry.connection->Attach(entry.client);
  const std::unique_lock lock(handles_mutex_);
  handles_[entry.client->handle] = {entry, slot.value()};
  return entry;
}

std::shared_ptr<Registry::Slot> Registry::FindShared(const std::string& key) {
  const auto found = shared_.find(key);
  if (found == shared_.end()) return nullptr;
  const std::shared_ptr<Slot> slot = found->second;
  if (slot->connection != nullptr && slot->connection->GivenUp()) {
    shared_.erase(found);
    return nullptr;
  }
  return slot;
}

Result<std::shared_ptr<Registry::Slot>> Registry::GetSlot(Connection::Options options) {
  const std::string key = KeyOf(options);
  auto slot = std::make_shared<Slot>();
  slot->key = key;
  slot->users = 1;
  if (!key.empty()) {
    std::unique_lock lock(mutex_);
    if (const std::shared_ptr<Slot> other = FindShared(key)) {
      ++other->users;  // from now on nobody ends it
      other->connected.wait(lock, [&] { return other->outcome.has_value(); });
      if (!other->outcome->ok()) return *other->outcome;
      return other;
    }
    shared_[key] = slot;
  }
  Result<std::shared_ptr<Connection>> connection = OpenConnection(std::move(options));
  const std::lock_guard lock(mutex_);
  slot->outcome = connection.status();
  if (connection.ok()) {
    slot->connection = connection.value();
  } else {
    Forget(slot);
  }
  slot->connected.notify_all();
  if (!connection.ok()) return connection.status();
  return slot;
}

void Registry::Forget(const std::shared_ptr<Slot>& slot) {
  const auto found = shared_.find(slot->key);
  if (found != shared_.end() && found->second == slot) shared_.erase(found);
}

Registry::Entry Registry::Find(NvMsgBrokerClientHandle handle) const {
  const std::shared_lock lock(handles_mutex_);
  const auto found = handles_.find(handle);
  return found == handles_.end() ? Entry() : found->second.entry;
}

bool Registry::Disconnect(NvMsgBrokerClientHandle handle) {
  Held held;
  {
    const std::unique_lock lock(handles_mutex_);
    const auto found = handles_.find(handle);
    if (found == handles_.end()) return false;
    held = std::move(found->second);
    handles_.erase(found);
  }
  bool last = false;
  {
    const std::lock_guard lock(mutex_);
    last = --held.slot->users == 0;
    if (last) Forget(held.slot);
  }
  held.entry.connection->Detach(held.entry.client, last);
  return true;
}

}  // namespace dsmsg
