// SPDX-License-Identifier: Apache-2.0
#include "broker/client_handles.h"

#include <dlfcn.h>

#include <string_view>
#include <utility>

#include "core/base/fork.h"

namespace dsmsg {
namespace {

/// Whether the callback belongs to DeepStream's sink, which drops messages when it is told
/// RECONNECTING.
bool BelongsToDeepStreamSink(nv_msgbroker_connect_cb_t callback) {
  Dl_info info = {};
  if (dladdr(reinterpret_cast<void*>(callback), &info) == 0 || info.dli_fname == nullptr)
    return false;
  return std::string_view(info.dli_fname).find("nvdsgst_msgbroker") != std::string_view::npos;
}

bool TellsReconnecting(host::HostSettings::Report report, nv_msgbroker_connect_cb_t callback) {
  switch (report) {
    case host::HostSettings::Report::kYes:
      return true;
    case host::HostSettings::Report::kNo:
      return false;
    case host::HostSettings::Report::kAuto:
      break;
  }
  return callback == nullptr || !BelongsToDeepStreamSink(callback);
}

/// The upper half of all handles. It comes from this library's address, so none of our adaptors has
/// such a value.
uintptr_t UpperHalf() {
  static const char address = 0;
  return ((reinterpret_cast<uintptr_t>(&address) >> 12) & 0x7fffffff) << 32;
}

}  // namespace

ClientHandles& ClientHandles::Get() {
  static PerProcess<ClientHandles> handles;
  return handles.Get();
}

NvMsgBrokerClientHandle ClientHandles::NextHandle() {
  return reinterpret_cast<NvMsgBrokerClientHandle>(UpperHalf() | next_.fetch_add(1));
}

const char* ClientHandles::WhyNot(NvMsgBrokerClientHandle handle) const {
  const auto value = reinterpret_cast<uintptr_t>(handle);
  const uintptr_t number = value & 0xffffffff;
  const bool of_parent = (value ^ number) == UpperHalf() && number != 0 && number < first_;
  return of_parent ? "this handle belongs to the parent process: after fork(), the child must "
                     "open its own connection"
                   : "this handle is not connected (NULL, or disconnected already)";
}

Result<ClientHandles::Entry> ClientHandles::Connect(host::Connection::Options options,
                                                    nv_msgbroker_connect_cb_t connect_cb) {
  const bool tell = TellsReconnecting(options.settings.report, connect_cb);
  Entry entry;
  entry.client = std::make_shared<Client>(NextHandle(), connect_cb, tell);
  auto slot = host::Connection::Join(std::move(options), entry.client);
  if (!slot.ok()) return slot.status();
  entry.slot = std::move(slot.value());
  const std::unique_lock lock(mutex_);
  handles_[entry.client->handle] = entry;
  return entry;
}

ClientHandles::Entry ClientHandles::Find(NvMsgBrokerClientHandle handle) const {
  const std::shared_lock lock(mutex_);
  const auto found = handles_.find(handle);
  return found == handles_.end() ? Entry() : found->second;
}

ClientHandles::Entry ClientHandles::Take(NvMsgBrokerClientHandle handle) {
  const std::unique_lock lock(mutex_);
  const auto found = handles_.find(handle);
  if (found == handles_.end()) return {};
  Entry entry = std::move(found->second);
  handles_.erase(found);
  return entry;
}

}  // namespace dsmsg
