// SPDX-License-Identifier: Apache-2.0
#include "adaptors/amqp/test/scripted_broker.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <stdexcept>
#include <utility>

namespace dsmsg::amqp {
namespace {

constexpr uint16_t kChannel = 1;
constexpr size_t kFrameMax = 131072;

}  // namespace

ScriptedBroker::ScriptedBroker(Script script) : script_(std::move(script)) {
  listener_ = UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener_.get(), generic, length) != 0 || listen(listener_.get(), 4) != 0 ||
      getsockname(listener_.get(), generic, &length) != 0) {
    throw std::runtime_error("no free port");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Serve(); });
}

ScriptedBroker::~ScriptedBroker() {
  stop_.Signal();
  thread_.join();
}

void ScriptedBroker::Serve() {
  for (;;) {
    pollfd fds[2] = {{listener_.get(), POLLIN, 0}, {stop_.fd(), POLLIN, 0}};
    poll(fds, 2, -1);
    if (fds[1].revents != 0) return;
    connection_ = UniqueFd(accept(listener_.get(), nullptr, nullptr));
    const int on = 1;
    setsockopt(connection_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    out_.Clear();
    out_.SetFrameMax(kFrameMax);
    in_.Clear();
    in_.SetFrameMax(kFrameMax);
    message_ = Message();
    hung_up_ = false;
    Talk();
    connection_.Reset();
  }
}

void ScriptedBroker::Talk() {
  char greeting[8];
  if (recv(connection_.get(), greeting, sizeof greeting, MSG_WAITALL) != sizeof greeting) return;
  amqp_connection_start_t start{};
  start.version_minor = 9;
  start.mechanisms = ToBytes("PLAIN");
  start.locales = ToBytes("en_US");
  Send(0, AMQP_CONNECTION_START_METHOD, &start);
  while (!hung_up_) {
    AmqpFrame frame;
    if (in_.Next(&frame) == FrameReader::Result::kFrame) {
      OnFrame(frame);
      continue;
    }
    pollfd fds[2] = {{connection_.get(), POLLIN, 0}, {stop_.fd(), POLLIN, 0}};
    poll(fds, 2, -1);
    if (fds[1].revents != 0) return;
    size_t size = 0;
    char* space = in_.Space(&size);
    const ssize_t got = recv(connection_.get(), space, size, 0);
    if (got <= 0) return;
    in_.Received(static_cast<size_t>(got));
  }
}

void ScriptedBroker::OnFrame(const AmqpFrame& frame) {
  if (frame.type == AMQP_FRAME_METHOD) return OnMethod(frame);
  if (frame.type == AMQP_FRAME_HEADER) {
    message_.size = frame.body_size;
    message_.message_id = ToView(frame.properties->message_id);
    if (script_.header) script_.header(*this, message_);
  } else if (frame.type == AMQP_FRAME_BODY) {
    message_.body += frame.body;
  } else {
    return;
  }
  if (message_.body.size() == message_.size) Complete();
}

void ScriptedBroker::Complete() {
  if (script_.message) script_.message(*this, message_);
  message_.body.clear();
}

void ScriptedBroker::OnMethod(const AmqpFrame& frame) {
  const amqp_channel_open_ok_t channel_open{};
  const amqp_connection_open_ok_t connection_open{};
  const amqp_confirm_select_ok_t confirm{};
  const amqp_basic_qos_ok_t qos{};
  const amqp_connection_close_ok_t close{};
  amqp_connection_tune_t tune{};
  tune.frame_max = kFrameMax;
  switch (frame.id) {
    case AMQP_CONNECTION_START_OK_METHOD:
      return Send(0, AMQP_CONNECTION_TUNE_METHOD, &tune);
    case AMQP_CONNECTION_OPEN_METHOD:
      return Send(0, AMQP_CONNECTION_OPEN_OK_METHOD, &connection_open);
    case AMQP_CHANNEL_OPEN_METHOD:
      return Send(frame.channel, AMQP_CHANNEL_OPEN_OK_METHOD, &channel_open);
    case AMQP_CONFIRM_SELECT_METHOD:
      message_.tag = 0;
      return Send(frame.channel, AMQP_CONFIRM_SELECT_OK_METHOD, &confirm);
    case AMQP_BASIC_QOS_METHOD:
      if (script_.question) script_.question(*this);
      return Send(frame.channel, AMQP_BASIC_QOS_OK_METHOD, &qos);
    case AMQP_BASIC_PUBLISH_METHOD:
      ++message_.tag;
      message_.routing_key = ToView(static_cast<amqp_basic_publish_t*>(frame.method)->routing_key);
      return;
    case AMQP_CONNECTION_CLOSE_METHOD:
      Send(0, AMQP_CONNECTION_CLOSE_OK_METHOD, &close);
      return HangUp();
    case AMQP_CONNECTION_CLOSE_OK_METHOD:
      return HangUp();
    default:
      return;
  }
}

void ScriptedBroker::Send(uint16_t channel, amqp_method_number_t id, const void* method) {
  if (!out_.Method(channel, id, method)) throw std::runtime_error(amqp_method_name(id));
  Flush();
}

void ScriptedBroker::Flush() {
  while (!out_.unsent().empty()) {
    const std::string_view unsent = out_.unsent();
    const ssize_t done = send(connection_.get(), unsent.data(), unsent.size(), MSG_NOSIGNAL);
    if (done <= 0) return HangUp();
    out_.Sent(static_cast<size_t>(done));
  }
}

void ScriptedBroker::Ack(const Message& message) {
  amqp_basic_ack_t ack{};
  ack.delivery_tag = message.tag;
  Send(kChannel, AMQP_BASIC_ACK_METHOD, &ack);
}

void ScriptedBroker::Nack(const Message& message) {
  amqp_basic_nack_t nack{};
  nack.delivery_tag = message.tag;
  Send(kChannel, AMQP_BASIC_NACK_METHOD, &nack);
}

void ScriptedBroker::Return(const Message& message, uint16_t code, const std::string& text) {
  amqp_basic_return_t returned{};
  returned.reply_code = code;
  returned.reply_text = ToBytes(text);
  returned.routing_key = ToBytes(message.routing_key);
  amqp_basic_properties_t properties{};
  properties._flags = AMQP_BASIC_MESSAGE_ID_FLAG;
  properties.message_id = ToBytes(message.message_id);
  out_.Method(kChannel, AMQP_BASIC_RETURN_METHOD, &returned);
  out_.ContentHeader(kChannel, message.body.size(), properties);
  if (!message.body.empty()) out_.Body(kChannel, message.body);
  Flush();
}

void ScriptedBroker::CloseConnection(uint16_t code, const std::string& text) {
  amqp_connection_close_t close{};
  close.reply_code = code;
  close.reply_text = ToBytes(text);
  Send(0, AMQP_CONNECTION_CLOSE_METHOD, &close);
}

}  // namespace dsmsg::amqp
