// SPDX-License-Identifier: Apache-2.0
// rabbitmq-c, one thread: persistent messages with publisher confirms.
#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_tcp_socket.h>
#endif

#include <chrono>
#include <deque>
#include <stdexcept>
#include <utility>

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
    const std::string all = std::string(kTopic) + ".#";  // kTopic itself too
    amqp_queue_bind(connection_, kChannel, name, amqp_cstring_bytes(kExchange),
                    amqp_cstring_bytes(all.c_str()), amqp_empty_table);
    Check(amqp_get_rpc_reply(connection_), "queue.bind");
  }

  void Submit(const Letter& letter, Sent* sent) override {
    amqp_basic_properties_t properties{};
    properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_CONTENT_TYPE_FLAG;
    properties.delivery_mode = 2;
    properties.content_type = amqp_cstring_bytes("application/json");
    const amqp_bytes_t body{letter.payload.size(), const_cast<char*>(letter.payload.data())};
    const int code =
        amqp_basic_publish(connection_, kChannel, amqp_cstring_bytes(kExchange),
                           amqp_cstring_bytes(letter.topic.c_str()), 1, 0, &properties, body);
    if (code != AMQP_STATUS_OK) throw std::runtime_error(amqp_error_string2(code));
    waiting_.push_back(sent);
  }

  /// Waits for one confirmation, then takes what has come with it.
  void Poll(std::chrono::microseconds time) override {
    amqp_maybe_release_buffers(connection_);
    // Its own wait knows milliseconds only.
    if (amqp_frames_enqueued(connection_) == 0 && amqp_data_in_buffer(connection_) == 0 &&
        !Readable(amqp_get_sockfd(connection_), time)) {
      return;
    }
    const timeval wait{0, 0};
    for (;;) {
      amqp_frame_t frame;
      const int code = amqp_simple_wait_frame_noblock(connection_, &frame, &wait);
      if (code == AMQP_STATUS_TIMEOUT) return;
      if (code != AMQP_STATUS_OK) throw std::runtime_error(amqp_error_string2(code));
      if (frame.frame_type != AMQP_FRAME_METHOD ||
          frame.payload.method.id != AMQP_BASIC_ACK_METHOD) {
        throw std::runtime_error("RabbitMQ answered with something else than a confirmation");
      }
      const auto* ack = static_cast<const amqp_basic_ack_t*>(frame.payload.method.decoded);
      Confirm(ack->delivery_tag, ack->multiple != 0);
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

  // Tags count from 1 and are confirmed in any order.
  void Confirm(uint64_t tag, bool all_before) {
    for (uint64_t each = all_before ? oldest_ : tag; each <= tag; ++each) {
      if (Sent*& sent = waiting_[each - oldest_]; sent != nullptr) {
        Tracker::Done(std::exchange(sent, nullptr), true);
      }
    }
    for (; !waiting_.empty() && waiting_.front() == nullptr; ++oldest_) waiting_.pop_front();
  }

  const amqp_connection_state_t connection_;
  uint64_t oldest_ = 1;  // the tag of the first in
  std::deque<Sent*> waiting_;
};

class AmqpTarget : public BrokerTarget {
 public:
  AmqpTarget() : BrokerTarget("rabbitmq") {}
  void Start(const Setup& setup) override {
    BrokerTarget::Start(setup);
    AmqpClient(host(), port()).DeclareQueue();
  }
  std::string name() const override { return "amqp"; }
  std::string adaptor() const override { return "amqp"; }
  std::string client() const override { return std::string("rabbitmq-c ") + amqp_version(); }
  std::string terms() const override {
    return "persistent, mandatory, confirms in a window of 1000, a durable queue of 10000; "
           "tuned: no statistics, larger socket buffers";
  }
  std::vector<std::string> config() const override {
    // A shorter queue: what is in it at the end of a run is waited for.
    return {"queue-size=4000", "confirm-window=" + std::to_string(kWindow)};
  }
  std::unique_ptr<RawClient> Connect() override {
    return std::make_unique<AmqpClient>(host(), port());
  }

 protected:
  std::string ServerArgs(const Setup& setup, uint16_t /*proxy*/) const override {
    return setup.tuned ? R"({"config":["collect_statistics = none",)"
                         R"("tcp_listen_options.sndbuf = 196608",)"
                         R"("tcp_listen_options.recbuf = 196608"]})"
                       : "{}";
  }
};

DSMSG_TARGET(AmqpTarget);

}  // namespace
}  // namespace dsmsg::bench
