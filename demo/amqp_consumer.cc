// SPDX-License-Identifier: Apache-2.0
#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_tcp_socket.h>
#endif

#include "consumer.h"

namespace dsmsg_demo {
namespace {

using dsmsg::Code;
using dsmsg::Status;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr char kExchange[] = "amq.topic";  // the adaptor's default
constexpr amqp_channel_t kChannel = 1;
constexpr int kFrameBytes = 131072;
constexpr timeval kConnectTimeout = {5, 0};

Status Failed(const std::string& what, const amqp_rpc_reply_t& reply) {
  std::string reason = "the server refused it";
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) {
    reason = amqp_error_string2(reply.library_error);
  }
  return Status(Code::kUnavailable, "the demo's consumer cannot " + what + ": " + reason);
}

/// Reads a private queue, bound to the exchange with the topic.
class AmqpConsumer : public Consumer {
 public:
  AmqpConsumer() : connection_(amqp_new_connection()) {}
  ~AmqpConsumer() override {
    if (connection_ != nullptr) amqp_destroy_connection(connection_);  // the queue goes with it
  }

  Status Subscribe(const Target& target, const std::string& topic) {
    amqp_socket_t* socket = connection_ == nullptr ? nullptr : amqp_tcp_socket_new(connection_);
    if (socket == nullptr) return Status(Code::kInternal, "out of memory");
    const int code =
        amqp_socket_open_noblock(socket, target.host.c_str(), target.port, &kConnectTimeout);
    if (code != AMQP_STATUS_OK) {
      return Status(Code::kUnavailable, "the demo's consumer cannot reach RabbitMQ at " +
                                            target.address() + ": " + amqp_error_string2(code));
    }
    const amqp_rpc_reply_t login =
        amqp_login(connection_, "/", 0, kFrameBytes, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest");
    if (login.reply_type != AMQP_RESPONSE_NORMAL) return Failed("log in as guest", login);
    amqp_channel_open(connection_, kChannel);
    if (Status status = Check("open a channel"); !status.ok()) return status;
    const auto* queue = amqp_queue_declare(connection_, kChannel, amqp_empty_bytes, 0, 0,
                                           /*exclusive=*/1, /*auto_delete=*/1, amqp_empty_table);
    if (Status status = Check("declare a queue"); !status.ok()) return status;
    const amqp_bytes_t name = amqp_bytes_malloc_dup(queue->queue);
    amqp_queue_bind(connection_, kChannel, name, amqp_cstring_bytes(kExchange),
                    amqp_cstring_bytes(topic.c_str()), amqp_empty_table);
    Status status = Check("bind its queue");
    if (status.ok()) {
      amqp_basic_consume(connection_, kChannel, name, amqp_empty_bytes, 0, /*no_ack=*/1,
                         /*exclusive=*/1, amqp_empty_table);
      status = Check("read its queue");
    }
    amqp_bytes_free(name);
    return status;
  }

  Status Poll(milliseconds budget, const OnMessage& on_message) override {
    const auto deadline = steady_clock::now() + budget;
    while (true) {
      const auto left =
          std::chrono::duration_cast<std::chrono::microseconds>(deadline - steady_clock::now());
      if (left.count() <= 0) return {};
      const timeval wait = {left.count() / 1'000'000, left.count() % 1'000'000};
      amqp_maybe_release_buffers(connection_);
      amqp_envelope_t envelope;
      const amqp_rpc_reply_t reply = amqp_consume_message(connection_, &envelope, &wait, 0);
      if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
        const amqp_bytes_t& body = envelope.message.body;
        on_message({static_cast<const char*>(body.bytes), body.len});
        amqp_destroy_envelope(&envelope);
      } else if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION &&
                 reply.library_error == AMQP_STATUS_TIMEOUT) {
        return {};
      } else {
        return Failed("read from RabbitMQ", reply);
      }
    }
  }

 private:
  Status Check(const char* what) const {
    const amqp_rpc_reply_t reply = amqp_get_rpc_reply(connection_);
    return reply.reply_type == AMQP_RESPONSE_NORMAL ? Status() : Failed(what, reply);
  }

  const amqp_connection_state_t connection_;
};

dsmsg::Result<std::unique_ptr<Consumer>> Open(Target& target, const std::string& topic) {
  auto consumer = std::make_unique<AmqpConsumer>();
  Status status = consumer->Subscribe(target, topic);
  if (!status.ok()) return status;
  return std::unique_ptr<Consumer>(std::move(consumer));
}

[[maybe_unused]] const bool registered =
    RegisterConsumer("amqp", &Open, {.kind = "rabbitmq", .title = "a real RabbitMQ"});

}  // namespace
}  // namespace dsmsg_demo
