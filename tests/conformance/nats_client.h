// SPDX-License-Identifier: Apache-2.0
// A plain NATS client of the tests, independent of the driver.
//
// Threads: one at a time.
#ifndef DSMSG_CONFORMANCE_NATS_CLIENT_H_
#define DSMSG_CONFORMANCE_NATS_CLIENT_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <string>

#include "server.h"

namespace dsmsg::conformance {

/// One connection, one request after the other.
class NatsClient {
 public:
  explicit NatsClient(const Server& server, const std::string& token = "")
      : NatsClient(server.host(), server.port(), token) {}
  NatsClient(const std::string& host, uint16_t port, const std::string& token = "")
      : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval patience{60, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    inet_pton(AF_INET, host.c_str(), &address.sin_addr);
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("nats: cannot connect");
    }
    Line();  // INFO
    const std::string login = token.empty() ? "" : R"(,"auth_token":")" + token + "\"";
    Write(R"(CONNECT {"verbose":false,"headers":true,"no_responders":true)" + login +
          "}\r\nSUB answer 1\r\n");
  }
  ~NatsClient() { close(fd_); }
  NatsClient(const NatsClient&) = delete;
  NatsClient& operator=(const NatsClient&) = delete;

  void Subscribe(const std::string& subject) { Write("SUB " + subject + " 2\r\n"); }
  struct Message {
    std::string headers, payload;
  };
  Message Next() {
    for (;;) {
      const std::string line = Line();
      if (line.starts_with("PING")) Write("PONG\r\n");
      if (line.starts_with("-ERR")) throw std::runtime_error("nats: " + line);
      const bool headed = line.starts_with("HMSG ");
      if (!headed && !line.starts_with("MSG ")) continue;
      const size_t last = line.rfind(' ');
      const size_t total = std::stoul(line.substr(last + 1));
      const size_t head = headed ? std::stoul(line.substr(line.rfind(' ', last - 1) + 1)) : 0;
      while (buffer_.size() - at_ < total + 2) Read();
      Message message{buffer_.substr(at_, head), buffer_.substr(at_ + head, total - head)};
      at_ += total + 2;
      return message;
    }
  }

  /// The answer's JSON. An error is thrown.
  std::string Request(const std::string& subject, const std::string& body) {
    Write("PUB " + subject + " answer " + std::to_string(body.size()) + "\r\n" + body + "\r\n");
    const Message answer = Next();
    if (answer.payload.empty() || answer.payload.find("\"error\":") != std::string::npos) {
      throw std::runtime_error("nats: " + subject + ": " + answer.payload + answer.headers);
    }
    return answer.payload;
  }

  int fd() const { return fd_; }
  void Write(const std::string& text) {
    for (size_t done = 0; done < text.size();) {
      const ssize_t n = send(fd_, text.data() + done, text.size() - done, MSG_NOSIGNAL);
      if (n <= 0) throw std::runtime_error("nats: the connection is lost");
      done += static_cast<size_t>(n);
    }
  }

 private:
  void Read() {
    buffer_.erase(0, at_);
    at_ = 0;
    char bytes[65536];
    const ssize_t n = recv(fd_, bytes, sizeof bytes, 0);
    if (n <= 0) throw std::runtime_error("nats: no answer");
    buffer_.append(bytes, static_cast<size_t>(n));
  }
  std::string Line() {
    for (;;) {
      const size_t end = buffer_.find("\r\n", at_);
      if (end != std::string::npos) {
        std::string line = buffer_.substr(at_, end - at_);
        at_ = end + 2;
        return line;
      }
      Read();
    }
  }

  const int fd_;
  std::string buffer_;
  size_t at_ = 0;
};

/// The number behind a name in JSON.
inline size_t NumberAfter(const std::string& json, const std::string& name) {
  const size_t at = json.find("\"" + name + "\":");
  if (at == std::string::npos) throw std::runtime_error("nats: no " + name + " in " + json);
  return std::stoul(json.substr(at + name.size() + 3));
}

}  // namespace dsmsg::conformance

#endif  // DSMSG_CONFORMANCE_NATS_CLIENT_H_
