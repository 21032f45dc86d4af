// SPDX-License-Identifier: Apache-2.0
// The way to an open connection: servers, versions, addresses, TLS, CONNECT.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "adaptors/mqtt/connection.h"
#include "adaptors/mqtt/errors.h"
#include "core/base/fork.h"
#include "core/net/dial.h"

namespace dsmsg::mqtt {
namespace {

// For this long, a server is not asked again which version it speaks.
constexpr std::chrono::hours kRemembered{1};

void SetOption(int fd, int level, int name, int value) {
  // Best effort: the connection works without any of them.
  (void)setsockopt(fd, level, name, &value, sizeof value);
}

}  // namespace

Status MqttConnection::Open(Deadline deadline, int cancel_fd) {
  if (settings_.dialect != nullptr) {
    Result<Login> login = settings_.dialect->NewLogin(deadline, cancel_fd);
    if (!login.ok()) return login.status();
    login_ = std::move(login.value());
  }
  return servers_.Open(
      deadline,
      [&](const HostPort& server, Deadline share) { return OpenServer(server, share, cancel_fd); },
      [this] {
        Close(Millis(0));
        short_lives_ = 0;  // a rival leaves the server free to answer at once
      });
}

Status MqttConnection::OpenServer(const HostPort& server, Deadline deadline, int cancel_fd) {
  name_ = server.ToString();
  const Result<std::vector<Address>> addresses =
      Resolve(server, deadline, cancel_fd, peer().answered);
  if (!addresses.ok()) return addresses.status();
  if (!settings_.version5 || KnownFor(false)) {
    Status status = OpenVersion(server, addresses.value(), false, deadline, cancel_fd);
    // Another server may have the address now.
    if (!status.ok() && attached_ && (connack_ < 0 || IsVersionRefused(connack_))) {
      spoken_.erase(name_);
    }
    return status;
  }
  Status status = OpenVersion(server, addresses.value(), true, deadline, cancel_fd);
  if (status.ok() || status.code() == Code::kCancelled) return status;
  return OpenOlder(server, addresses.value(), status, deadline, cancel_fd);
}

// Servers that only speak 3.1.1 either say that they do not know version 5 (old ones in a form that
// libmosquitto 2.0.21 finds malformed), or just close the connection, or wait for the rest of what
// looks like a longer packet to them (amqtt 0.12.1). `newer`: how the attempt with version 5 ended.
Status MqttConnection::OpenOlder(const HostPort& server, const std::vector<Address>& addresses,
                                 const Status& newer, Deadline deadline, int cancel_fd) {
  const bool said_so = IsVersionRefused(connack_) || (connack_ < 0 && malformed_);
  const bool wordless = attached_ && !said_so && connack_ < 0 && !KnownFor(true);
  const bool closed = wordless && newer.code() == Code::kUnavailable;
  const bool silent = wordless && newer.code() == Code::kTimeout && first_bytes_.empty();
  if (!said_so && !closed && !silent) return newer;
  // A server that is merely slow answers in the order of the questions.
  MqttWire asked_first = std::move(wire_);
  const Status older = OpenVersion(server, addresses, false, deadline, cancel_fd);
  if (silent && asked_first.AnsweredAsVersion5()) {
    Close(Millis(400));
    Remember(true);
    return OpenVersion(server, addresses, true, deadline, cancel_fd);
  }
  // A server that merely closed the connection may still be starting: try MQTT 5 again next time.
  if (connack_ >= 0 && !closed) Remember(false);
  if (!older.ok()) return older.permanent() ? older : newer;
  const bool loses = !settings_.user_properties.empty() || settings_.has_headers;
  log_.Limited(loses || silent ? LogLevel::kWarn : LogLevel::kInfo, "version",
               name_ +
                   (silent ? " did not answer an MQTT 5 login, but answered one in 3.1.1"
                           : " does not speak MQTT 5") +
                   "; continuing in 3.1.1" +
                   (loses ? ", without user properties and headers" : "") +
                   (silent ? " (protocol=3.1.1 saves the wait)" : ""));
  return older;
}

bool MqttConnection::KnownFor(bool version5) const {
  const auto found = spoken_.find(name_);
  return found != spoken_.end() && found->second.version5 == version5 &&
         Clock::now() < found->second.until;
}

void MqttConnection::Remember(bool version5) {
  spoken_[name_] = {version5, Clock::now() + kRemembered};
}

Status MqttConnection::OpenVersion(const HostPort& server, const std::vector<Address>& addresses,
                                   bool version5, Deadline deadline, int cancel_fd) {
  version5_ = version5;
  Status status(Code::kTimeout, "no time left to try " + name_);
  for (size_t i = 0; i < addresses.size(); ++i) {
    const auto left = std::max(deadline - Clock::now(), Clock::duration::zero());
    const Deadline share = Clock::now() + left / static_cast<int64_t>(addresses.size() - i);
    status = OpenAddress(server, addresses[i], share, cancel_fd);
    // A server's answer applies to its other addresses too.
    if (status.ok() || status.code() == Code::kCancelled || connack_ >= 0) break;
  }
  return status;
}

Status MqttConnection::OpenAddress(const HostPort& server, const Address& address,
                                   Deadline deadline, int cancel_fd) {
  Forget();
  Result<MosquittoPtr> made = MakeMosquitto(settings_, login_, version5_, this);
  if (!made.ok()) return made.status();
  object_ = std::move(made.value());
  SetCallbacks();
  int error = MOSQ_ERR_SUCCESS, error_number = 0;
  {
    ForkDelayed delayed;  // a child made in between would keep the socket open
    error = BeginConnect(object_.get(), settings_, version5_, address, server.port);
    error_number = errno;
    delayed.CloseInChildren(mosquitto_socket(object_.get()));
  }
  if (error == MOSQ_ERR_ERRNO) return ConnectFailure(server, error_number, peer().answered);
  if (error == MOSQ_ERR_CONN_LOST) return Lost(error, error_number);  // reset meanwhile
  if (error != MOSQ_ERR_SUCCESS) {
    return {Code::kInternal,
            "cannot connect to " + name_ + ": " + std::string(mosquitto_strerror(error))};
  }
  const int fd = mosquitto_socket(object_.get());
  (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  SetOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
  Status status = WaitConnected(server, deadline, cancel_fd);
  if (status.ok())
    status = wire_.Attach(fd, settings_.tls, server, peer().answered, deadline, cancel_fd);
  if (!status.ok()) return status;
  attached_ = true;
  mosquitto_threaded_set(object_.get(), false);
  // A server that does not answer gets the rest of the time for the older version.
  const auto left = deadline - Clock::now();
  const bool may_be_older = version5_ && !KnownFor(true);
  status = WaitConnack(may_be_older ? deadline - left / 4 : deadline, cancel_fd);
  if (status.ok()) status = CheckLimits();
  return status;
}

Status MqttConnection::WaitConnected(const HostPort& server, Deadline deadline, int cancel_fd) {
  const int fd = mosquitto_socket(object_.get());
  const Code ready = WaitFor(fd, POLLOUT, deadline, cancel_fd);
  if (ready == Code::kCancelled) return ConnectFailure(server, ECANCELED);
  if (ready == Code::kTimeout) return ConnectFailure(server, ETIMEDOUT, peer().answered);
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  // If the server has already closed the connection, we were connected: WaitConnack says what that
  // means.
  const bool ended = error == ECONNRESET || error == EPIPE;
  return error == 0 || ended ? Status() : ConnectFailure(server, error, peer().answered);
}

Status MqttConnection::WaitConnack(Deadline deadline, int cancel_fd) {
  while (true) {
    Progress progress;
    const Status status = Step(Millis(PollTimeout(deadline)), cancel_fd, true, &progress);
    if (connack_ > 0) {
      const std::string advice = settings_.dialect != nullptr
                                     ? settings_.dialect->LoginAdvice()
                                     : LoginAdvice(login_, "MQTT", "may this user connect?");
      return ConnackError(version5_, connack_, words_, name_, login_, advice);
    }
    if (!status.ok()) return status;
    if (connack_ == 0) return {};
    if (progress.woken) return {Code::kCancelled, "connecting to " + name_ + " was cancelled"};
    if (Clock::now() < deadline) continue;
    return {Code::kTimeout,
            "no answer to CONNECT from " + name_ + " in time" + Hint(Situation::kSilent, peer())};
  }
}

Status MqttConnection::CheckLimits() {
  if (settings_.retain && !retain_available_) {
    return {Code::kNotSupported,
            "retain=1: " + name_ + " does not support retained messages (set retain=0)"};
  }
  if (settings_.qos > maximum_qos_) {
    log_.Limited(LogLevel::kWarn, "qos",
                 "qos=" + std::to_string(settings_.qos) + ": " + name_ + " allows at most " +
                     std::to_string(maximum_qos_) + ", which is used");
  }
  const size_t window = std::min(settings_.max_inflight, receive_maximum_);
  log_.Info("MQTT " + std::string(version5_ ? "5" : "3.1.1") + " at " + name_ + ", at most " +
            std::to_string(window) + " messages in flight (max-inflight " +
            std::to_string(settings_.max_inflight) +
            (version5_ ? ", the server's Receive Maximum " + std::to_string(receive_maximum_)
                       : std::string()) +
            ")" + (session_present_ ? ", session resumed" : ""));
  return {};
}

}  // namespace dsmsg::mqtt
