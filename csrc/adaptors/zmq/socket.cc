// SPDX-License-Identifier: Apache-2.0
#include "adaptors/zmq/socket.h"

#include <zmq.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "adaptors/zmq/probe.h"
#include "core/base/limits.h"
#include "core/net/hints.h"

#ifdef __SANITIZE_THREAD__
extern "C" void AnnotateIgnoreReadsBegin(const char* file, int line);
extern "C" void AnnotateIgnoreReadsEnd(const char* file, int line);
#endif

namespace dsmsg::zmq {
namespace {

constexpr int kEvents = ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_MONITOR_STOPPED |
                        ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                        ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

// libzmq hands messages over with atomic operations that ThreadSanitizer does not see: reading them
// here does not race with its thread.
struct UnseenHandover {
#ifdef __SANITIZE_THREAD__
  UnseenHandover() { AnnotateIgnoreReadsBegin(__FILE__, __LINE__); }
  ~UnseenHandover() { AnnotateIgnoreReadsEnd(__FILE__, __LINE__); }
#endif
};

struct ZmqFrame {
  ZmqFrame() { zmq_msg_init(&msg); }
  ~ZmqFrame() { zmq_msg_close(&msg); }
  ZmqFrame(const ZmqFrame&) = delete;
  ZmqFrame& operator=(const ZmqFrame&) = delete;
  std::string Text() {
    [[maybe_unused]] const UnseenHandover unseen;
    return {static_cast<const char*>(zmq_msg_data(&msg)), zmq_msg_size(&msg)};
  }
  zmq_msg_t msg;
};

const char* BindAdvice(int error) {
  switch (error) {
    case EADDRINUSE:
      return " (another program, or another handle, is bound there: `ss -ltnp` names it)";
    case EADDRNOTAVAIL:
    case ENODEV:
      return " (no interface of this machine has that name or address: use *, a number, or the "
             "name of an interface such as eth0)";
    case EACCES:
    case EPERM:
      return " (not permitted: is the port below 1024, or may this user not write to the directory "
             "of the ipc path?)";
    case ENOENT:
      return " (does the directory exist?)";
    default:
      return LimitAdvice(error).data();
  }
}

// Advice for a failed handshake's ZMQ_PROTOCOL_ERROR_*; null: nothing more is known.
const char* MechanismAdvice(uint32_t error) {
  if (error == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH) {
    return " (give both sides curve- keys, or both a user and password, or neither)";
  }
  if (error == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC) {
    return " (is curve-server-key the public key of its pair?)";
  }
  return nullptr;
}

int DescriptorOf(void* socket) {
  int fd = -1;
  size_t size = sizeof fd;
  return zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0 ? fd : -1;
}

}  // namespace

bool ReadZmqEvent(void* monitor, bool wait, ZmqEvent* event) {
  std::array<char, 6> head{};
  int size;
  do {
    size = zmq_recv(monitor, head.data(), head.size(), wait ? 0 : ZMQ_DONTWAIT);
  } while (size < 0 && errno == EINTR);
  if (size != static_cast<int>(head.size())) return false;
  uint16_t id = 0;
  uint32_t value = 0;
  std::memcpy(&id, head.data(), sizeof id);
  std::memcpy(&value, head.data() + sizeof id, sizeof value);
  ZmqFrame address;
  if (zmq_msg_recv(&address.msg, monitor, 0) < 0) return false;  // the second frame is there
  event->id = id;
  event->value = value;
  event->address = address.Text();
  return true;
}

// ---------------------------------------------------------------- life

Status ZmqSocket::Failed(const char* what) const {
  const int error = errno;
  return {Code::kUnavailable, std::string(what) + " the " + kind_.name + " socket" +
                                  (address_.empty() ? "" : " of " + address_) + " failed: " +
                                  zmq_strerror(error) + std::string(LimitAdvice(error))};
}

Status ZmqSocket::Create() {
  Close(Millis(0), Millis(0));
  if (context_ == nullptr) {
    Result<std::shared_ptr<ZmqContext>> context = ZmqContext::Get();
    if (!context.ok()) return context.status();
    context_ = std::move(context.value());
  }
  socket_ = context_->NewSocket(kind_.type);
  if (socket_ == nullptr) return Failed("making");
  up_.clear();
  lost_ = 0;
  reason_.clear();
  advice_ = nullptr;
  refused_ = silent_ = greets_ = false;
  return StartMonitor();
}

// The reading end has no high-water mark, because libzmq would block its I/O thread if a monitor is
// full.
Status ZmqSocket::StartMonitor() {
  const std::string name = context_->NewMonitorName();
  void* monitor = context_->NewSocket(ZMQ_PAIR);
  if (monitor == nullptr) return Failed("watching");
  constexpr int kNone = 0;
  if (zmq_setsockopt(monitor, ZMQ_RCVHWM, &kNone, sizeof kNone) != 0 ||
      zmq_setsockopt(monitor, ZMQ_LINGER, &kNone, sizeof kNone) != 0 ||
      zmq_socket_monitor(socket_, name.c_str(), kEvents) != 0) {
    const Status status = Failed("watching");
    zmq_close(monitor);
    return status;
  }
  if (zmq_connect(monitor, name.c_str()) != 0) {
    const Status status = Failed("watching");
    zmq_socket_monitor(socket_, nullptr, 0);
    zmq_close(monitor);
    return status;
  }
  monitor_ = monitor;
  return {};
}

void ZmqSocket::Close(Millis linger, Millis patience) {
  if (socket_ == nullptr) return;
  for (const std::string& name : inproc_bound_) context_->InprocUnbound(name);
  inproc_bound_.clear();
  inproc_binders_.clear();
  const int time = ZmqMillis(linger);
  zmq_setsockopt(socket_, ZMQ_LINGER, &time, sizeof time);
  zmq_close(socket_);
  socket_ = nullptr;
  up_.clear();
  if (monitor_ == nullptr) return;
  // The monitor ends with the socket: by then what it held has been sent, and its port is free.
  const Deadline deadline = Clock::now() + patience;
  for (bool stopped = false;;) {
    ZmqEvent event;
    while (!stopped && ReadZmqEvent(monitor_, /*wait=*/false, &event)) {
      stopped = event.id == ZMQ_EVENT_MONITOR_STOPPED;
    }
    if (stopped) {
      zmq_close(monitor_);
      break;
    }
    zmq_pollitem_t item{monitor_, 0, ZMQ_POLLIN, 0};
    if (zmq_poll(&item, 1, PollTimeout(deadline)) <= 0 && Clock::now() >= deadline) {
      context_->KeepUntilStopped(monitor_);
      break;
    }
  }
  monitor_ = nullptr;
}

// ---------------------------------------------------------------- addresses

Status ZmqSocket::Open(const ZmqTarget& target, bool persistent, bool probe, Deadline deadline,
                       int cancel_fd) {
  address_ = target.ToString();
  bound_ = target.bind;
  persistent_ = persistent;
  targets_ = target.addresses.size();
  if (Status status = SetCommon(persistent, target.bind); !status.ok()) return status;
  Status failed;
  size_t opened = 0, left = targets_;
  for (const ZmqAddress& address : target.addresses) {
    const auto now = Clock::now();  // read once: the deadline may be the end of time
    const Deadline share = now + (deadline - now) / static_cast<int64_t>(left--);
    const Status status = target.bind ? Bind(address) : Connect(address, probe, share, cancel_fd);
    if (status.code() == Code::kCancelled || (target.bind && !status.ok())) return status;
    if (status.ok()) {
      ++opened;
    } else {
      failed = status;
      if (targets_ > 1) log_.Limited(LogLevel::kWarn, address.text, status.message());
    }
  }
  return opened > 0 ? Status() : failed;
}

Status ZmqSocket::Bind(const ZmqAddress& address) {
  const bool ipc = address.transport == ZmqAddress::Transport::kIpc;
  if (ipc && IpcInUse(address.path)) {
    return {Code::kUnavailable, "cannot bind " + address.text + ": address in use" +
                                    std::string(BindAdvice(EADDRINUSE))};
  }
  if (zmq_bind(socket_, address.text.c_str()) != 0) {
    return {Code::kUnavailable,
            "cannot bind " + address.text + ": " + zmq_strerror(errno) + BindAdvice(errno)};
  }
  if (address.transport == ZmqAddress::Transport::kInproc) {
    context_->InprocBound(address.path);
    inproc_bound_.push_back(address.path);
  }
  if (address.host_port.port == 0 && address.transport == ZmqAddress::Transport::kTcp) {
    std::array<char, 256> chosen{};
    size_t size = chosen.size();
    if (zmq_getsockopt(socket_, ZMQ_LAST_ENDPOINT, chosen.data(), &size) == 0) {
      address_ = chosen.data();
      log_.Warn(std::string(kind_.name) + " is bound to " + address_);
    }
  }
  return {};
}

Status ZmqSocket::Connect(const ZmqAddress& address, bool probe, Deadline deadline, int cancel_fd) {
  std::string endpoint = address.text;
  if (address.transport == ZmqAddress::Transport::kInproc) {
    const uint64_t binder = context_->InprocBinder(address.path);
    if (binder == 0) {
      return {Code::kUnavailable,
              "cannot connect to " + address.text +
                  ": no handle of this adaptor in this process is bound to it (bind one first; "
                  "inproc does not reach other libraries' sockets)"};
    }
    inproc_binders_[address.path] = binder;
    up_.insert(address.text);  // there is no handshake
  } else {
    if (probe) {
      const Result<ZmqFound> found = ProbeZmq(address, AnsweredAt(address), deadline, cancel_fd);
      if (!found.ok()) return found.status();
      answered_[address.text] = found->endpoint;
      greets_ = greets_ || found->greets;
    }
    // A persistent socket looks the name up again each time.
    const auto known = answered_.find(address.text);
    if (!persistent_ && known != answered_.end()) endpoint = known->second;
  }
  if (zmq_connect(socket_, endpoint.c_str()) == 0) return {};
  const int error = errno;
  return {Code::kUnavailable, "cannot connect to " + address.text + ": " + zmq_strerror(error) +
                                  std::string(LimitAdvice(error))};
}

// ---------------------------------------------------------------- peers

void ZmqSocket::Note(const ZmqEvent& event) {
  switch (event.id) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
      up_.insert(event.address);
      worked_.insert(event.address);
      break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
      silent_ = event.value != EPIPE && event.value != ECONNRESET;
      reason_ = silent_ ? "no answer in time" : "the other side closed the connection";
      advice_ = nullptr;
      break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      reason_ = "the other side refused our key or password";
      advice_ = " (CURVE: it must know our public key; PLAIN: check USER_ZMQ and PASSWORD_ZMQ)";
      refused_ = true;
      break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      refused_ = event.value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH ||
                 event.value == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC;
      reason_ = event.value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH
                    ? "one side wants encryption (CURVE) or a password (PLAIN) and the other does "
                      "not"
                    : "it speaks ZeroMQ's protocol in a way that we do not understand";
      advice_ = MechanismAdvice(event.value);
      break;
    case ZMQ_EVENT_DISCONNECTED:
    case ZMQ_EVENT_CLOSED:
      ++lost_;
      if (up_.erase(event.address) > 0 && (persistent_ || targets_ > 1)) {
        log_.Limited(LogLevel::kWarn, event.address, "lost the connection to " + event.address);
      }
      break;
    default:
      break;
  }
}

