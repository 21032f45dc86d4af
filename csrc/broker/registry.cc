// SPDX-License-Identifier: Apache-2.0
#include "broker/registry.h"

#include <dlfcn.h>

#include <string_view>

#include "core/base/fork.h"

namespace dsmsg {
namespace {

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

/// Of all handles. It comes from this library's address: no adaptor of ours has such a value.
uintptr_t UpperHalf() {
  static const char address = 0;
  return ((reinterpret_cast<uintptr_t>(&address) >> 12) & 0x7fffffff) << 32;
}

}  // namespace

Registry& Registry::Get() {
  static PerProcess<Registry> registry;
  return registry.Get();
}

NvMsgBrokerClientHandle Registry::NextHandle() {
  return reinterpret_cast<NvMsgBrokerClientHandle>(UpperHalf() | next_.fetch_add(1));
}

const char* Registry::WhyNot(NvMsgBrokerClientHandle handle) const {
  const auto value = reinterpret_cast<uintptr_t>(handle);
  const uintptr_t number = value & 0xffffffff;
  const bool of_parent = (value ^ number) == UpperHalf() && number != 0 && number < first_;
  return of_parent ? "this handle is the parent's: a process made by fork() has to connect itself"
                   : "this handle is not connected (NULL, or disconnected already)";
}

Result<Registry::Entry> Registry::Connect(Connection::Options options,
                                          nv_msgbroker_connect_cb_t connect_cb) {
  const bool tell = TellsReconnecting(options.settings.report, connect_cb);
  const std::string key =
      SharingKey(*options.library, options.has_conn_str ? &options.conn_str : nullptr,
                 options.has_config ? &options.config : nullptr);
  Entry entry;
  entry.client = std::make_shared<Client>(NextHandle(), connect_cb, tell);
  auto slot = shared_.Join(
      key, [&] { return Connection::Open(std::move(options)); },
      [](const Connection& connection) { return !connection.GivenUp(); });
  if (!slot.ok()) return slot.status();
  entry.connection = slot.value()->value;
  entry.connection->Attach(entry.client);
  const std::unique_lock lock(handles_mutex_);
  handles_[entry.client->handle] = {entry, slot.value()};
  return entry;
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
  const bool last = shared_.Leave(held.slot);
  held.entry.connection->Detach(held.entry.client, last);
  return true;
}

}  // namespace dsmsg
