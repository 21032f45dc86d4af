// SPDX-License-Identifier: Apache-2.0
// An AMQP broker that answers messages as a test wants: for what real brokers rarely do, or what
// only brokers do that a test run does not have.
//
// Threads: the script runs on the broker's own thread. The rest: the test's thread.
#ifndef DSMSG_ADAPTORS_AMQP_TEST_SCRIPTED_BROKER_H_
#define DSMSG_ADAPTORS_AMQP_TEST_SCRIPTED_BROKER_H_

#include <functional>
#include <string>
#include <thread>

#include "adaptors/amqp/frames.h"
#include "core/base/fd.h"

namespace dsmsg::amqp {

class ScriptedBroker {
 public:
  struct Message {
    uint64_t tag = 0;
    std::string routing_key, message_id, body;
    uint64_t size = 0;
  };
  struct Script {
    std::function<void(ScriptedBroker&, const Message&)> header;   // its body is still to come
    std::function<void(ScriptedBroker&, const Message&)> message;  // it is complete
    std::function<void(ScriptedBroker&)> question;  // basic.qos, before it is answered
  };

  explicit ScriptedBroker(Script script);
  ~ScriptedBroker();
  ScriptedBroker(const ScriptedBroker&) = delete;
  ScriptedBroker& operator=(const ScriptedBroker&) = delete;
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  // For scripts.
  void Ack(const Message& message);
  void Nack(const Message& message);
  void Return(const Message& message, uint16_t code, const std::string& text);
  void CloseConnection(uint16_t code, const std::string& text);
  /// Closes the socket, unread bytes or not.
  void HangUp() { hung_up_ = true; }

 private:
  void Serve();
  void Talk();
  void OnFrame(const AmqpFrame& frame);
  void OnMethod(const AmqpFrame& frame);
  void Send(uint16_t channel, amqp_method_number_t id, const void* method);
  void Flush();
  void Complete();

  const Script script_;
  UniqueFd listener_, connection_;
  WakeFd stop_;
  uint16_t port_ = 0;
  FrameWriter out_;
  FrameReader in_;
  Message message_;
  bool hung_up_ = false;
  std::thread thread_;
};

}  // namespace dsmsg::amqp

#endif  // DSMSG_ADAPTORS_AMQP_TEST_SCRIPTED_BROKER_H_
