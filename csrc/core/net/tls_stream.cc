// SPDX-License-Identifier: Apache-2.0
#include "core/net/tls_stream.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <system_error>

#include "core/net/dial.h"
#include "core/net/hints.h"

namespace dsmsg {
namespace {

int SizeOf(size_t size) { return static_cast<int>(std::min<size_t>(size, INT_MAX)); }

// Server name indication carries only names, not addresses (RFC 6066).
bool IsName(const std::string& host) {
  unsigned char buffer[sizeof(in6_addr)];
  return inet_pton(AF_INET, host.c_str(), buffer) != 1 &&
         inet_pton(AF_INET6, host.c_str(), buffer) != 1;
}

}  // namespace

void TlsStream::Free::operator()(ssl_st* ssl) const { SSL_free(ssl); }

Result<std::unique_ptr<TlsStream>> TlsStream::Start(int fd, const TlsSettings& settings,
                                                    const HostPort& peer, Deadline deadline,
                                                    int cancel_fd, Answered answered) {
  std::unique_ptr<TlsStream> stream(new TlsStream(peer.ToString(), answered));
  // A new context each time, so that replaced certificates are read again.
  Result<SslContext> context = MakeTlsContext(settings, peer.host, &stream->verdict_);
  if (!context.ok()) return context.status();
  stream->context_ = std::move(context.value());
  SSL_CTX_set_mode(stream->context_.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
#ifdef SSL_OP_IGNORE_UNEXPECTED_EOF
  // A killed server sends no close_notify; Redis's protocol shows whether a reply is complete.
  SSL_CTX_set_options(stream->context_.get(), SSL_OP_IGNORE_UNEXPECTED_EOF);
#endif
  SSL_CTX_set_read_ahead(stream->context_.get(), 1);  // one system call for several records
  stream->ssl_.reset(SSL_new(stream->context_.get()));
  SSL* ssl = stream->ssl_.get();
  const std::string name = settings.ExpectedName(peer.host);
  if (ssl == nullptr || SSL_set_fd(ssl, fd) != 1 ||
      (IsName(name) && SSL_set_tlsext_host_name(ssl, name.c_str()) != 1)) {
    ERR_clear_error();
    return Status(Code::kInternal, "OpenSSL cannot start a handshake with " + stream->peer_);
  }
  if (Status status = stream->Handshake(fd, deadline, cancel_fd); !status.ok()) return status;
  return stream;
}

TlsStream::~TlsStream() {
  if (!open_ || failed_ || unfinished_) return;
  SSL_shutdown(ssl_.get());  // a few bytes; the answer is not awaited
  ERR_clear_error();
}

Status TlsStream::Handshake(int fd, Deadline deadline, int cancel_fd) {
  for (;;) {
    ERR_clear_error();
    errno = 0;
    const int result = SSL_connect(ssl_.get());
    if (result == 1) break;
    const int error = SSL_get_error(ssl_.get(), result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return Failure(error);
    const short events = error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
    const Code ready = WaitFor(fd, events, deadline, cancel_fd);
    if (ready == Code::kCancelled) {
      return {Code::kCancelled, "the TLS handshake with " + peer_ + " was cancelled"};
    }
    if (ready == Code::kTimeout) {
      return {Code::kTimeout, "TLS: the handshake with " + peer_ + " did not finish in time" +
                                  Hint(Situation::kTlsSilent, {.answered = answered()})};
    }
  }
  open_ = true;
  read_events_ = POLLIN;
  write_events_ = POLLOUT;
  return {};
}

// During a handshake: a cipher has been chosen once the server's first message has been read.
Answered TlsStream::answered() const {
  if (answered_ == Answered::kBefore) return answered_;
  return SSL_get_current_cipher(ssl_.get()) != nullptr ? Answered::kPartly : Answered::kNever;
}

// The cause of an error that ended the connection.
Status TlsStream::Failure(int ssl_error) {
  const int saved_errno = errno;
  failed_ = true;
  std::string detail;
  if (ssl_error == SSL_ERROR_ZERO_RETURN) {
    detail = "the server closed the connection";
  } else if (ssl_error == SSL_ERROR_SYSCALL) {
    ERR_clear_error();
    detail = saved_errno == 0 ? "the server closed the connection"
                              : std::generic_category().message(saved_errno);
  } else {
    detail = TakeTlsError();
  }
  const Status status = verdict_.Explain(peer_, detail, answered());
  if (!open_ || status.code() == Code::kAuth) return status;
  return {Code::kUnavailable, "TLS: " + detail};  // Explain would speak of the handshake
}

TransportIo TlsStream::Ended(int result, short* events) {
  const int error = SSL_get_error(ssl_.get(), result);
  switch (error) {
    case SSL_ERROR_WANT_READ:
      *events = POLLIN;
      return TransportIo::kWouldBlock;
    case SSL_ERROR_WANT_WRITE:
      *events = POLLOUT;
      return TransportIo::kWouldBlock;
    case SSL_ERROR_ZERO_RETURN:
      failed_ = true;
      return TransportIo::kClosed;
    default:
      error_ = Failure(error);
      return TransportIo::kError;
  }
}

TransportIo TlsStream::Send(const char* data, size_t size, size_t* done) {
  *done = 0;
  ERR_clear_error();
  errno = 0;
  const int result = SSL_write(ssl_.get(), data, SizeOf(size));
  unfinished_ = result <= 0;
  if (result > 0) {
    *done = static_cast<size_t>(result);
    write_events_ = POLLOUT;
    return TransportIo::kOk;
  }
  const TransportIo io = Ended(result, &write_events_);
  if (io != TransportIo::kError || error_.code() == Code::kAuth) return io;
  // With TLS 1.3 a server looks at our certificate after the handshake. Its alert may have arrived
  // already and says more than "broken pipe". Anything else is left to Receive.
  char first;
  errno = 0;
  const int read = SSL_peek(ssl_.get(), &first, 1);
  more_ = read > 0;
  if (read <= 0 && SSL_get_error(ssl_.get(), read) == SSL_ERROR_SSL) {
    const Status alert = Failure(SSL_ERROR_SSL);
    if (alert.code() == Code::kAuth) error_ = alert;
  }
  return io;
}

TransportIo TlsStream::Receive(char* data, size_t size, size_t* done) {
  *done = 0;
  ERR_clear_error();
  errno = 0;
  const int result = SSL_read(ssl_.get(), data, SizeOf(size));
  more_ = result > 0;
  if (result > 0) {
    *done = static_cast<size_t>(result);
    read_events_ = POLLIN;
    return TransportIo::kOk;
  }
  return Ended(result, &read_events_);
}

bool TlsStream::buffered() const { return more_ && SSL_has_pending(ssl_.get()) == 1; }

}  // namespace dsmsg
