// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <utility>

namespace dsmsg::client_test {
namespace {

struct Log {
  std::mutex mutex;
  std::vector<std::string> lines;
};
Log& TheLog() {
  static auto* const log = new Log;
  return *log;
}

struct Events {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<NvMsgBrokerClientHandle, std::vector<NvMsgBrokerErrorType>> told;
  std::function<void(NvMsgBrokerClientHandle)> inside;
};
Events& TheEvents() {
  static auto* const events = new Events;
  return *events;
}

}  // namespace

void Fake::LinkState(DsmsgLinkState state) {
  const auto connections = With([](fake::State& s) { return s.connections; });
  for (const auto& [handle, connection] : connections)
    connection->link_cb(connection->link_ptr, state, "test");
}

void Fake::Deliver(const std::string& topic, const std::string& payload) {
  const auto connections = With([](fake::State& state) { return state.connections; });
  std::string name = topic, bytes = payload;
  for (const auto& [handle, connection] : connections) {
    const auto wanted = [&](const std::string& filter) {
      const bool pattern = filter.ends_with("/#");
      return pattern ? topic.starts_with(filter.substr(0, filter.size() - 1)) : filter == topic;
    };
    if (std::none_of(connection->topics.begin(), connection->topics.end(), wanted)) continue;
    connection->subscribe_cb(NVDS_MSGAPI_OK, bytes.data(), static_cast<int>(bytes.size()),
                             name.data(), connection->subscribe_ptr);
  }
}

Fake& Plain() {
  static auto* const fake = new Fake("fakeplain");
  return *fake;
}
Fake& Plain2() {
  static auto* const fake = new Fake("fakeplain2");
  return *fake;
}
Fake& Ours() {
  static auto* const fake = new Fake("fake");
  return *fake;
}

NvMsgBrokerErrorType Sends::Send(NvMsgBrokerClientHandle handle, const std::string& payload,
                                 const char* topic) {
  Entry* entry = nullptr;
  {
    const std::lock_guard lock(mutex_);
    entry = &entries_.emplace_back(Entry{this});
  }
  std::string bytes = payload, name = topic;
  NvMsgBrokerClientMsg message{name.data(), bytes.data(), bytes.size()};
  const NvMsgBrokerErrorType answer = nv_msgbroker_send_async(handle, message, &OnSent, entry);
  std::fill(bytes.begin(), bytes.end(), '?');  // it must have been copied
  const std::lock_guard lock(mutex_);
  entry->accepted = answer == NV_MSGBROKER_API_OK;
  if (entry->accepted) ++accepted_;
  if (!entry->accepted && entry->calls > 0) doubled_ = true;
  changed_.notify_all();
  return answer;
}

void Sends::OnSent(void* user_ptr, NvMsgBrokerErrorType status) {
  auto* entry = static_cast<Entry*>(user_ptr);
  Sends& self = *entry->owner;
  if (self.inside) self.inside(status);
  const std::lock_guard lock(self.mutex_);
  if (++entry->calls > 1) self.doubled_ = true;
  ++self.called_;
  ++(status == NV_MSGBROKER_API_OK ? self.ok_ : self.failed_);
  self.changed_.notify_all();
}

bool Sends::WaitAll() {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [this] { return called_ == accepted_; }) && !doubled_;
}
int Sends::accepted() const {
  const std::lock_guard lock(mutex_);
  return accepted_;
}
int Sends::ok() const {
  const std::lock_guard lock(mutex_);
  return ok_;
}
int Sends::failed() const {
  const std::lock_guard lock(mutex_);
  return failed_;
}
bool Sends::doubled() const {
  const std::lock_guard lock(mutex_);
  return doubled_;
}

void OnConnectEvent(NvMsgBrokerClientHandle handle, NvMsgBrokerErrorType status) {
  Events& events = TheEvents();
  std::function<void(NvMsgBrokerClientHandle)> inside;
  {
    const std::lock_guard lock(events.mutex);
    inside = events.inside;
  }
  if (inside) inside(handle);
  const std::lock_guard lock(events.mutex);
  events.told[handle].push_back(status);
  events.changed.notify_all();
}

std::vector<NvMsgBrokerErrorType> EventsOf(NvMsgBrokerClientHandle handle) {
  const std::lock_guard lock(TheEvents().mutex);
  return TheEvents().told[handle];
}

bool WaitForEvents(NvMsgBrokerClientHandle handle,
                   const std::vector<NvMsgBrokerErrorType>& expected) {
  Events& events = TheEvents();
  std::unique_lock lock(events.mutex);
  return events.changed.wait_for(lock, kPatience, [&] { return events.told[handle] == expected; });
}

void SetInsideEvent(std::function<void(NvMsgBrokerClientHandle)> inside) {
  const std::lock_guard lock(TheEvents().mutex);
  TheEvents().inside = std::move(inside);
}

std::vector<std::string> TakeLog() {
  const std::lock_guard lock(TheLog().mutex);
  return std::exchange(TheLog().lines, {});
}

ConfigFile::ConfigFile(const std::string& text) : path_("/tmp/dsmsg-client-XXXXXX") {
  const char* folder = std::getenv("TMPDIR");
  if (folder != nullptr) path_ = std::string(folder) + "/dsmsg-client-XXXXXX";
  const int fd = mkstemp(path_.data());
  if (fd < 0 || write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw std::runtime_error("cannot write " + path_);
  close(fd);
}

ConfigFile::~ConfigFile() { unlink(path_.c_str()); }

NvMsgBrokerClientHandle Connect(Fake& fake, const std::string& conn_str, char* config) {
  std::string copy = conn_str, path = fake.path();
  return nv_msgbroker_connect(copy.data(), path.data(), &OnConnectEvent, config);
}

void ClientTest::SetUp() {
  unsetenv("NVMSGBROKER_CONFIG");
  for (Fake* fake : {&Plain(), &Plain2(), &Ours()}) fake->Reset();
  SetInsideEvent(nullptr);
  TakeLog();
}

}  // namespace dsmsg::client_test

// DeepStream's logger, found by the library (and by adaptors) with dlsym.
extern "C" __attribute__((visibility("default"))) void nvds_log(const char* category, int,
                                                                const char* format, ...) {
  char line[8192];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  auto& log = dsmsg::client_test::TheLog();
  const std::lock_guard lock(log.mutex);
  log.lines.push_back(std::string(category) + " " + line);
}
