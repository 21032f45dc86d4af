// SPDX-License-Identifier: Apache-2.0
// The TLS transport against a server in the test, which stalls, hangs up and refuses on demand.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <thread>
#include <vector>

#include "core/net/dial.h"
#include "core/net/hints.h"
#include "core/net/stream.h"
#include "unit/certificates.h"

namespace dsmsg::redis {
namespace {

using test::Cert;
using test::Key;
using Ssl = std::unique_ptr<SSL, test::Free<SSL_free>>;

/// Accepts one connection and talks to it on its own thread.
class Server {
 public:
  explicit Server(std::function<void(int fd)> talk) {
    listener_ = UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener_.get(), generic, length), 0);
    EXPECT_EQ(listen(listener_.get(), 1), 0);
    EXPECT_EQ(getsockname(listener_.get(), generic, &length), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, talk = std::move(talk)] {
      const UniqueFd connection(accept(listener_.get(), nullptr, nullptr));
      talk(connection.get());
    });
  }
  ~Server() { thread_.join(); }
  HostPort address() const { return {"localhost", port_}; }

 private:
  UniqueFd listener_;
  uint16_t port_ = 0;
  std::thread thread_;
};

class RedisTls : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    // As on the I/O thread.
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  }

  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "dsmsg-tls-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    ca_key_ = test::NewKey();
    ca_ = test::NewCert(ca_key_.get(), "authority", "", nullptr, ca_key_.get());
    key_ = test::NewKey();
    cert_ =
        test::NewCert(key_.get(), "server", "DNS:localhost,IP:127.0.0.1", ca_.get(), ca_key_.get());
    settings_.enabled = true;
    settings_.cafile = folder_ / "ca.pem";
    test::WriteCert(settings_.cafile, ca_.get());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // The server's side of a handshake; null when it failed.
  Ssl Accept(int fd, bool wants_certificate = false) const {
    const SslContext context(SSL_CTX_new(TLS_server_method()));
    SSL_CTX_use_certificate(context.get(), cert_.get());
    SSL_CTX_use_PrivateKey(context.get(), key_.get());
    if (wants_certificate) {
      SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
    Ssl ssl(SSL_new(context.get()));
    SSL_set_fd(ssl.get(), fd);
    if (SSL_accept(ssl.get()) != 1) ssl.reset();
    ERR_clear_error();
    return ssl;
  }

  Status Open(const Server& server, Millis timeout = Millis(5000), int cancel_fd = -1) {
    const Deadline deadline = Clock::now() + timeout;
    return stream_.Open(server.address(), settings_, Answered::kNever, deadline, cancel_fd);
  }

  // As RedisConnection does: false when nothing happens for too long.
  bool Wait(short events) const {
    if (events == stream_.read_events() && stream_.buffered()) return true;
    pollfd fd = {stream_.fd(), events, 0};
    return poll(&fd, 1, 10'000) == 1;
  }

  std::filesystem::path folder_;
  Key ca_key_, key_;
  Cert ca_, cert_;
  TlsSettings settings_;
  Stream stream_;
};

// Both ways more than all buffers hold, from a server that reads late and answers in one go.
TEST_F(RedisTls, BackPressureAndPartialRecords) {
  constexpr size_t kSize = 8 << 20;
  std::string sent(kSize, '\0');
  for (size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 31 >> 3);
  WakeFd stalled;
  Server server([&](int fd) {
    const Ssl ssl = Accept(fd);
    pollfd wait = {stalled.fd(), POLLIN, 0};
    poll(&wait, 1, 10'000);
    std::string got(kSize, '\0');
    for (size_t at = 0; at < got.size();) {
      const int n = SSL_read(ssl.get(), got.data() + at, static_cast<int>(got.size() - at));
      if (n <= 0) return;
      at += static_cast<size_t>(n);
    }
    SSL_write(ssl.get(), got.data(), static_cast<int>(got.size()));
  });
  ASSERT_TRUE(Open(server).ok());
  bool blocked = false;
  for (size_t at = 0; at < sent.size();) {
    size_t done = 0;
    const Stream::Io io = stream_.Send(sent.data() + at, sent.size() - at, &done);
    at += done;
    if (io == Stream::Io::kOk) continue;
    ASSERT_EQ(io, Stream::Io::kWouldBlock) << stream_.error().message();
    if (!blocked) stalled.Signal();
    blocked = true;
    // The caller's buffer may move and grow meanwhile.
    sent = std::string(sent.data(), sent.size());
    ASSERT_TRUE(Wait(stream_.write_events()));
  }
  EXPECT_TRUE(blocked);
  std::string got;
  std::vector<char> piece(1000);  // smaller than a record: the rest of it waits inside OpenSSL
  bool inside = false;
  while (got.size() < sent.size()) {
    size_t done = 0;
    const Stream::Io io = stream_.Receive(piece.data(), piece.size(), &done);
    got.append(piece.data(), done);
    inside = inside || stream_.buffered();
    if (io == Stream::Io::kOk) continue;
    ASSERT_EQ(io, Stream::Io::kWouldBlock) << stream_.error().message();
    EXPECT_FALSE(stream_.buffered()) << "poll would never be asked";
    ASSERT_TRUE(Wait(stream_.read_events()));
  }
  EXPECT_TRUE(inside);
  EXPECT_EQ(got, sent);
}

TEST_F(RedisTls, ASilentServerIsATimeout) {
  WakeFd done;
  Server server([&](int) {
    pollfd wait = {done.fd(), POLLIN, 0};
    poll(&wait, 1, 10'000);
  });
  const auto began = Clock::now();
  const Status status = Open(server, Millis(200));
  done.Signal();
  EXPECT_EQ(status.code(), Code::kTimeout) << status.message();
  EXPECT_NE(status.message().find("does that port speak TLS"), std::string::npos);
  EXPECT_LT(Clock::now() - began, Millis(8000));
}

TEST_F(RedisTls, AHandshakeCanBeCancelled) {
  WakeFd cancel, done;
  Server server([&](int fd) {
    char hello[512];
    EXPECT_GT(recv(fd, hello, sizeof hello, 0), 0);  // the client waits for the answer
    cancel.Signal();
    pollfd wait = {done.fd(), POLLIN, 0};
    poll(&wait, 1, 10'000);
  });
  const Status status = Open(server, Millis(10'000), cancel.fd());
  done.Signal();
  EXPECT_EQ(status.code(), Code::kCancelled) << status.message();
}

TEST_F(RedisTls, AServerWithoutTlsIsNamed) {
  Server server([](int fd) {
    char hello[512];
    EXPECT_GT(recv(fd, hello, sizeof hello, 0), 0);
    constexpr std::string_view kAnswer = "-ERR unknown command\r\n";
    EXPECT_GT(send(fd, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL), 0);
  });
  const Status status = Open(server);
  EXPECT_EQ(status.code(), Code::kUnavailable) << status.message();
  EXPECT_NE(status.message().find("that port does not speak TLS"), std::string::npos)
      << status.message();
}

TEST_F(RedisTls, AnEndedConnectionIsNoticed) {
  Server server([this](int fd) { Accept(fd); });  // and closes without a word of TLS
  ASSERT_TRUE(Open(server).ok());
  char byte;
  size_t done = 0;
  Stream::Io io;
  while ((io = stream_.Receive(&byte, 1, &done)) == Stream::Io::kWouldBlock) {
    ASSERT_TRUE(Wait(stream_.read_events()));
  }
  EXPECT_TRUE(io == Stream::Io::kClosed || io == Stream::Io::kError);
}

// With TLS 1.3 the server refuses when the client counts as connected and has begun to write; it
// then resets the connection, and the write fails before the alert is read.
TEST_F(RedisTls, ARefusedClientCertificateIsTheCauseNotABrokenPipe) {
  Server server([this](int fd) { Accept(fd, /*wants_certificate=*/true); });
  Status status = Open(server);
  const std::string data(1 << 16, 'x');
  while (status.ok()) {
    size_t done = 0;
    const Stream::Io io = stream_.Send(data.data(), data.size(), &done);
    if (io == Stream::Io::kError) status = stream_.error();
    if (io == Stream::Io::kWouldBlock) {
      ASSERT_TRUE(Wait(stream_.write_events()));
    }
    ASSERT_NE(io, Stream::Io::kClosed);
  }
  EXPECT_EQ(status.code(), Code::kAuth) << status.message();
  EXPECT_NE(status.message().find("tls-certfile"), std::string::npos) << status.message();
}

// The server resets the connection, because it had more to read. Writing fails, and what it said
// before is there all the same.
TEST_F(RedisTls, WhatCameBeforeAFailedWriteCanBeRead) {
  Server server([this](int fd) {
    const int on = 1;  // as servers do: what waits for an acknowledgement is lost in a reset
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const Ssl ssl = Accept(fd);
    char byte;
    SSL_read(ssl.get(), &byte, 1);
    SSL_write(ssl.get(), "-ERR why", 8);
  });
  ASSERT_TRUE(Open(server).ok());
  const std::string data(1 << 16, 'x');
  Stream::Io io;
  size_t done = 0;
  while ((io = stream_.Send(data.data(), data.size(), &done)) != Stream::Io::kError) {
    if (io == Stream::Io::kWouldBlock) {
      ASSERT_TRUE(Wait(stream_.write_events()));
    }
  }
  char text[64];
  ASSERT_EQ(stream_.Receive(text, sizeof text, &done), Stream::Io::kOk)
      << stream_.error().message();
  EXPECT_EQ(std::string(text, done), "-ERR why");
}

TEST_F(RedisTls, CertificatesAreReadAgainAtEveryConnect) {
  Server first([this](int fd) { Accept(fd); });
  ASSERT_TRUE(Open(first).ok());
  const Key other_key = test::NewKey();
  const Cert other = test::NewCert(other_key.get(), "other", "", nullptr, other_key.get());
  test::WriteCert(settings_.cafile, other.get());
  Server second([this](int fd) { Accept(fd); });
  EXPECT_EQ(Open(second).code(), Code::kAuth);
}

}  // namespace
}  // namespace dsmsg::redis
