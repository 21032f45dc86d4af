// SPDX-License-Identifier: Apache-2.0
// Reads the stream over a plain socket: the protocol is text, and no client library is needed.
#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include "consumer.h"
#include "core/base/fd.h"

namespace dsmsg_demo {
namespace {

using dsmsg::Code;
using dsmsg::Status;
using dsmsg::UniqueFd;

class NatsConsumer : public Consumer {
 public:
  explicit NatsConsumer(UniqueFd fd) : fd_(std::move(fd)) {}

  Status Write(const std::string& text) {
    const ssize_t n = send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
    return n == static_cast<ssize_t>(text.size()) ? Status() : Lost();
  }

  // The server delivers by itself (core NATS): the demo counts what passes it.
  Status Poll(std::chrono::milliseconds budget, const OnMessage& on_message) override {
    pollfd waiting{fd_.get(), POLLIN, 0};
    if (poll(&waiting, 1, static_cast<int>(budget.count())) <= 0) return {};
    char bytes[65536];
    const ssize_t n = recv(fd_.get(), bytes, sizeof bytes, 0);
    if (n <= 0) return Lost();
    buffer_.append(bytes, static_cast<size_t>(n));
    size_t at = 0;
    for (size_t end; (end = buffer_.find("\r\n", at)) != std::string::npos;) {
      const std::string line = buffer_.substr(at, end - at);
      if (line.starts_with("-ERR")) return Status(Code::kRejected, "nats: " + line);
      if (line.starts_with("PING")) {
        if (Status status = Write("PONG\r\n"); !status.ok()) return status;
      }
      size_t next = end + 2;
      const bool headed = line.starts_with("HMSG ");
      if (headed || line.starts_with("MSG ")) {
        const size_t last = line.rfind(' ');
        const size_t size = std::stoul(line.substr(last + 1));
        const size_t head = headed ? std::stoul(line.substr(line.rfind(' ', last - 1) + 1)) : 0;
        if (buffer_.size() < next + size + 2) break;
        on_message(std::string_view(buffer_).substr(next + head, size - head));
        next += size + 2;
      }
      at = next;
    }
    buffer_.erase(0, at);
    return {};
  }

 private:
  static Status Lost() {
    return {Code::kUnavailable, "the demo's consumer lost the connection to NATS"};
  }

  const UniqueFd fd_;
  std::string buffer_;
};

/// Gets everything sent to the subject from now on.
dsmsg::Result<std::unique_ptr<Consumer>> Open(Target& target, const std::string& subject) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  const std::string port = std::to_string(target.port);
  UniqueFd fd;
  if (getaddrinfo(target.host.c_str(), port.c_str(), &hints, &found) == 0) {
    fd = UniqueFd(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(fd.get(), found->ai_addr, found->ai_addrlen) != 0) fd.Reset();
    freeaddrinfo(found);
  }
  if (!fd.valid()) {
    return Status(Code::kUnavailable,
                  "the demo's consumer cannot reach NATS at " + target.address());
  }
  auto consumer = std::make_unique<NatsConsumer>(std::move(fd));
  Status status =
      consumer->Write("CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB " + subject + " 1\r\n");
  if (!status.ok()) return status;
  return std::unique_ptr<Consumer>(std::move(consumer));
}

[[maybe_unused]] const bool registered =
    RegisterConsumer("nats", &Open, {.kind = "nats", .title = "a real NATS server"});

}  // namespace
}  // namespace dsmsg_demo
