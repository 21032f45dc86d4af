// SPDX-License-Identifier: Apache-2.0
// A plain AMQP client on rabbitmq-c's blocking functions, for tests: it creates and reads queues,
// independently of the adaptor.
//
// Threads: one at a time; only while the server is up. What the broker refuses is thrown.
#ifndef DSMSG_CONFORMANCE_AMQP_CLIENT_H_
#define DSMSG_CONFORMANCE_AMQP_CLIENT_H_

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_tcp_socket.h>
#endif

#include <chrono>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "server.h"

namespace dsmsg::conformance {

/// A message in a queue.
struct AmqpMessage {
  std::string payload, routing_key, content_type, message_id;
  uint8_t delivery_mode = 0;
  uint64_t timestamp = 0;
  std::map<std::string, std::string> headers;
  bool redelivered = false;
};

class AmqpClient {
 public:
  /// One connection with one channel, as the user guest with Password().
  explicit AmqpClient(Server& server, const std::string& vhost = "/")
      : state_(amqp_new_connection()) {
    timeval timeout{20, 0};
    amqp_socket_t* socket = amqp_tcp_socket_new(state_.get());
    if (socket == nullptr ||
        amqp_socket_open_noblock(socket, server.host().c_str(), server.port(), &timeout) != 0) {
      throw std::runtime_error("amqp: cannot connect");
    }
    amqp_set_rpc_timeout(state_.get(), &timeout);
    Check(amqp_login(state_.get(), vhost.c_str(), 1, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest",
                     Password().c_str()),
          "login");
    amqp_channel_open(state_.get(), kChannel);
    Check(amqp_get_rpc_reply(state_.get()), "channel.open");
  }
  ~AmqpClient() {
    amqp_channel_close(state_.get(), kChannel, AMQP_REPLY_SUCCESS);
    amqp_connection_close(state_.get(), AMQP_REPLY_SUCCESS);
  }
  AmqpClient(const AmqpClient&) = delete;
  AmqpClient& operator=(const AmqpClient&) = delete;

  /// A durable queue. Returns how many messages wait in it.
  uint32_t Declare(const std::string& queue, amqp_table_t arguments = amqp_empty_table,
                   bool durable = true) {
    return Declare(queue, 0, durable ? 1 : 0, arguments);
  }
  uint32_t Count(const std::string& queue) { return Declare(queue, 1, 1, amqp_empty_table); }

  void Bind(const std::string& queue, const std::string& routing_key,
            const std::string& exchange = "amq.topic") {
    amqp_queue_bind(state_.get(), kChannel, Bytes(queue), Bytes(exchange), Bytes(routing_key),
                    amqp_empty_table);
    Check(amqp_get_rpc_reply(state_.get()), "queue.bind");
  }
  /// A durable queue that gets what is sent to amq.topic with its name as routing key.
  void MakeTopic(const std::string& topic) {
    Declare(topic);
    Bind(topic, topic);
  }
  void Delete(const std::string& queue) {
    amqp_queue_delete(state_.get(), kChannel, Bytes(queue), 0, 0);
    Check(amqp_get_rpc_reply(state_.get()), "queue.delete");
  }
  void Publish(const std::string& routing_key, const std::string& payload,
               const std::string& exchange = "amq.topic") {
    amqp_basic_publish(state_.get(), kChannel, Bytes(exchange), Bytes(routing_key), 0, 0, nullptr,
                       Bytes(payload));
  }

