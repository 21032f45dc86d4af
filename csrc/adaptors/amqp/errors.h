// SPDX-License-Identifier: Apache-2.0
// What the reply codes of AMQP mean. Pure functions: any thread.
#ifndef DSMSG_ADAPTORS_AMQP_ERRORS_H_
#define DSMSG_ADAPTORS_AMQP_ERRORS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/status.h"

namespace dsmsg::amqp {

/// The code for a close of the channel or connection, or for a returned message:
///   kUnknownTopic  the exchange or queue does not exist, or no queue is bound
///   kAuth          this user lacks a permission
///   kTooLarge      larger than the broker accepts
///   kUnavailable   may be over soon
///   kRejected      everything else
Code ReplyCode(uint16_t code, std::string_view text);

/// "404 NOT_FOUND - no exchange 'x' in vhost '/'": as RabbitMQ writes it, without control
/// characters.
std::string ReplyText(uint16_t code, std::string_view text);

/// What the user can do about it, as " (...)", or "".
std::string_view ReplyAdvice(uint16_t code, std::string_view text);

}  // namespace dsmsg::amqp

#endif  // DSMSG_ADAPTORS_AMQP_ERRORS_H_
