// SPDX-License-Identifier: Apache-2.0
// rabbitmq-c's headers, which moved into their own folder with version 0.12.
#ifndef DSMSG_ADAPTORS_AMQP_API_H_
#define DSMSG_ADAPTORS_AMQP_API_H_

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#endif

#include <string_view>

namespace dsmsg::amqp {

/// A view as rabbitmq-c's type. The library only reads what it encodes.
inline amqp_bytes_t ToBytes(std::string_view text) {
  return {text.size(), const_cast<char*>(text.data())};
}
inline std::string_view ToView(const amqp_bytes_t& bytes) {
  return {static_cast<const char*>(bytes.bytes), bytes.len};
}

/// The length of names of exchanges, queues and routing keys is one byte.
inline constexpr size_t kMaxName = 255;

}  // namespace dsmsg::amqp

#endif  // DSMSG_ADAPTORS_AMQP_API_H_