Answered ZmqSocket::AnsweredAt(const ZmqAddress& address) const {
  const auto found = answered_.find(address.text);
  const bool known = worked_.contains(address.text) ||
                     (found != answered_.end() && worked_.contains(found->second));
  return known ? Answered::kBefore : Answered::kNever;
}

// With several addresses, it is not known which one failed.
Peer ZmqSocket::peer() const {
  const bool known = targets_ == 1 && !worked_.empty();
  return {"a ZeroMQ socket", known ? Answered::kBefore : Answered::kNever, false};
}

Status ZmqSocket::HandshakeError() const {
  const bool curve = !settings_.curve_server_key.empty();
  std::string advice;
  if (advice_ != nullptr) {
    advice = advice_;
  } else if (greets_ && !silent_ && peer().answered == Answered::kNever) {
    advice = std::string(" (is it a ") + kind_.peer + " socket" +
             (curve ? ", and is curve-server-key the public key of its pair?)"
                    : ", and does it ask for CURVE or a password?)");
  } else {
    advice = Hint(silent_ ? Situation::kSilent : Situation::kClosed, peer());
  }
  return {refused_  ? Code::kAuth
          : silent_ ? Code::kTimeout
                    : Code::kUnavailable,
          "the ZeroMQ handshake with " + address_ + " failed: " +
              (reason_.empty() ? "the other side closed the connection" : reason_) + advice};
}

