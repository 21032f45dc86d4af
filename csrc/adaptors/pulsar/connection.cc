// SPDX-License-Identifier: Apache-2.0
#include "adaptors/pulsar/connection.h"

#include <algorithm>

#include "adaptors/pulsar/errors.h"
#include "core/net/dial.h"
#include "core/options/login.h"

namespace dsmsg::pulsar {
namespace {

constexpr size_t kReceiveSize = size_t{64} << 10;
// Before the broker has told its own; also the broker's default.
constexpr size_t kUsualMessageSize = size_t{5} << 20;
// What a frame has beside payload and metadata.
constexpr size_t kFrameBeside = size_t{64} << 10;
// An answer that is due and does not come is asked for this often, an idle broker that often.
constexpr Millis kAskInterval{1000}, kIdleInterval{15000};

}  // namespace

PulsarConnection::PulsarConnection(const PulsarSettings& settings)
    : settings_(settings), silence_(settings.silence_limit) {}

void PulsarConnection::Close() {
  stream_.Close();
  out_.clear();
  sent_ = 0;
  reader_.Reset();
  connected_ = false;
}

Peer PulsarConnection::peer() const {
  const Answered answered = heard_ && before_ == Answered::kNever ? Answered::kPartly : before_;
  return {"a Pulsar broker", answered, !settings_.tls.enabled};
}

Status PulsarConnection::Lost(const std::string& why) const {
  return {Code::kUnavailable, "lost the connection to " + name_ + ": " + why +
                                  (connected_ ? " (is it restarting? its log says why)"
                                              : Hint(Situation::kClosed, peer()))};
}

Status PulsarConnection::Broken() const {
  const Status error = stream_.error();
  return error.code() == Code::kAuth ? error : Lost(error.message());
}

Status PulsarConnection::Open(const HostPort& host, const std::string& proxy_to, Answered before,
                              Deadline deadline, int cancel_fd) {
  Close();
  host_ = host;
  name_ = host.ToString();
  proxy_to_ = proxy_to;
  before_ = before;
  heard_ = false;
  pings_ = pongs_ = 0;
  asked_ = {};
  silence_.Reset();
  max_message_size_ = kUsualMessageSize;
  reader_.SetLimit(max_message_size_ + kFrameBeside);
  Status status = stream_.Open(host, settings_.tls, peer().answered, deadline, cancel_fd);
  if (status.ok()) status = SendLogin();
  if (status.ok()) status = Handshake(deadline, cancel_fd);
  if (status.ok()) return status;
  Close();
  return status;
}

Status PulsarConnection::SendLogin() {
  const Result<Login> login = settings_.ReadLogin();
  if (!login.ok()) return login.status();
  if (connected_) {
    AppendAuthResponse(login.value(), &out_);
  } else {
    AppendConnect(login.value(), proxy_to_, &out_);
  }
  return {};
}

Status PulsarConnection::Handshake(Deadline deadline, int cancel_fd) {
  for (;;) {
    Command command;
    if (Status status = Next(&command); !status.ok()) return status;
    if (connected_) return {};
    if (command.type != Type::kNone) continue;
    if (Status status = Flush(); !status.ok()) return status;
    const auto events = static_cast<short>(read_events() | (unsent() > 0 ? write_events() : 0));
    const Code ready = buffered() ? Code::kOk : WaitFor(fd(), events, deadline, cancel_fd);
    if (ready == Code::kCancelled) return {ready, "connecting was cancelled"};
    bool got = false;
    if (Status status = Receive(&got); !status.ok()) return status;
    if (!got && ready == Code::kTimeout) {
      return {Code::kTimeout,
              "no answer to CONNECT from " + name_ + " in time" + Hint(Situation::kSilent, peer())};
    }
  }
}

// For a connection that accepts nothing more. Unsent bytes would cause the same error again.
bool PulsarConnection::SomethingToRead() {
  bool got = false;
  if (!Receive(&got).ok() || !got) return false;
  out_.clear();
  sent_ = 0;
  return true;
}

Status PulsarConnection::Flush() {
  while (unsent() > 0) {
    size_t done = 0;
    switch (stream_.Send(out_.data() + sent_, unsent(), &done)) {
      case Stream::Io::kOk:
        sent_ += done;
        break;
      case Stream::Io::kWouldBlock:
        return {};
      case Stream::Io::kClosed:
      case Stream::Io::kError: {
        const Status status = Broken();
        return SomethingToRead() ? Status() : status;
      }
    }
  }
  out_.clear();
  sent_ = 0;
  return {};
}

Status PulsarConnection::Receive(bool* got) {
  *got = false;
  size_t done = 0;
  switch (stream_.Receive(reader_.Space(kReceiveSize), kReceiveSize, &done)) {
    case Stream::Io::kOk:
      reader_.Filled(done);
      silence_.Heard();
      *got = true;
      return {};
    case Stream::Io::kWouldBlock:
      return {};
    case Stream::Io::kClosed:
    case Stream::Io::kError:
      return Broken();
  }
  return {};
}

// An error without a request of ours: of the login, or of its renewal.
Status PulsarConnection::TakeRefusal(const Command& command) const {
  const Status error = ServerError(command.error, command.text);
  if (error.code() != Code::kAuth) return {error.code(), name_ + ": " + error.message()};
  return LoginRefused(Code::kAuth, name_, settings_.login, command.text, settings_.Advice());
}

Status PulsarConnection::Next(Command* command) {
  for (;;) {
    switch (reader_.Next(command)) {
      case FrameReader::Outcome::kNone:
        command->type = Type::kNone;
        return {};
      case FrameReader::Outcome::kBroken:
        return {Code::kUnavailable,
                name_ + " does not speak Pulsar's protocol: " +
                    ForeignAnswer(reader_.unread().substr(0, 16), peer(), reader_.problem())};
      case FrameReader::Outcome::kCommand:
        break;
    }
    heard_ = true;
    switch (command->type) {
      case Type::kPing:
        AppendPong(&out_);
        break;
      case Type::kPong:
        pongs_ = pings_;
        break;
      case Type::kAuthChallenge:
        if (Status status = SendLogin(); !status.ok()) return status;
        break;
      case Type::kConnected:
        connected_ = true;
        if (command->max_message_size > 0) max_message_size_ = command->max_message_size;
        reader_.SetLimit(max_message_size_ + kFrameBeside);
        return {};
      case Type::kError:
        if (!connected_ || command->request == UINT64_MAX) return TakeRefusal(*command);
        return {};
      default:
        return {};
    }
  }
}

Status PulsarConnection::Tend(bool expecting, bool reading) {
  const Deadline now = Clock::now();
  if (pings_ != pongs_ && reading) return silence_.Check(stream_.fd(), name_);
  const Millis interval = expecting && reading ? kAskInterval : kIdleInterval;
  if (now - silence_.heard() < interval || now - asked_ < interval) return {};
  if (pings_ == pongs_) silence_.BeginExpecting();
  ++pings_;
  asked_ = now;
  AppendPing(&out_);
  return Flush();
}

}  // namespace dsmsg::pulsar
