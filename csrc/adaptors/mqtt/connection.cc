// SPDX-License-Identifier: Apache-2.0
#include "adaptors/mqtt/connection.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "adaptors/mqtt/dialect.h"
#include "adaptors/mqtt/errors.h"
#include "core/base/time.h"
#include "core/net/hints.h"

namespace dsmsg::mqtt {
namespace {

constexpr Millis kMiscInterval{1000};
constexpr int kReadsAtOnce = 64;
constexpr size_t kFirstBytes = 16;
// Two connections with the same client-id displace each other whenever one reconnects.
constexpr std::chrono::minutes kShortLife{1};
constexpr int kShortLivesOfRivals = 2;
// MQTT 3.1.1 cannot say how much a server accepts at once. Mosquitto (2.0.11) acknowledges QoS 2
// messages beyond its max_inflight_messages (20 by default) and loses them.
constexpr size_t kOlderQos2Window = 20;

}  // namespace

MqttConnection::MqttConnection(const MqttSettings& settings, Logger& log, MqttEvents& events)
    : settings_(settings),
      login_(settings.login),
      log_(log),
      events_(events),
      servers_(settings.hosts, "servers"),
      silence_(settings.silence_limit) {}

// ---------------------------------------------------------------- close

void MqttConnection::Forget() {
  object_.reset();
  wire_.Close();
  session_present_ = false;
  retain_available_ = true;
  connack_ = -1;
  disconnect_reason_ = 0;
  words_.clear();
  malformed_ = false;
  first_bytes_.clear();
  maximum_qos_ = 2;
  receive_maximum_ = 65535;
  attached_ = false;
  silence_.Reset();
  next_misc_ = read_since_ = Clock::now();
}

void MqttConnection::Close(Millis drain) {
  if (object_ == nullptr) return;
  if (version5_ && connack_ >= 0 && !IsVersionRefused(connack_)) Remember(true);
  if (drain.count() > 0 && connack_ == 0 && mosquitto_socket(object_.get()) >= 0) {
    mosquitto_disconnect(object_.get());
    const Deadline deadline = Clock::now() + std::min(drain, Millis(400));
    while (WriteAll().ok() && wire_.unsent()) {
      pollfd fd{wire_.fd(), wire_.Events(false), 0};
      if (poll(&fd, 1, PollTimeout(deadline)) <= 0) break;
    }
  }
  object_.reset();
  wire_.Close();
}

// ---------------------------------------------------------------- work

Status MqttConnection::Step(Millis timeout, int wake_fd, bool read, Progress* progress) {
  *progress = Progress();
  if (Status status = WriteAll(); !status.ok()) {
    if (status.code() == Code::kAuth) return status;
    // The reason why the server ended the connection may be waiting to be read.
    Status reason = ReadAll();
    return reason.ok() ? status : reason;
  }
  pollfd fds[2] = {{wire_.fd(), wire_.Events(read), 0}, {wake_fd, POLLIN, 0}};
  // Without any requested events, a closed connection would still report POLLHUP again and again.
  if (fds[0].events == 0) fds[0].fd = -1;
  const bool buffered = read && wire_.buffered();
  const int64_t wait = std::clamp<int64_t>(timeout.count(), 0, kMiscInterval.count());
  if (!buffered) wire_.Confirm();
  const int ready = poll(fds, 2, buffered ? 0 : static_cast<int>(wait));
  const short events = ready > 0 ? fds[0].revents : short{0};
  progress->woken = ready > 0 && fds[1].revents != 0;
  progress->worked = buffered || events != 0;
  if (read && progress->worked) {
    if (Status status = ReadAll(); !status.ok()) return status;
  }
  if (read) read_since_ = Clock::now();
  return KeepAlive(read);
}

Status MqttConnection::ReadAll() {
  for (int i = 0; i < kReadsAtOnce; ++i) {
    const TransportIo io = wire_.Receive();
    if (io == TransportIo::kWouldBlock) break;
    if (io != TransportIo::kOk) return WireLost(io);
    if (connack_ < 0) {
      if (Status status = CheckFirstBytes(); !status.ok()) return status;
    }
    if (Status status = Digest(); !status.ok()) return status;
    if (!wire_.may_hold_more()) break;
  }
  return {};
}

// With another protocol, the library may wait for more and does not say what it found.
Status MqttConnection::CheckFirstBytes() {
  if (!first_bytes_.empty()) return {};
  first_bytes_ = wire_.received().substr(0, kFirstBytes);
  const int type = static_cast<unsigned char>(first_bytes_[0]) & 0xf0;
  return type == CMD_CONNACK || type == CMD_DISCONNECT || type == CMD_AUTH ? Status() : Foreign();
}

Status MqttConnection::Foreign() const {
  return {Code::kUnavailable, "cannot log in at " + name_ + ": " +
                                  ForeignAnswer(first_bytes_, peer(), "its answer is not MQTT")};
}

// Makes the library read everything that was received.
Status MqttConnection::Digest() {
  while (wire_.Feed()) {
    for (int unread = 1; unread > 0;) {
      errno = 0;
      const int error = mosquitto_loop_read(object_.get(), 1);
      const int error_number = errno;
      const int fd = mosquitto_socket(object_.get());
      if (error != MOSQ_ERR_SUCCESS || fd < 0) return Lost(error, error_number);
      if (ioctl(fd, FIONREAD, &unread) != 0) return Lost(MOSQ_ERR_ERRNO, errno);
    }
  }
  return {};
}

// Sends what the library wrote, as far as the server accepts it.
Status MqttConnection::WriteAll() {
  for (bool wrote = false;; wrote = true) {
    const bool came = wire_.Collect() > 0;
    const TransportIo io = wire_.Send();
    if (io == TransportIo::kWouldBlock) return {};
    if (io != TransportIo::kOk) return WireLost(io);
    // Data that did not fit into the socket pair is still in the library. Since 2.1, it keeps
    // asking to write for ever once it has written DISCONNECT.
    if (!mosquitto_want_write(object_.get()) || (wrote && !came)) return {};
    errno = 0;
    const int error = mosquitto_loop_write(object_.get(), 1);
    if (error != MOSQ_ERR_SUCCESS) return Lost(error, errno);
  }
}

Status MqttConnection::WireLost(TransportIo io) {
  if (io == TransportIo::kClosed) return Lost(MOSQ_ERR_CONN_LOST, 0);
  const int error_number = wire_.error_number();
  if (error_number == ECONNRESET) return Lost(MOSQ_ERR_CONN_LOST, 0);
  if (error_number != 0) return Lost(MOSQ_ERR_ERRNO, error_number);
  // With TLS 1.3, a refusal of our certificate only shows after the handshake.
  const Status status = wire_.error();
  if (status.code() == Code::kAuth) return status;
  return {status.code(), "lost the connection to " + name_ + ": " + status.message() +
                             (connack_ < 0 ? Hint(Situation::kClosed, peer()) : std::string())};
}

// While nothing is read, the answer to a ping stays unread too, and the library would end the
// connection as silent.
Status MqttConnection::KeepAlive(bool reading) {
  const auto now = Clock::now();
  if (now < next_misc_) return {};
  next_misc_ = now + kMiscInterval;
  const auto patience = std::chrono::seconds(settings_.keep_alive) * 3 / 2;
  if (!reading && now - read_since_ > patience) return {};
  errno = 0;
  const int error = mosquitto_loop_misc(object_.get());
  return error == MOSQ_ERR_SUCCESS ? Status() : Lost(error, errno);
}

Peer MqttConnection::peer() const {
  return {"an MQTT server", servers_.AnsweredBy(name_, false), !settings_.tls.enabled};
}

Status MqttConnection::Lost(int error, int error_number) {
  malformed_ = error == MOSQ_ERR_PROTOCOL || error == MOSQ_ERR_MALFORMED_PACKET;
  return connack_ >= 0 ? LostOpen(error, error_number) : LostOpening(error, error_number);
}

Status MqttConnection::LostOpening(int error, int error_number) const {
  if (malformed_) return Foreign();
  if (disconnect_reason_ != 0) return DisconnectError(disconnect_reason_, name_);
  const Status status = LostError(error, error_number, name_);
  return {status.code(),
          status.message() + " before it answered the login" + Hint(Situation::kClosed, peer())};
}

Status MqttConnection::LostOpen(int error, int error_number) {
  const Status status = disconnect_reason_ != 0 ? DisconnectError(disconnect_reason_, name_)
                                                : LostError(error, error_number, name_);
  if (error == MOSQ_ERR_PROTOCOL && settings_.qos == 2) {
    // RabbitMQ acknowledges it like QoS 1.
    return {status.code(), status.message() + " (qos=2: some servers know only 0 and 1)"};
  }
  // With two connections of the same client-id, Mosquitto closes the older one, in MQTT 3.1.1
  // without a reason. A server being stopped does the same, but not repeatedly.
  const bool closed = error == MOSQ_ERR_SUCCESS || error == MOSQ_ERR_CONN_LOST;
  const bool rivals = closed && connack_ == 0 && disconnect_reason_ == 0 &&
                      settings_.client_id_given && Clock::now() - opened_ < kShortLife;
  short_lives_ = rivals ? short_lives_ + 1 : 0;
  if (short_lives_ < kShortLivesOfRivals) return status;
  const std::string advice =
      settings_.dialect != nullptr
          ? settings_.dialect->ShortLifeAdvice()
          : " (does another connection use client-id=" + settings_.client_id + "?)";
  return {status.code(), status.message() + ", soon after the login and again" + advice};
}

// ---------------------------------------------------------------- callbacks

void MqttConnection::SetCallbacks() {
  mosquitto* object = object_.get();
  mosquitto_connect_v5_callback_set(
      object, [](mosquitto*, void* self, int code, int flags, const mosquitto_property* list) {
        static_cast<MqttConnection*>(self)->OnConnack(code, flags, list);
      });
  mosquitto_disconnect_v5_callback_set(
      object, [](mosquitto*, void* self, int reason, const mosquitto_property*) {
        // The library's own errors are small numbers; the server's reasons start at 128.
        if (reason >= 128) static_cast<MqttConnection*>(self)->disconnect_reason_ = reason;
      });
  mosquitto_publish_v5_callback_set(
      object, [](mosquitto*, void* user, int mid, int reason, const mosquitto_property* list) {
        auto* self = static_cast<MqttConnection*>(user);
        self->silence_.Heard();
        self->events_.OnPublished(mid, reason, reason < 128 ? std::string() : ServersWords(list));
      });
  mosquitto_message_v5_callback_set(
      object,
      [](mosquitto*, void* user, const mosquitto_message* message, const mosquitto_property* list) {
        auto* self = static_cast<MqttConnection*>(user);
        self->silence_.Heard();
        self->events_.OnMessage(*message, list);
      });
  mosquitto_subscribe_callback_set(
      object, [](mosquitto*, void* user, int mid, int count, const int* granted) {
        auto* self = static_cast<MqttConnection*>(user);
        self->silence_.Heard();
        self->events_.OnSubscribed(mid, {granted, static_cast<size_t>(count)});
      });
  mosquitto_unsubscribe_callback_set(object, [](mosquitto*, void* user, int mid) {
    auto* self = static_cast<MqttConnection*>(user);
    self->silence_.Heard();
    self->events_.OnUnsubscribed(mid);
  });
}

void MqttConnection::OnConnack(int code, int flags, const mosquitto_property* properties) {
  connack_ = code;
  words_ = ServersWords(properties);
  silence_.Heard();
  session_present_ = (flags & 1) != 0;
  opened_ = Clock::now();
  if (code == 0) servers_.Worked(name_);
  if (!version5_ && settings_.qos == 2) receive_maximum_ = kOlderQos2Window;
  uint16_t receive_maximum = 0;
  if (mosquitto_property_read_int16(properties, MQTT_PROP_RECEIVE_MAXIMUM, &receive_maximum,
                                    false) != nullptr &&
      receive_maximum > 0) {
    receive_maximum_ = receive_maximum;
  }
  uint8_t byte = 0;
  if (mosquitto_property_read_byte(properties, MQTT_PROP_MAXIMUM_QOS, &byte, false) != nullptr) {
    maximum_qos_ = byte;
  }
  if (mosquitto_property_read_byte(properties, MQTT_PROP_RETAIN_AVAILABLE, &byte, false) !=
      nullptr) {
    retain_available_ = byte != 0;
  }
}

}  // namespace dsmsg::mqtt
