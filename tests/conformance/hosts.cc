// SPDX-License-Identifier: Apache-2.0
#include "hosts.h"

#include <unistd.h>

#include <map>
#include <utility>

namespace dsmsg::conformance {
namespace {

/// What host B has once per process.
struct HostBProcess {
  std::mutex lock;  // held during connect, and taken by the connect callback to find its connection
  std::map<NvDsMsgApiHandle, std::weak_ptr<HostB>> by_handle;
  std::map<std::string, std::weak_ptr<HostB>> by_signature;
};

HostBProcess& Process() {
  static HostBProcess process;
  return process;
}

}  // namespace

HostA::HostA(Link link, Ledger& ledger, Options options)
    : link_(link), ledger_(ledger), options_(options) {
  ledger_.on_callback = [this](Record&) { Called(); };
}

HostA::~HostA() {
  if (worker_.joinable()) Stop();
}

void HostA::Start() {
  running_ = true;
  worker_ = std::thread([this] { Work(); });
}

bool HostA::Render(Record& record) {
  std::lock_guard lock(flow_lock_);
  if (link_.SendAsync(record) != NVDS_MSGAPI_OK) return false;
  ++pending_;
  flow_changed_.notify_all();
  return true;
}

void HostA::Called() {
  std::lock_guard lock(flow_lock_);
  --pending_;
  flow_changed_.notify_all();
}

void HostA::Work() {
  for (;;) {
    {
      std::unique_lock lock(flow_lock_);
      if (!options_.endless) flow_changed_.wait(lock, [this] { return pending_ > 0 || !running_; });
      if (!running_) return;
    }
    link_.DoWork();
    ++work_calls_;
    usleep(static_cast<useconds_t>(options_.sleep.count()));
  }
}

bool HostA::Drain(std::chrono::milliseconds silence) {
  Patience patience(ledger_, silence);
  std::unique_lock lock(flow_lock_);
  while (!flow_changed_.wait_for(lock, std::chrono::milliseconds(100),
                                 [this] { return pending_ == 0; })) {
    if (patience.over()) return false;
  }
  return true;
}

NvDsMsgApiErrorType HostA::Stop() {
  {
    std::lock_guard lock(flow_lock_);
    running_ = false;
    flow_changed_.notify_all();
  }
  if (worker_.joinable()) worker_.join();
  const NvDsMsgApiErrorType result = link_.Disconnect();
  ledger_.on_callback = nullptr;
  return result;
}

HostB::HostB(const Adaptor& adaptor, std::string connection, std::string config, Ledger& ledger,
             Options options)
    : adaptor_(adaptor),
      connection_(std::move(connection)),
      config_(std::move(config)),
      ledger_(ledger),
      options_(options) {}

HostB::~HostB() {
  users_ = 1;
  if (worker_.joinable()) Disconnect();
}

std::shared_ptr<HostB> HostB::Connect(const Adaptor& adaptor, const std::string& connection,
                                      const std::string& config, Ledger& ledger, Options options) {
  std::lock_guard lock(Process().lock);
  const std::string signature = adaptor.Signature(connection, config);
  if (!signature.empty()) {
    if (auto shared = Process().by_signature[adaptor.path() + signature].lock()) {
      ++shared->users_;
      return shared;
    }
  }
  std::shared_ptr<HostB> host(new HostB(adaptor, connection, config, ledger, options));
  host->signature_ = signature;
  ledger.on_callback = [raw = host.get()](Record&) { raw->Called(); };
  host->link_ = Link::Open(adaptor, connection, config, &HostB::OnEvent);
  if (!host->link_.ok()) return nullptr;
  Process().by_handle[host->link_.handle()] = host;
  if (!signature.empty()) Process().by_signature[adaptor.path() + signature] = host;
  host->worker_ = std::thread([raw = host.get()] { raw->Work(); });
  return host;
}

Link HostB::link() {
  std::lock_guard lock(send_lock_);
  return link_;
}

HostB::Sent HostB::Send(Record& record) {
  std::lock_guard lock(send_lock_);
  if (broken_ || !link_.ok()) return Sent::kReconnecting;
  if (link_.SendAsync(record) != NVDS_MSGAPI_OK) return Sent::kRefused;
  ++pending_;
  return Sent::kOk;
}

void HostB::Called() {
  std::lock_guard lock(send_lock_);
  --pending_;
  drained_.notify_all();
}

bool HostB::Drain(std::chrono::milliseconds silence) {
  Patience patience(ledger_, silence);
  std::unique_lock lock(send_lock_);
  while (
      !drained_.wait_for(lock, std::chrono::milliseconds(100), [this] { return pending_ == 0; })) {
    if (patience.over()) return false;
  }
  return true;
}

void HostB::OnEvent(NvDsMsgApiHandle handle, NvDsMsgApiEventType event) {
  const CallState& state = ThisThread();
  if (state.connect + state.send + state.work + state.disconnect + state.subscribe > 0) {
    NoteViolation("rule 7: connect callback on a thread that is inside a call");
  }
  std::shared_ptr<HostB> host;
  {
    std::lock_guard lock(Process().lock);
    const auto it = Process().by_handle.find(handle);
    if (it != Process().by_handle.end()) host = it->second.lock();
  }
  if (!host) return NoteViolation("rule 7: event for a handle that is not connected");
  std::lock_guard lock(host->event_lock_);
  ++host->events_;
  if (event != NVDS_MSGAPI_EVT_SUCCESS) host->broken_ = true;
}

void HostB::Work() {
  while (running_) {
    if (broken_) Reconnect();
    bool pending = false;
    Link link;
    {
      std::lock_guard lock(send_lock_);
      pending = pending_ > 0;
      link = link_;
    }
    if (link.ok() && (pending || options_.endless)) link.DoWork();
    std::this_thread::sleep_for(options_.work_interval);
  }
}

bool HostB::ConnectUnderLock() {
  std::lock_guard process(Process().lock);
  const Link fresh = Link::Open(adaptor_, connection_, config_, &HostB::OnEvent);
  if (!fresh.ok()) return false;
  for (auto& [handle, host] : Process().by_handle) {
    if (handle == fresh.handle()) NoteViolation("a handle value was used again");
  }
  std::shared_ptr<HostB> self;
  for (auto& [handle, host] : Process().by_handle) {
    if (auto other = host.lock(); other.get() == this) self = other;
  }
  Process().by_handle[fresh.handle()] = self;
  std::lock_guard lock(send_lock_);
  link_ = fresh;
  broken_ =
      false;  // before an event of the new connection can come: it waits for the process's lock
  return true;
}

void HostB::Reconnect() {
  Link old;
  {
    std::lock_guard lock(send_lock_);
    old = std::exchange(link_, Link());
  }
  if (old.ok()) old.Disconnect();  // calls back, which takes the send lock
  for (int attempt = 0; attempt < options_.max_retries && running_; ++attempt) {
    if (ConnectUnderLock()) {
      ++reconnects_;
      return;
    }
    std::this_thread::sleep_for(options_.retry_interval);
  }
}

NvDsMsgApiErrorType HostB::Disconnect() {
  {
    std::lock_guard process(Process().lock);
    if (--users_ > 0) return NVDS_MSGAPI_OK;
  }
  std::lock_guard event(event_lock_);
  running_ = false;
  if (worker_.joinable()) worker_.join();
  NvDsMsgApiErrorType result = NVDS_MSGAPI_ERR;
  if (const Link last = link(); last.ok()) result = last.Disconnect();
  ledger_.on_callback = nullptr;
  return result;
}

bool HostCWaitOncePerSecond(const Link& link, const Ledger& ledger,
                            std::chrono::milliseconds silence) {
  Patience patience(ledger, silence);
  while (ledger.completed() < ledger.accepted()) {
    if (patience.over()) return false;
    link.DoWork();
    if (ledger.completed() >= ledger.accepted()) break;
    sleep(1);
  }
  return true;
}

}  // namespace dsmsg::conformance
