// SPDX-License-Identifier: Apache-2.0
// The way to an open connection: servers, versions, addresses, TLS, CONNECT.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "mqtt_client.h"
#include "mqtt_errors.h"

namespace dsmsg {
namespace {

void SetOption(int fd, int level, int name, int value) {
  // Best effort: the connection works without any of them.
  (void)setsockopt(fd, level, name, &value, sizeof value);
}

}  // namespace

Status MqttClient::Open(Deadline deadline, int cancel_fd) {
  const size_t count = settings_.hosts.size();
  std::string failures;
  Code code = Code::kInternal;
  for (size_t i = 0; i < count; ++i) {
    const size_t index = (first_ + i) % count;
    // A server that does not answer must leave time for the others.
    const auto left = deadline - Clock::now();
    const Deadline share = Clock::now() + left / static_cast<int64_t>(count - i);
    Status status = OpenServer(settings_.hosts[index], share, cancel_fd);
    if (status.ok()) {
      first_ = index;
      return status;
    }
    Close(Millis(0));
    if (status.code() == Code::kCancelled || count == 1) return status;
    // One server that may come back makes the whole attempt worth repeating soon.
    if (failures.empty() || status.retryable()) code = status.code();
    failures += (failures.empty() ? "" : "; ") + status.message();
  }
  return {code, "none of " + std::to_string(count) + " servers can be used: " + failures};
}

Status MqttClient::OpenServer(const HostPort& server, Deadline deadline, int cancel_fd) {
  name_ = server.ToString();
  const Result<std::vector<Address>> addresses = Resolve(server, deadline, cancel_fd);
  if (!addresses.ok()) return addresses.status();
  if (!settings_.version5 || only_older_) {
    return OpenVersion(server, addresses.value(), false, deadline, cancel_fd);
  }
  Status status = OpenVersion(server, addresses.value(), true, deadline, cancel_fd);
  if (status.ok() || status.code() == Code::kCancelled) return status;
  // Servers for 3.1.1 either say that they do not know version 5 (those of long ago in a form that
  // a later libmosquitto, 2.0.21, finds malformed), or just close the connection.
  const bool said_so = IsVersionRefused(connack_) || (connack_ < 0 && malformed_);
  const bool closed = connack_ < 0 && handshake_done_ && status.code() == Code::kUnavailable;
  if (!said_so && !closed) return status;
  const Status older = OpenVersion(server, addresses.value(), false, deadline, cancel_fd);
  if (!older.ok()) return older.permanent() ? older : status;
  // Who only closed it may have been busy with starting: version 5 is tried again next time.
  only_older_ = said_so;
  const bool loses = !settings_.user_properties.empty() || settings_.has_headers;
  log_.Limited(loses ? LogLevel::kWarn : LogLevel::kInfo, "version",
               name_ + " does not speak MQTT 5; going on in 3.1.1" +
                   (loses ? ", without user properties and headers" : ""));
  return older;
}

Status MqttClient::OpenVersion(const HostPort& server, const std::vector<Address>& addresses,
                               bool version5, Deadline deadline, int cancel_fd) {
  version5_ = version5;
  Status status(Code::kTimeout, "no time left for " + name_);
  for (size_t i = 0; i < addresses.size(); ++i) {
    const auto left = std::max(deadline - Clock::now(), Clock::duration::zero());
    const Deadline share = Clock::now() + left / static_cast<int64_t>(addresses.size() - i);
    status = OpenAddress(server, addresses[i], share, cancel_fd);
    // What a server answered holds for its other addresses too.
    if (status.ok() || status.code() == Code::kCancelled || connack_ >= 0) break;
  }
  return status;
}

Status MqttClient::OpenAddress(const HostPort& server, const Address& address, Deadline deadline,
                               int cancel_fd) {
  Forget();
  Result<MosquittoPtr> made = MakeMosquitto(settings_, version5_, this);
  if (!made.ok()) return made.status();
  object_ = std::move(made.value());
  SetCallbacks();
  if (settings_.tls.enabled) {
    if (Status status = PrepareTls(server); !status.ok()) return status;
  }
  const int error = BeginConnect(object_.get(), settings_, version5_, address, server.port);
  const int error_number = errno;
  // On a short way the handshake may have begun, and failed, already.
  if (error != MOSQ_ERR_SUCCESS && (unread_alert_ != nullptr || TlsFailed(error, error_number))) {
    return Lost(error, error_number);
  }
  if (error == MOSQ_ERR_ERRNO) return ConnectFailure(server, error_number);
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
  if (status.ok()) status = WaitConnack(deadline, cancel_fd);
  if (status.ok()) status = CheckLimits();
  return status;
}

// The library would verify nothing of itself with a context of ours, and does not touch it unless
// asked for its defaults; verification is in the context.
Status MqttClient::PrepareTls(const HostPort& server) {
  verdict_.Clear();
  Result<SslContext> context = MakeTlsContext(settings_.tls, server.host, &verdict_);
  if (!context.ok()) return context.status();
  tls_context_ = std::move(context.value());
  // The library only knows the numeric address and would put that into the server name indication.
  // It makes the SSL object and the first message in one go; this is called in between.
  server_name_ = settings_.tls.ExpectedName(server.host);
  SSL_CTX_set_app_data(tls_context_.get(), this);
  SSL_CTX_set_info_callback(tls_context_.get(), [](const SSL* ssl, int where, int) {
    if ((where & SSL_CB_HANDSHAKE_START) == 0) return;
    auto* self = static_cast<MqttClient*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    if (self->connack_ >= 0) return;  // what TLS 1.3 says later counts as a handshake too
    if (self->unread_alert_ == nullptr) {
      self->unread_alert_ = std::make_unique<UnreadAlert>(const_cast<SSL*>(ssl));
    }
    in6_addr buffer;
    const char* name = self->server_name_.c_str();
    const bool numeric =
        inet_pton(AF_INET, name, &buffer) == 1 || inet_pton(AF_INET6, name, &buffer) == 1;
    const char* wanted = numeric ? nullptr : name;
    SSL_set_tlsext_host_name(const_cast<SSL*>(ssl), wanted);
  });
  mosquitto_int_option(object_.get(), MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
  const int error = mosquitto_void_option(object_.get(), MOSQ_OPT_SSL_CTX, tls_context_.get());
  if (error == MOSQ_ERR_SUCCESS) return {};
  return {Code::kNotSupported,
          std::string("this libmosquitto takes no TLS context: ") + mosquitto_strerror(error)};
}

Status MqttClient::WaitConnected(const HostPort& server, Deadline deadline, int cancel_fd) {
  pollfd fds[2] = {{mosquitto_socket(object_.get()), POLLOUT, 0}, {cancel_fd, POLLIN, 0}};
  int ready = 0;
  do {
    ready = poll(fds, 2, PollTimeout(deadline));
  } while (ready < 0 && errno == EINTR);
  if (fds[1].revents != 0) return ConnectFailure(server, ECANCELED);
  if (ready == 0) return ConnectFailure(server, ETIMEDOUT);
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fds[0].fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  // A server that ended the connection already was connected to: WaitConnack says what that means.
  const bool ended = error == ECONNRESET || error == EPIPE;
  return error == 0 || ended ? Status() : ConnectFailure(server, error);
}

Status MqttClient::WaitConnack(Deadline deadline, int cancel_fd) {
  while (true) {
    Progress progress;
    const Status status = Step(Millis(PollTimeout(deadline)), cancel_fd, true, &progress);
    if (connack_ > 0) return ConnackError(version5_, connack_, name_);
    if (!status.ok()) return status;
    if (connack_ == 0) return {};
    if (progress.woken) return {Code::kCancelled, "connecting to " + name_ + " was cancelled"};
    if (Clock::now() < deadline) continue;
    return {Code::kTimeout,
            std::string("no answer to ") + (handshake_done_ ? "CONNECT" : "the TLS handshake") +
                " from " + name_ +
                " in time (is the server frozen or overloaded, or is it no MQTT server?)"};
  }
}

Status MqttClient::CheckLimits() {
  if (settings_.retain && !retain_available_) {
    return {Code::kNotSupported, "retain=1: " + name_ + " keeps no messages (set retain=0)"};
  }
  if (settings_.qos > maximum_qos_) {
    log_.Limited(LogLevel::kWarn, "qos",
                 "qos=" + std::to_string(settings_.qos) + ": " + name_ + " allows " +
                     std::to_string(maximum_qos_) + " at most, which is used");
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

}  // namespace dsmsg
