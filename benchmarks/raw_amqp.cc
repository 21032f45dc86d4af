// SPDX-License-Identifier: Apache-2.0
// rabbitmq-c, one thread: persistent messages with publisher confirms, published until 1000 are
// unconfirmed, then as many confirmations are read as have come.
#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_tcp_socket.h>
#endif

#include <algorithm>
#include <set>
#include <stdexcept>

#include "target.h"

namespace dsmsg::bench {
namespace {

constexpr char kExchange[] = "amq.topic";
constexpr amqp_channel_t kChannel = 1;

class AmqpClient : public RawClient {
 public:
  AmqpClient(const std::string& host, int port) : connection_(amqp_new_connection()) {
    amqp_socket_t* socket = amqp_tcp_socket_new(connection_);
    if (socket == nullptr || amqp_socket_open(socket, host.c_str(), port) != AMQP_STATUS_OK) {
      throw std::runtime_error("cannot reach RabbitMQ");
    }
    Check(amqp_login(connection_, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest"),
          "login");
    amqp_channel_open(connection_, kChannel);
    Check(amqp_get_rpc_reply(connection_), "channel.open");
    amqp_confirm_select(connection_, kChannel);
    Check(amqp_get_rpc_reply(connection_), "confirm.select");
  }
  ~AmqpClient() override {
    amqp_connection_close(connection_, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(connection_);
  }

  /// A queue that keeps the last 10000 messages: without one the exchange would drop them all.
  void DeclareQueue() {
    amqp_table_entry_t limit{};
    limit.key = amqp_cstring_bytes("x-max-length");
    limit.value.kind = AMQP_FIELD_KIND_I32;
    limit.value.value.i32 = 10'000;
    const amqp_table_t arguments{1, &limit};
    const amqp_bytes_t name = amqp_cstring_bytes(kTopic);
    amqp_queue_declare(connection_, kChannel, name, 0, 1, 0, 0, arguments);
    Check(amqp_get_rpc_reply(connection_), "queue.declare");
    amqp_queue_bind(connection_, kChannel, name, amqp_cstring_bytes(kExchange), name,
                    amqp_empty_table);
    Check(amqp_get_rpc_reply(connection_), "queue.bind");
  }

  void Send(size_t count, const Payloads& payloads) override {
    amqp_basic_properties_t properties{};
    properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_CONTENT_TYPE_FLAG;
    properties.delivery_mode = 2;
    properties.content_type = amqp_cstring_bytes("application/json");
    const size_t end = published_ + count;
    while (confirmed() < end) {
      for (; published_ < end && published_ - confirmed() < kWindow; ++published_) {
        const std::string& payload = payloads[published_ % payloads.size()];
        const amqp_bytes_t body{payload.size(), const_cast<char*>(payload.data())};
        const int code = amqp_basic_publish(connection_, kChannel, amqp_cstring_bytes(kExchange),
                                            amqp_cstring_bytes(kTopic), 1, 0, &properties, body);
        if (code != AMQP_STATUS_OK) throw std::runtime_error(amqp_error_string2(code));
      }
      ReadConfirmations();
    }
  }

 private:
  static void Check(const amqp_rpc_reply_t& reply, const char* what) {
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) return;
    throw std::runtime_error(std::string(what) + " failed: " +
                             (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION
                                  ? amqp_error_string2(reply.library_error)
                                  : "the server refused it"));
  }

  /// Waits for one, then takes what has come with it.
  void ReadConfirmations() {
    amqp_maybe_release_buffers(connection_);
    timeval wait{30, 0};
    for (;;) {
      amqp_frame_t frame;
      const int code = amqp_simple_wait_frame_noblock(connection_, &frame, &wait);
      if (code == AMQP_STATUS_TIMEOUT && wait.tv_sec == 0) return;
      if (code != AMQP_STATUS_OK) throw std::runtime_error(amqp_error_string2(code));
      if (frame.frame_type != AMQP_FRAME_METHOD ||
          frame.payload.method.id != AMQP_BASIC_ACK_METHOD) {
        throw std::runtime_error("RabbitMQ answered with something else than a confirmation");
      }
      const auto* ack = static_cast<const amqp_basic_ack_t*>(frame.payload.method.decoded);
      Confirm(ack->delivery_tag, ack->multiple != 0);
      wait = {0, 0};
    }
  }

  // Tags count from 1 and are confirmed in any order.
  void Confirm(uint64_t tag, bool all_before) {
    if (all_before) {
      first_ = std::max(first_, tag);
      later_.erase(later_.begin(), later_.upper_bound(first_));
    } else {
      later_.insert(tag);
    }
    while (!later_.empty() && *later_.begin() == first_ + 1) {
      ++first_;
      later_.erase(later_.begin());
    }
  }
  uint64_t confirmed() const { return first_ + later_.size(); }

  const amqp_connection_state_t connection_;
  uint64_t published_ = 0;
  uint64_t first_ = 0;        // all up to this tag are confirmed
  std::set<uint64_t> later_;  // and these
};

class AmqpTarget : public BrokerTarget {
 public:
  AmqpTarget() : BrokerTarget("rabbitmq", "") {}
  void Start() override {
    BrokerTarget::Start();
    AmqpClient(host(), port()).DeclareQueue();
  }
  std::string name() const override { return "amqp"; }
  std::string adaptor() const override { return "amqp"; }
  std::string client() const override { return std::string("rabbitmq-c ") + amqp_version(); }
  std::string terms() const override {
    return "persistent, mandatory, confirms in a window of 1000, a durable queue of 10000";
  }
  size_t default_messages() const override { return 100'000; }
  std::vector<std::string> config() const override {
    return {"confirm-window=" + std::to_string(kWindow)};
  }
  std::unique_ptr<RawClient> Connect() override {
    return std::make_unique<AmqpClient>(host(), port());
  }
};

DSMSG_TARGET(AmqpTarget);

}  // namespace
}  // namespace dsmsg::bench
