// SPDX-License-Identifier: Apache-2.0
#include <zmq.h>

#include <array>
#include <cerrno>

#include "consumer.h"

namespace dsmsg_demo {
namespace {

using dsmsg::Code;
using dsmsg::Status;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

Status Failed(const char* what) {
  return Status(Code::kUnavailable, std::string("the demo's consumer cannot ") + what + ": " +
                                        zmq_strerror(zmq_errno()));
}

/// A bound PULL socket. There is no server: the adaptor's PUSH socket connects to this one.
class ZmqConsumer : public Consumer {
 public:
  ZmqConsumer() : context_(zmq_ctx_new()), socket_(zmq_socket(context_, ZMQ_PULL)) {}
  ~ZmqConsumer() override {
    if (socket_ != nullptr) zmq_close(socket_);
    zmq_ctx_term(context_);
  }

  Status Bind(Target& target) {
    std::array<char, 256> endpoint = {};
    size_t size = endpoint.size();
    if (socket_ == nullptr || zmq_bind(socket_, "tcp://127.0.0.1:*") != 0 ||
        zmq_getsockopt(socket_, ZMQ_LAST_ENDPOINT, endpoint.data(), &size) != 0) {
      return Failed("bind a socket");
    }
    target.connection = endpoint.data();
    target.title = "ZeroMQ without a server, PUSH to PULL at " + target.connection;
    return {};
  }

  Status Poll(milliseconds budget, const OnMessage& on_message) override {
    const auto deadline = steady_clock::now() + budget;
    while (true) {
      const auto left = std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now());
      if (left.count() <= 0) return {};
      zmq_pollitem_t item = {socket_, 0, ZMQ_POLLIN, 0};
      const int ready = zmq_poll(&item, 1, left.count());
      if (ready < 0 && zmq_errno() == EINTR) return {};
      if (ready < 0) return Failed("wait for messages");
      if (ready == 0) return {};
      zmq_msg_t message;
      zmq_msg_init(&message);
      const int got = zmq_msg_recv(&message, socket_, ZMQ_DONTWAIT);
      if (got >= 0) {
        on_message({static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message)});
      }
      zmq_msg_close(&message);
      if (got < 0 && zmq_errno() != EAGAIN && zmq_errno() != EINTR) return Failed("receive");
    }
  }

 private:
  void* const context_;
  void* const socket_;
};

dsmsg::Result<std::unique_ptr<Consumer>> Open(Target& target, const std::string&) {
  auto consumer = std::make_unique<ZmqConsumer>();
  Status status = consumer->Bind(target);
  if (!status.ok()) return status;
  return std::unique_ptr<Consumer>(std::move(consumer));
}

[[maybe_unused]] const bool registered = RegisterConsumer("zmq", &Open, {});

}  // namespace
}  // namespace dsmsg_demo
