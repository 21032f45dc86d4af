// SPDX-License-Identifier: Apache-2.0
#include "core/base/status.h"

#include <array>

namespace dsmsg {

const char* CodeName(Code code) noexcept {
  switch (code) {
    case Code::kOk:
      return "ok";
    case Code::kInvalidArgument:
      return "invalid-argument";
    case Code::kUnknownTopic:
      return "unknown-topic";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kWouldBlock:
      return "would-block";
    case Code::kTimeout:
      return "timeout";
    case Code::kRejected:
      return "rejected";
    case Code::kAuth:
      return "auth";
    case Code::kTooLarge:
      return "too-large";
    case Code::kNotSupported:
      return "not-supported";
    case Code::kCancelled:
      return "cancelled";
    case Code::kInternal:
      return "internal";
  }
  return "internal";
}

const std::string& DefaultMessage(Code code) noexcept {
  // Leaked: core threads may still use it while the process exits.
  static const auto* const texts = new std::array<std::string, 12>{
      "",
      "an argument or a setting is wrong",
      "the broker does not know the topic",
      "the broker cannot be reached",
      "there is no room now",
      "no answer in time",
      "the broker refused the message",
      "the broker refused the credentials or the certificate",
      "the message is too large",
      "not supported",
      "the connection is being closed",
      "internal error: out of memory or another resource, or a bug",
  };
  const auto index = static_cast<size_t>(code);
  return (*texts)[index < texts->size() ? index : texts->size() - 1];
}

}  // namespace dsmsg
