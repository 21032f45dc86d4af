// SPDX-License-Identifier: Apache-2.0
// The options set on every socket.
#include <zmq.h>

#include <algorithm>
#include <array>

#include "adaptors/zmq/socket.h"

namespace dsmsg::zmq {

int ZmqMillis(Millis time) { return static_cast<int>(std::min<int64_t>(time.count(), 1 << 30)); }

Status ZmqSocket::SetInt(int option, int value) {
  if (zmq_setsockopt(socket_, option, &value, sizeof value) == 0) return {};
  return Failed("setting an option of");
}

Status ZmqSocket::SetBytes(int option, std::string_view value) {
  if (zmq_setsockopt(socket_, option, value.data(), value.size()) == 0) return {};
  return Failed("setting an option of");
}

Status ZmqSocket::SetCommon(bool persistent, bool bind) {
  // The core reopens a lost connection, with its backoff and a new name lookup; libzmq does so if
  // there are several connections, or if the core must not. (When told not to reconnect, libzmq
  // discards unread messages.)
  const bool own_reconnect = persistent || kind_.keeps || targets_ > 1;
  const std::pair<int, int> options[] = {
      {ZMQ_LINGER, ZmqMillis(settings_.linger)},
      {ZMQ_SNDHWM, settings_.high_water_mark},
      {ZMQ_RCVHWM, settings_.high_water_mark},
      {ZMQ_IPV6, 1},
      {ZMQ_TCP_KEEPALIVE, 1},
      {ZMQ_HANDSHAKE_IVL, ZmqMillis(settings_.connect_timeout)},
      {ZMQ_RECONNECT_IVL, own_reconnect ? ZmqMillis(settings_.reconnect_interval) : -1},
      {ZMQ_RECONNECT_IVL_MAX, own_reconnect ? ZmqMillis(settings_.reconnect_max_interval) : 0},
      {ZMQ_IMMEDIATE, !kind_.keeps && !bind ? 1 : 0},  // nothing is sent without a peer
      {ZMQ_HEARTBEAT_IVL, ZmqMillis(settings_.heartbeat)},
      {ZMQ_HEARTBEAT_TIMEOUT, ZmqMillis(settings_.heartbeat * 3)}};
  for (const auto& [option, value] : options) {
    if (Status status = SetInt(option, value); !status.ok()) return status;
  }
  return SetSecurity(bind);
}

Status ZmqSocket::SetSecurity(bool bind) {
  if (bind) {
    if (settings_.curve_secret_key.empty()) return {};
    if (Status status = SetInt(ZMQ_CURVE_SERVER, 1); !status.ok()) return status;
    return SetBytes(ZMQ_CURVE_SECRETKEY, settings_.curve_secret_key);
  }
  if (!settings_.user.empty()) {
    if (Status status = SetBytes(ZMQ_PLAIN_USERNAME, settings_.user); !status.ok()) return status;
    return SetBytes(ZMQ_PLAIN_PASSWORD, settings_.password);
  }
  if (settings_.curve_server_key.empty()) return {};
  std::array<char, 41> public_key{}, secret_key{};
  if (settings_.curve_secret_key.empty()) {
    if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0) return Failed("keys for");
  } else {
    settings_.curve_secret_key.copy(secret_key.data(), secret_key.size() - 1);
    if (zmq_curve_public(public_key.data(), secret_key.data()) != 0) return Failed("keys for");
  }
  if (Status status = SetBytes(ZMQ_CURVE_SERVERKEY, settings_.curve_server_key); !status.ok()) {
    return status;
  }
  if (Status status = SetBytes(ZMQ_CURVE_PUBLICKEY, {public_key.data(), 40}); !status.ok()) {
    return status;
  }
  return SetBytes(ZMQ_CURVE_SECRETKEY, {secret_key.data(), 40});
}

}  // namespace dsmsg::zmq
