// SPDX-License-Identifier: Apache-2.0
// The name of an outgoing message, for servers that recognise a message that is sent again. It is
// the same on every try, over reconnects and reloads, and after a restart where the spool kept the
// message. No two messages share one, whichever process or machine they come from.
//
// Threads: values.
#ifndef DSMSG_CORE_DRIVER_MESSAGE_ID_H_
#define DSMSG_CORE_DRIVER_MESSAGE_ID_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace dsmsg {

struct MessageId {
  uint64_t origin = 0;  // random: the connection that accepted the message
  uint64_t number = 0;  // of the message there; 0: it has no name yet

  bool empty() const { return number == 0; }
  bool operator==(const MessageId&) const = default;

  /// "0123456789abcdef-1f".
  void AppendTo(std::string* out) const;
  std::string ToString() const;
  /// The inverse. Empty for any other text.
  static MessageId Parse(std::string_view text);

  /// A random origin for a connection.
  static uint64_t NewOrigin();
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_DRIVER_MESSAGE_ID_H_
