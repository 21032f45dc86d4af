// SPDX-License-Identifier: Apache-2.0
#include "adaptors/mqtt/wire.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "adaptors/mqtt/mosquitto_library.h"
#include "core/base/fork.h"
#include "core/base/limits.h"
#include "core/net/hints.h"

namespace dsmsg::mqtt {
namespace {

constexpr size_t kMostUnsent = size_t{256} << 10;
constexpr uint8_t kPuback = 0x40;

}  // namespace

// ---------------------------------------------------------------- open, close

Status MqttWire::Attach(int fd, const TlsSettings& tls, const HostPort& server, Answered answered,
                        Deadline deadline, int cancel_fd) {
  Close();
  const auto failed = [&server] {
    const int error = errno;
    return Status(Code::kUnavailable, "cannot set up the connection to " + server.ToString() +
                                          ": " + std::generic_category().message(error) +
                                          std::string(LimitAdvice(error)));
  };
  int ends[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
    return failed();
  }
  library_ = UniqueFd(ends[0]);
  const UniqueFd other(ends[1]);
  {
    ForkDelayed delayed;  // a child made in between would keep the connection open
    server_ = UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!server_.valid() || dup3(other.get(), fd, O_CLOEXEC) < 0) return failed();
    delayed.CloseInChildren(server_.get());
  }
  if (!tls.enabled) return {};
  Result<std::unique_ptr<TlsStream>> stream =
      TlsStream::Start(server_.get(), tls, server, deadline, cancel_fd, answered);
  if (!stream.ok()) return stream.status();
  tls_ = std::move(stream.value());
  return {};
}

void MqttWire::Close() {
  tls_.reset();
  server_.Reset();
  library_.Reset();
  out_.clear();
  header_.clear();
  acknowledgements_.clear();
  received_ = fed_ = sent_ = left_ = 0;
  dropping_ = unconfirmed_ = false;
  error_number_ = 0;
}

// ---------------------------------------------------------------- server

short MqttWire::Events(bool read) const {
  const int in = tls_ != nullptr ? tls_->read_events() : POLLIN;
  const int out = tls_ != nullptr ? tls_->write_events() : POLLOUT;
  return static_cast<short>((read ? in : 0) | (unsent() ? out : 0));
}

TransportIo MqttWire::Failed(int error) {
  if (error == EAGAIN || error == EWOULDBLOCK || error == EINTR) return TransportIo::kWouldBlock;
  error_number_ = error;
  return TransportIo::kError;
}

Status MqttWire::error() const {
  if (error_number_ == 0 && tls_ != nullptr) return tls_->error();
  return {Code::kUnavailable, std::generic_category().message(error_number_)};
}

TransportIo MqttWire::Receive() {
  if (fed_ < received_) return TransportIo::kOk;
  received_ = fed_ = 0;
  if (in_ == nullptr) in_ = std::make_unique_for_overwrite<char[]>(kPiece);
  const TransportIo io =
      tls_ != nullptr ? tls_->Receive(in_.get(), kPiece, &received_) : ReceivePlain();
  unconfirmed_ = unconfirmed_ || received_ > 0;
  return io;
}

void MqttWire::Confirm() {
  const int on = 1;
  if (!std::exchange(unconfirmed_, false)) return;
  (void)setsockopt(server_.get(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

TransportIo MqttWire::ReceivePlain() {
  const ssize_t got = recv(server_.get(), in_.get(), kPiece, MSG_DONTWAIT);
  if (got == 0) return TransportIo::kClosed;
  if (got < 0) return Failed(errno);
  received_ = static_cast<size_t>(got);
  return TransportIo::kOk;
}

bool MqttWire::AnsweredAsVersion5() {
  if (!server_.valid() || Receive() != TransportIo::kOk) return false;
  // The form of 3.1.1 has two bytes after the length and can only be a refusal.
  const std::string_view answer = received();
  return answer.size() >= 4 && static_cast<uint8_t>(answer[0]) == CMD_CONNACK && answer[1] != 2 &&
         static_cast<uint8_t>(answer[3]) != MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION;
}

bool MqttWire::Feed() {
  if (fed_ >= received_) return false;
  const ssize_t took = send(library_.get(), in_.get() + fed_, received_ - fed_, MSG_NOSIGNAL);
  if (took > 0) {
    fed_ += static_cast<size_t>(took);
  } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
    fed_ = received_;  // the library has closed its end and reads no more
  }
  return true;
}

TransportIo MqttWire::Send() {
  while (unsent()) {
    size_t done = 0;
    TransportIo io = TransportIo::kOk;
    if (tls_ != nullptr) {
      io = tls_->Send(out_.data() + sent_, out_.size() - sent_, &done);
    } else {
      const ssize_t took = send(server_.get(), out_.data() + sent_, out_.size() - sent_,
                                MSG_NOSIGNAL | MSG_DONTWAIT);
      if (took < 0) {
        io = Failed(errno);
      } else {
        done = static_cast<size_t>(took);
      }
    }
    sent_ += done;
    if (done > 0) unconfirmed_ = false;
    if (io != TransportIo::kOk) return io;
  }
  out_.clear();
  sent_ = 0;
  return TransportIo::kOk;
}

void MqttWire::Acknowledge(uint16_t id) {
  // In the middle of a packet, it must wait for the end.
  std::string& to = left_ > 0 && !dropping_ ? acknowledgements_ : out_;
  // The short form, of both versions: success.
  for (const int byte : {int{kPuback}, 2, id >> 8, id & 255}) to += static_cast<char>(byte);
}

// ---------------------------------------------------------------- library

size_t MqttWire::Collect() {
  out_.erase(0, std::exchange(sent_, 0));
  size_t all = 0;
  std::array<char, kPiece> piece;
  while (library_.valid() && out_.size() < kMostUnsent) {
    const ssize_t got = recv(library_.get(), piece.data(), piece.size(), 0);
    if (got <= 0) break;
    Filter({piece.data(), static_cast<size_t>(got)});
    all += static_cast<size_t>(got);
    if (static_cast<size_t>(got) < piece.size()) break;
  }
  return all;
}

void MqttWire::Filter(std::string_view bytes) {
  while (!bytes.empty()) {
    if (left_ > 0) {
      const std::string_view body = bytes.substr(0, left_);
      if (!dropping_) out_ += body;
      left_ -= body.size();
      bytes.remove_prefix(body.size());
      if (left_ == 0) out_ += std::exchange(acknowledgements_, {});
      continue;
    }
    // Type, then the length: seven bits a byte, the lowest first.
    header_ += bytes.front();
    bytes.remove_prefix(1);
    if (header_.size() < 2 || (static_cast<uint8_t>(header_.back()) & 0x80) != 0) continue;
    for (size_t i = 1; i < header_.size(); ++i) {
      left_ |= size_t{static_cast<uint8_t>(header_[i]) & 0x7fu} << (7 * (i - 1));
    }
    dropping_ = (static_cast<uint8_t>(header_.front()) & 0xf0) == kPuback;
    if (!dropping_) out_ += header_;
    header_.clear();
  }
}

}  // namespace dsmsg::mqtt