  /// All messages of a queue without other consumers, which are then given back to it. Throws
  /// when the queue counts messages that do not come.
  std::vector<AmqpMessage> ReadAll(const std::string& queue) {
    uint32_t waiting = Count(queue);
    std::vector<AmqpMessage> found;
    if (waiting == 0) return found;
    amqp_basic_consume(state_.get(), kChannel, Bytes(queue), amqp_cstring_bytes("reader"), 0, 0, 0,
                       amqp_empty_table);
    Check(amqp_get_rpc_reply(state_.get()), "basic.consume");
    uint64_t last = 0;
    for (; waiting > 0; --waiting) {
      amqp_envelope_t envelope;
      const timeval timeout{60, 0};
      amqp_maybe_release_buffers(state_.get());
      Check(amqp_consume_message(state_.get(), &envelope, &timeout, 0),
            "reading " + queue + ": " + std::to_string(found.size()) + " messages came, " +
                std::to_string(waiting) + " more are counted");
      found.push_back(ToMessage(envelope));
      last = envelope.delivery_tag;
      amqp_destroy_envelope(&envelope);
    }
    amqp_basic_cancel(state_.get(), kChannel, amqp_cstring_bytes("reader"));
    amqp_basic_nack(state_.get(), kChannel, last, /*multiple=*/1, /*requeue=*/1);
    // The messages are back a little later than the answer says: the queue answers with its count
    // first.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    for (uint32_t count = Count(queue); count != found.size(); count = Count(queue)) {
      if (std::chrono::steady_clock::now() > deadline) {
        throw std::runtime_error("amqp: read " + std::to_string(found.size()) + " messages of " +
                                 queue + ", it counts " + std::to_string(count));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));  // between two looks
    }
    return found;
  }

  /// Of the user guest.
  static std::string& Password() {
    static std::string password = "guest";
    return password;
  }

 private:
  static constexpr amqp_channel_t kChannel = 1;

  static amqp_bytes_t Bytes(const std::string& text) {
    return {text.size(), const_cast<char*>(text.data())};
  }
  static std::string Text(const amqp_bytes_t& bytes) {
    return {static_cast<const char*>(bytes.bytes), bytes.len};
  }

  uint32_t Declare(const std::string& queue, amqp_boolean_t passive, amqp_boolean_t durable,
                   amqp_table_t arguments) {
    const amqp_queue_declare_ok_t* ok =
        amqp_queue_declare(state_.get(), kChannel, Bytes(queue), passive, durable, 0, 0, arguments);
    Check(amqp_get_rpc_reply(state_.get()), "queue.declare");
    return ok->message_count;
  }

  static AmqpMessage ToMessage(const amqp_envelope_t& envelope) {
    AmqpMessage message;
    message.payload = Text(envelope.message.body);
    message.routing_key = Text(envelope.routing_key);
    message.redelivered = envelope.redelivered != 0;
    const amqp_basic_properties_t& properties = envelope.message.properties;
    const auto has = [&](amqp_flags_t flag) { return (properties._flags & flag) != 0; };
    if (has(AMQP_BASIC_CONTENT_TYPE_FLAG)) message.content_type = Text(properties.content_type);
    if (has(AMQP_BASIC_MESSAGE_ID_FLAG)) message.message_id = Text(properties.message_id);
    if (has(AMQP_BASIC_DELIVERY_MODE_FLAG)) message.delivery_mode = properties.delivery_mode;
    if (has(AMQP_BASIC_TIMESTAMP_FLAG)) message.timestamp = properties.timestamp;
    const int headers = has(AMQP_BASIC_HEADERS_FLAG) ? properties.headers.num_entries : 0;
    for (int i = 0; i < headers; ++i) {
      const amqp_table_entry_t& entry = properties.headers.entries[i];
      if (entry.value.kind != AMQP_FIELD_KIND_UTF8) continue;
      message.headers[Text(entry.key)] = Text(entry.value.value.bytes);
    }
    return message;
  }

  static void Check(const amqp_rpc_reply_t& reply, const std::string& what) {
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) return;
    std::string why = "no answer";
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) {
      why = amqp_error_string2(reply.library_error);
    } else if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
      why = Text(static_cast<const amqp_channel_close_t*>(reply.reply.decoded)->reply_text);
    } else if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
      why = Text(static_cast<const amqp_connection_close_t*>(reply.reply.decoded)->reply_text);
    }
    throw std::runtime_error("amqp: " + what + ": " + why);
  }

  struct Free {
    void operator()(amqp_connection_state_t state) const { amqp_destroy_connection(state); }
  };
  std::unique_ptr<amqp_connection_state_t_, Free> state_;
};

}  // namespace dsmsg::conformance

#endif  // DSMSG_CONFORMANCE_AMQP_CLIENT_H_