Status ZmqSocket::WaitForPeer(Deadline deadline, int cancel_fd) {
  if (bound_) return {};
  for (;;) {
    ZmqEvent event;
    while (ReadZmqEvent(monitor_, /*wait=*/false, &event)) Note(event);
    if (connected()) return {};
    if (!persistent_ && targets_ == 1 && lost_ > 0) return HandshakeError();
    if (Clock::now() >= deadline) {
      if (!reason_.empty()) return HandshakeError();
      return {Code::kTimeout, "the ZeroMQ handshake with " + address_ + " did not finish in time" +
                                  Hint(Situation::kSilent, peer())};
    }
    pollfd fds[] = {{DescriptorOf(monitor_), POLLIN, 0}, {cancel_fd, POLLIN, 0}};
    int events = 0;
    size_t size = sizeof events;
    const bool ready =
        zmq_getsockopt(monitor_, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN) != 0;
    if (!ready) ::poll(fds, 2, PollTimeout(deadline));
    if (fds[1].revents != 0) return {Code::kCancelled, "connecting was cancelled"};
  }
}

Status ZmqSocket::CheckInproc() {
  for (const auto& [name, binder] : inproc_binders_) {
    if (context_->InprocBinder(name) != binder) {
      return {Code::kUnavailable, "the other end of inproc://" + name + " was closed"};
    }
  }
  return {};
}

