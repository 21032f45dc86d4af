// SPDX-License-Identifier: Apache-2.0
#include "core/status.h"

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

}  // namespace dsmsg
