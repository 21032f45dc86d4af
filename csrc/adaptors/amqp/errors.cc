// SPDX-License-Identifier: Apache-2.0
#include "adaptors/amqp/errors.h"

#include <algorithm>

#include "adaptors/amqp/api.h"

namespace dsmsg::amqp {
namespace {

bool Holds(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

}  // namespace

Code ReplyCode(uint16_t code, std::string_view text) {
  switch (code) {
    case AMQP_CONTENT_TOO_LARGE:
      return Code::kTooLarge;
    case AMQP_NO_ROUTE:
    case AMQP_NOT_FOUND:
      return Code::kUnknownTopic;
    case AMQP_ACCESS_REFUSED:
      return Code::kAuth;
    case AMQP_PRECONDITION_FAILED:
      return Holds(text, "larger than") ? Code::kTooLarge : Code::kRejected;
    case AMQP_NOT_ALLOWED:
      if (Holds(text, "limit")) return Code::kUnavailable;  // of connections: others may close
      if (Holds(text, " is down")) return Code::kUnavailable;
      return Holds(text, "not found") ? Code::kInvalidArgument : Code::kAuth;
    case AMQP_NO_CONSUMERS:
    case AMQP_CONNECTION_FORCED:
    case AMQP_FRAME_ERROR:
    case AMQP_CHANNEL_ERROR:
    case AMQP_UNEXPECTED_FRAME:
    case AMQP_RESOURCE_ERROR:
    case AMQP_INTERNAL_ERROR:
      return Code::kUnavailable;
    case AMQP_NOT_IMPLEMENTED:
      return Code::kNotSupported;
    default:
      return Code::kRejected;
  }
}

std::string ReplyText(uint16_t code, std::string_view text) {
  std::string out = std::to_string(code) + " ";
  for (const char c : text) out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  return out;
}

std::string_view ReplyAdvice(uint16_t code, std::string_view text) {
  switch (code) {
    case AMQP_NO_ROUTE:
      return " (bind a queue for this routing key, or set mandatory=0 to have such messages "
             "dropped)";
    case AMQP_NOT_FOUND:
      return Holds(text, "exchange") ? " (create it, or set exchange-type to have it declared)"
                                     : " (create it, or check the name and the vhost)";
    case AMQP_ACCESS_REFUSED:
      return " (does the user have permission? see rabbitmqctl set_permissions, "
             "set_topic_permissions)";
    case AMQP_RESOURCE_LOCKED:
      return " (another connection uses it exclusively)";
    case AMQP_PRECONDITION_FAILED:
      if (Holds(text, "larger than")) return " (raise max_message_size in rabbitmq.conf)";
      return Holds(text, "inequivalent")
                 ? " (it exists with other properties: change the option, or delete it there)"
                 : "";
    case AMQP_NOT_ALLOWED:
      if (Holds(text, "limit")) return " (raise the connection limit, or close other connections)";
      if (Holds(text, " is down")) return " (its log says why; rabbitmqctl restart_vhost)";
      return Holds(text, "vhost") ? " (check vhost; rabbitmqctl list_vhosts, set_permissions -p)"
                                  : "";
    case AMQP_CONNECTION_FORCED:
      return " (the broker is being stopped, or an administrator ended the connection)";
    default:
      return "";
  }
}

}  // namespace dsmsg::amqp
