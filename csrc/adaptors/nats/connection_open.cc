// SPDX-License-Identifier: Apache-2.0
// NatsConnection's opening: dialling, INFO, TLS, login.
#include <algorithm>

#include "adaptors/nats/connection.h"
#include "adaptors/nats/errors.h"
#include "adaptors/nats/nkey.h"
#include "core/options/login.h"

namespace dsmsg::nats {
namespace {

// A server that begins with TLS closes the connection after two seconds without it.
constexpr Clock::duration kFirstWord = std::chrono::seconds(1);

Status Ignore(const Op&) { return {}; }

}  // namespace

Status NatsConnection::Open(Deadline deadline, int cancel_fd) {
  Status status = servers_.Open(
      deadline,
      [&](const HostPort& host, Deadline share) { return OpenOne(host, share, cancel_fd); },
      [this] { Close(); });
  if (status.ok()) servers_.Worked(name_);
  return status;
}

Status NatsConnection::OpenOne(const HostPort& host, Deadline deadline, int cancel_fd) {
  Close();
  name_ = host.ToString();
  info_ = {};
  greeted_ = false;
  opening_ = true;
  pongs_ = pings_;
  silence_.Reset();
  const TlsSettings plain;
  bool secure = settings_.tls_first;
  const auto start_tls = [&] {
    secure = true;
    reader_.Reset();  // nothing sent in clear text counts from here on
    return stream_.StartTls(host, settings_.tls, peer().answered, deadline, cancel_fd);
  };
  Status status =
      stream_.Open(host, secure ? settings_.tls : plain, peer().answered, deadline, cancel_fd);
  const auto half = (deadline - Clock::now()) / 2;
  const Deadline soon = Clock::now() + (settings_.tls.enabled ? std::min(half, kFirstWord) : half);
  if (status.ok()) status = ReadGreeting(secure ? deadline : soon, cancel_fd);
  if (status.code() == Code::kTimeout && stream_.open() && !greeted_ && !secure) {
    // NATS speaks first. Whoever does not may wait for TLS, or for words of another protocol.
    status = settings_.tls.enabled ? start_tls() : Status();
    if (!secure) out_ += "PING\r\n";
    if (status.ok()) status = ReadGreeting(deadline, cancel_fd);
    // A NATS server that was slow takes the PING for a refused login.
    if (!secure && status.code() == Code::kAuth) status = {Code::kUnavailable, status.message()};
  }
  if (status.ok() && !secure) status = CheckTls();
  if (status.ok() && settings_.tls.enabled && !secure) status = start_tls();
  if (status.ok()) status = LogIn(deadline, cancel_fd);
  if (status.ok()) opening_ = false;
  return status;
}

Status NatsConnection::ReadGreeting(Deadline deadline, int cancel_fd) {
  return Pump(
      deadline, cancel_fd, "connecting", [this] { return greeted_; }, Ignore);
}

Status NatsConnection::CheckTls() const {
  if (settings_.tls.enabled && !info_.tls_required && !info_.tls_available) {
    return {Code::kAuth, name_ +
                             " offers no TLS, and nothing is sent in clear text with "
                             "enable-tls=1 (configure tls on the server, or use another port)"};
  }
  if (!settings_.tls.enabled && info_.tls_required) {
    return {Code::kAuth, name_ + " wants TLS (set enable-tls=1, and tls-cafile for a private CA)"};
  }
  return {};
}

Status NatsConnection::LogIn(Deadline deadline, int cancel_fd) {
  if (!info_.headers) {
    return {Code::kNotSupported, name_ + " is NATS " + info_.version +
                                     ", which has no headers (2.2 or newer is needed)"};
  }
  ConnectRequest request;
  request.user = settings_.login.user;
  (request.user.empty() ? request.token : request.password) = settings_.login.password;
  request.tls = settings_.tls.enabled;
  std::string seed = settings_.nkey_seed;
  if (!settings_.credentials.empty()) {
    Result<Credentials> read = ReadCredentials(settings_.credentials);
    if (!read.ok()) return read.status();
    request.jwt = std::move(read->jwt);
    seed = std::move(read->seed);
  }
  if (!seed.empty()) {
    if (info_.nonce.empty()) {
      return {Code::kAuth, "cannot log in at " + name_ +
                               " with an NKey: the server has none configured (check nkey-seed and "
                               "credentials)"};
    }
    Result<Signed> with = SignNonce(seed, info_.nonce);
    if (!with.ok()) return with.status();
    request.signature = std::move(with->signature);
    if (request.jwt.empty()) request.public_key = std::move(with->public_key);
  }
  out_ += "CONNECT " + ConnectJson(request) + "\r\nSUB " + inbox_ + ".* 1\r\n";
  const auto check = [this](const Op& op) -> Status {
    if (op.kind != Op::Kind::kErr) return {};
    return {Code::kAuth, name_ + ": " + std::string(op.text) +
                             " (answers come there: allow it, or set inbox-prefix to what the user "
                             "may subscribe to)"};
  };
  return AwaitPong(deadline, cancel_fd, check);
}

Status NatsConnection::TakeError(std::string_view text) const {
  Status status = ConnectionError(name_, text);
  if (!opening_ || status.code() != Code::kAuth) return status;
  const bool key = !settings_.nkey_seed.empty() || !settings_.credentials.empty();
  return LoginRefused(
      Code::kAuth, name_, settings_.login, text,
      key ? " (check nkey-seed or credentials)" : LoginAdvice(settings_.login, "NATS"));
}

}  // namespace dsmsg::nats
