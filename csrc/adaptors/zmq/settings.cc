// SPDX-License-Identifier: Apache-2.0
#include "adaptors/zmq/settings.h"

#include <zmq.h>

#include <algorithm>

#include "core/options/config.h"
#include "core/options/settings.h"

namespace dsmsg::zmq {
namespace {

using Send = ZmqSettings::Send;
using Receive = ZmqSettings::Receive;
using Marker = ZmqAddress::Marker;

Status Invalid(std::string text) { return {Code::kInvalidArgument, std::move(text)}; }

Send ParseSend(const Config& config) {
  const std::string name = config.GetString("socket_type");
  // A user who only sets how to receive does not want to send.
  const bool receives_only = !config.IsSet("socket_type") &&
                             config.IsSet("subscribe_socket_type") &&
                             config.GetString("subscribe_address").empty();
  if (name == "NONE" || receives_only) return Send::kNone;
  if (name == "PUB") return Send::kPub;
  return name == "REQ" ? Send::kReq : Send::kPush;
}

Receive ParseReceive(const std::string& name) {
  if (name == "PULL") return Receive::kPull;
  return name == "REP" ? Receive::kRep : Receive::kSub;
}

/// Whether a socket binds; the same for all of its addresses. `binder`: sockets of this kind
/// usually bind.
Result<bool> DecideBind(const std::vector<ZmqAddress>& addresses, const std::string& option,
                        bool binder) {
  bool first = true, binds = false;
  for (const ZmqAddress& address : addresses) {
    bool bind = address.marker == Marker::kBind;
    if (address.marker == Marker::kNone && address.transport != ZmqAddress::Transport::kTcp) {
      bind = binder;
    }
    if (option == "1") {
      if (address.marker == Marker::kConnect) {
        return Invalid("bind: bind=1 contradicts the '>' of " + address.text);
      }
      bind = true;
    } else if (option == "0") {
      if (address.marker == Marker::kBind) {
        return Invalid("bind: bind=0 contradicts the '*' or '@' of " + address.text +
                       " (name the host to connect to)");
      }
      bind = false;
    }
    if (!bind && address.transport == ZmqAddress::Transport::kTcp && address.host_port.port == 0) {
      return Invalid("bind: the port of " + address.text +
                     " is missing (a free port, *, is only for a socket that binds)");
    }
    if (!first && bind != binds) {
      return Invalid(
          "bind: some of the addresses would be bound and some connected (mark all of "
          "them with @ or all with >)");
    }
    binds = bind;
    first = false;
  }
  return binds;
}

Status ReadTargets(const Endpoints& endpoints, const Config& config, ZmqSettings* out) {
  if (endpoints.address.empty()) {
    return Invalid(
        "no address is given (conn-str is for example \"zmq://tcp://*:5555\", or set "
        "hostname and port in the config file)");
  }
  Result<std::vector<ZmqAddress>> main = ParseZmqAddresses(endpoints.address, "connection string");
  if (!main.ok()) return main.status();
  out->send_target.addresses = out->receive_target.addresses = std::move(main.value());
  const std::string bind = config.GetString("bind");
  std::string receive_bind = bind;
  if (const std::string own = config.GetString("subscribe_address"); !own.empty()) {
    Result<std::vector<ZmqAddress>> addresses = ParseZmqAddresses(own, "subscribe_address");
    if (!addresses.ok()) return addresses.status();
    out->receive_target.addresses = std::move(addresses.value());
    receive_bind = "auto";
    out->both = out->send != Send::kNone;
  }
  if (out->send != Send::kNone) {
    Result<bool> binds = DecideBind(out->send_target.addresses, bind, out->send == Send::kPub);
    if (!binds.ok()) return binds.status();
    out->send_target.bind = binds.value();
  }
  Result<bool> binds =
      DecideBind(out->receive_target.addresses, receive_bind, out->receive != Receive::kSub);
  if (!binds.ok()) return binds.status();
  out->receive_target.bind = binds.value();
  return {};
}

Status CheckKey(const char* option, const std::string& key) {
  if (key.empty()) return {};
  uint8_t raw[32];
  if (key.size() == 40 && zmq_z85_decode(raw, key.c_str()) != nullptr) return {};
  return Invalid(
      std::string(option) +
      ": a CURVE key is 40 characters of Z85 text (generate a pair with zmq_curve_keypair, for "
      "example python3 -c 'import zmq; print(zmq.curve_keypair())')");
}

Status CheckPair(const ZmqSettings& settings) {
  if (settings.curve_secret_key.empty()) {
    if (settings.curve_public_key.empty()) return {};
    return Invalid("curve-public-key: curve-secret-key is missing (the two are a pair)");
  }
  if (settings.curve_public_key.empty()) return {};
  char derived[41];
  if (zmq_curve_public(derived, settings.curve_secret_key.c_str()) != 0 ||
      settings.curve_public_key != derived) {
    return Invalid("curve-public-key: it does not belong to curve-secret-key");
  }
  return {};
}

// Every socket that is encrypted must have what its side needs: a wrong key only shows as a
// connection closed by the other side.
Status CheckCurveOf(const ZmqTarget& target, const ZmqSettings& settings) {
  for (const ZmqAddress& address : target.addresses) {
    if (address.transport == ZmqAddress::Transport::kInproc) {
      return Invalid(
          "curve-secret-key: inproc has no encryption and needs none (leave curve-* "
          "out)");
    }
  }
  if (target.bind && settings.curve_secret_key.empty()) {
    return Invalid("curve-secret-key: " + target.ToString() +
                   " is bound, so it is the CURVE server and needs its own pair of keys "
                   "(curve-secret-key, curve-public-key; curve-server-key is for a socket that "
                   "connects)");
  }
  if (!target.bind && settings.curve_server_key.empty()) {
    return Invalid("curve-server-key: " + target.ToString() +
                   " is connected, so it needs the public key of the socket that binds there");
  }
  return {};
}

Status ReadSecurity(const Config& config, ZmqSettings* out) {
  out->curve_server_key = config.GetString("curve-server-key");
  out->curve_public_key = config.GetString("curve-public-key");
  out->curve_secret_key = config.GetString("curve-secret-key");
  out->user = config.GetString("username");
  out->password = config.GetString("password");
  const bool curve = !out->curve_server_key.empty() || !out->curve_public_key.empty() ||
                     !out->curve_secret_key.empty();
  if (curve && (!out->user.empty() || !out->password.empty())) {
    return Invalid("username: PLAIN (username, password) and CURVE (curve-*) exclude each other");
  }
  const bool sends = out->send != Send::kNone;
  const bool connects = sends ? !out->send_target.bind || (out->both && !out->receive_target.bind)
                              : !out->receive_target.bind;
  if (!out->user.empty() && !connects) {
    return Invalid("username: " + out->send_target.ToString() +
                   " is bound; a password (PLAIN) is for a socket that connects, use curve-* here");
  }
  if (!curve) return {};
  if (zmq_has("curve") == 0) {
    return {Code::kNotSupported,
            "curve-server-key: this libzmq was built without CURVE (install one with libsodium)"};
  }
  if (Status status = CheckKey("curve-server-key", out->curve_server_key); !status.ok()) {
    return status;
  }
  if (Status status = CheckKey("curve-public-key", out->curve_public_key); !status.ok()) {
    return status;
  }
  if (Status status = CheckKey("curve-secret-key", out->curve_secret_key); !status.ok()) {
    return status;
  }
  if (Status status = CheckPair(*out); !status.ok()) return status;
  if (sends) {
    if (Status status = CheckCurveOf(out->send_target, *out); !status.ok()) return status;
  }
  return sends && !out->both ? Status() : CheckCurveOf(out->receive_target, *out);
}

Status CheckUse(const Config& config, const ZmqSettings& settings) {
  const std::string type = config.GetString("socket_type");
  for (const char* option : {"wait_for_subscribers", "no_drop"}) {
    if (config.GetBool(option) && settings.send != Send::kPub) {
      return Invalid(std::string(option) + ": it needs socket_type=PUB, not " + type);
    }
  }
  return {};
}

}  // namespace

std::string ZmqTarget::ToString() const {
  std::string out;
  for (const ZmqAddress& address : addresses) out += (out.empty() ? "" : ",") + address.text;
  return out;
}

Result<ZmqSettings> ReadSettings(const Endpoints& endpoints, const Config& config) {
  ZmqSettings settings;
  settings.send = ParseSend(config);
  settings.receive = ParseReceive(config.GetString("subscribe_socket_type"));
  if (Status status = ReadTargets(endpoints, config, &settings); !status.ok()) return status;
  if (Status status = CheckUse(config, settings); !status.ok()) return status;
  if (Status status = ReadSecurity(config, &settings); !status.ok()) return status;
  const std::string frame = config.GetString("topic_frame");
  settings.topic_frame = frame == "1" || (frame == "auto" && settings.send == Send::kPub);
  settings.high_water_mark = static_cast<int>(config.GetInt("high_water_mark"));
  settings.linger = config.GetMillis("linger");
  settings.request_timeout = config.GetMillis("request_timeout");
  settings.retries = config.GetInt("retries");
  settings.connect_timeout = config.GetMillis("connect-timeout");
  settings.reconnect_interval = config.GetMillis("reconnect_interval");
  settings.reconnect_max_interval = config.GetMillis("reconnect-max-interval");
  settings.heartbeat = config.GetMillis("heartbeat-interval");
  settings.wait_for_subscribers = config.GetBool("wait_for_subscribers");
  settings.no_drop = config.GetBool("no_drop");
  settings.lazy = config.GetString("connect") == "lazy";
  return settings;
}

Status AdjustSettings(Settings* settings) {
  const Config& config = settings->config;
  if (config.IsSet("max_reconnect_attempts")) {
    const int64_t attempts = config.GetInt("max_reconnect_attempts");
    const bool same =
        attempts != 0 && std::max<int64_t>(attempts, 0) == config.GetInt("reconnect-attempts");
    if (config.IsSet("reconnect-attempts") && !same) {
      return Invalid(
          "max_reconnect_attempts: it contradicts reconnect-attempts (set only one of them)");
    }
    settings->reconnect_attempts = std::max<int64_t>(attempts, 0);
    if (attempts == 0) settings->reconnect = false;
  }
  if (config.GetString("socket_type") == "REQ" && !config.IsSet("send_timeout")) {
    settings->send_timeout = config.GetMillis("request_timeout") * (config.GetInt("retries") + 1);
  }
  // A single frame carries no topic, so none is needed; to PUB, an empty topic is a topic.
  settings->topic_optional = config.GetString("topic_frame") != "1";
  return {};
}

const char* Name(Send type) {
  switch (type) {
    case Send::kPush:
      return "PUSH";
    case Send::kPub:
      return "PUB";
    case Send::kReq:
      return "REQ";
    case Send::kNone:
      break;
  }
  return "NONE";
}

const char* Name(Receive type) {
  switch (type) {
    case Receive::kPull:
      return "PULL";
    case Receive::kRep:
      return "REP";
    case Receive::kSub:
      break;
  }
  return "SUB";
}

const char* PeerName(Send type) {
  switch (type) {
    case Send::kPush:
      return "PULL";
    case Send::kPub:
      return "SUB";
    case Send::kReq:
      return "REP";
    case Send::kNone:
      break;
  }
  return "NONE";
}

const char* PeerName(Receive type) {
  switch (type) {
    case Receive::kPull:
      return "PUSH";
    case Receive::kRep:
      return "REQ";
    case Receive::kSub:
      break;
  }
  return "PUB";
}

}  // namespace dsmsg::zmq