Status ZmqSocket::CheckPeers() {
  Events();  // otherwise the descriptor stays readable because of unread events
  ZmqEvent event;
  while (ReadZmqEvent(monitor_, /*wait=*/false, &event)) Note(event);
  if (bound_ || persistent_) return {};
  if (Status status = CheckInproc(); !status.ok()) return status;
  if (!up_.empty() || lost_ < targets_) return {};
  if (!reason_.empty()) return HandshakeError();
  return {Code::kUnavailable,
          "lost the connection to " + address_ + ": the other side closed it or is gone"};
}

// ---------------------------------------------------------------- frames

Result<bool> ZmqSocket::Send(const std::vector<std::string_view>& frames) {
  for (size_t i = 0; i < frames.size(); ++i) {
    const int more = i + 1 < frames.size() ? ZMQ_SNDMORE : 0;
    int sent;
    do {
      sent = zmq_send(socket_, frames[i].data(), frames[i].size(), ZMQ_DONTWAIT | more);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) continue;
    // If the connection is lost between two frames, libzmq takes the first one back. A publisher
    // checks the limits only before the first.
    if (errno == EAGAIN && (i == 0 || kind_.type != ZMQ_XPUB)) return false;
    return Failed("sending on");
  }
  return true;
}

Result<bool> ZmqSocket::Receive(std::vector<std::string>* frames) {
  frames->clear();
  for (;;) {
    ZmqFrame frame;
    int size;
    do {
      size = zmq_msg_recv(&frame.msg, socket_, ZMQ_DONTWAIT);
    } while (size < 0 && errno == EINTR);
    if (size < 0) {
      if (errno == EAGAIN) return false;
      return Failed("receiving on");
    }
    frames->push_back(frame.Text());
    if (zmq_msg_more(&frame.msg) == 0) return true;
  }
}

int ZmqSocket::Events() const {
  int events = 0;
  size_t size = sizeof events;
  if (socket_ == nullptr || zmq_getsockopt(socket_, ZMQ_EVENTS, &events, &size) != 0) return 0;
  return events;
}

void ZmqSocket::AddTo(std::vector<pollfd>* fds) const {
  if (socket_ == nullptr) return;
  fds->push_back({DescriptorOf(socket_), POLLIN, 0});
  fds->push_back({DescriptorOf(monitor_), POLLIN, 0});
}

}  // namespace dsmsg::zmq
