// SPDX-License-Identifier: Apache-2.0
// NATS's text protocol over a plain socket, one thread: messages to a stream, each with an id for
// de-duplication and a subject for its acknowledgement, as the adaptor sends them. (libnats does
// more for each message.)
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <stdexcept>
#include <vector>

#include "nats_client.h"
#include "target.h"

namespace dsmsg::bench {
namespace {

constexpr char kStream[] = "BENCH";

class SocketClient : public RawClient {
 public:
  SocketClient(const std::string& host, uint16_t port) : client_(host, port) {
    client_.Write("SUB _INBOX.raw-client-of-bench.* 2\r\n");
    client_.Request("$JS.API.INFO", "");  // also reads what came so far
  }

  void Submit(const Letter& letter, Sent* sent) override {
    const std::string number = std::to_string(waiting_.size());
    const std::string head =
        "NATS/1.0\r\nNats-Msg-Id: raw-" + std::to_string(id_) + "-" + number + "\r\n\r\n";
    out_.append("HPUB ").append(letter.topic).append(" _INBOX.raw-client-of-bench.").append(number);
    out_.append(" ").append(std::to_string(head.size())).append(" ");
    out_.append(std::to_string(head.size() + letter.payload.size())).append("\r\n").append(head);
    out_.append(letter.payload).append("\r\n");
    waiting_.push_back(sent);
  }

  void Poll(std::chrono::microseconds wait) override {
    while (done_ < out_.size()) {
      const ssize_t n =
          send(client_.fd(), out_.data() + done_, out_.size() - done_, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) break;
      if (n <= 0) throw std::runtime_error("nats: the connection is lost");
      done_ += static_cast<size_t>(n);
    }
    if (done_ == out_.size()) {
      out_.clear();
      done_ = 0;
    }
    if (!Readable(client_.fd(), wait)) return;
    char bytes[65536];
    const ssize_t n = recv(client_.fd(), bytes, sizeof bytes, MSG_DONTWAIT);
    if (n == 0) throw std::runtime_error("nats: the connection is lost");
    if (n > 0) in_.append(bytes, static_cast<size_t>(n));
    while (Take()) {
    }
    in_.erase(0, at_);
    at_ = 0;
  }

 private:
  // MSG _INBOX.raw-client-of-bench.<number> 2 <bytes>
  bool Take() {
    const size_t end = in_.find("\r\n", at_);
    if (end == std::string::npos) return false;
    if (in_.compare(at_, 4, "MSG ") != 0) {
      if (in_.compare(at_, 4, "PING") == 0) out_ += "PONG\r\n";
      if (in_.compare(at_, 4, "HMSG") == 0) throw std::runtime_error("nats: there is no stream");
      at_ = end + 2;
      return true;
    }
    const size_t dot = in_.find('.', in_.find('.', at_) + 1), last = in_.rfind(' ', end);
    size_t number = 0, size = 0;
    std::from_chars(&in_[dot + 1], &in_[end], number);
    std::from_chars(&in_[last + 1], &in_[end], size);
    if (in_.size() < end + 2 + size + 2) return false;
    const std::string_view answer(&in_[end + 2], size);
    Tracker::Done(waiting_.at(number), answer.find("\"error\"") == answer.npos);
    at_ = end + 2 + size + 2;
    return true;
  }

  static inline int ids_ = 0;
  const int id_ = ++ids_;
  conformance::NatsClient client_;
  std::string out_, in_;
  size_t done_ = 0, at_ = 0;    // written of out_, read of in_
  std::vector<Sent*> waiting_;  // by number
};

class NatsTarget : public BrokerTarget {
 public:
  NatsTarget() : BrokerTarget("nats") {}
  std::string name() const override { return "nats"; }
  std::string adaptor() const override { return "nats"; }
  std::string client() const override { return "a plain socket"; }
  std::string terms() const override {
    return "to a stream, with Nats-Msg-Id, 1000 messages without acknowledgement; tuned: the "
           "stream "
           "is kept in memory";
  }
  std::vector<std::string> config() const override {
    return {"pipeline=" + std::to_string(kWindow)};
  }
  std::unique_ptr<RawClient> Connect() override {
    return std::make_unique<SocketClient>(host(), port());
  }
  void Clear() override {
    conformance::NatsClient(host(), port())
        .Request(std::string("$JS.API.STREAM.PURGE.") + kStream, "");
  }

 protected:
  std::string ServerArgs(const Setup& setup, uint16_t /*proxy*/) const override {
    return std::string(R"({"streams":{")") + kStream + R"(":{"subjects":[")" + kTopic + R"(", ")" +
           kTopic + R"(.*"],"storage":")" + (setup.tuned ? "memory" : "file") + "\"}}}";
  }
};

DSMSG_TARGET(NatsTarget);

}  // namespace
}  // namespace dsmsg::bench
