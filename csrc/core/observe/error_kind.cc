// SPDX-License-Identifier: Apache-2.0
#include "core/observe/error_kind.h"

#include <string>
#include <string_view>

namespace dsmsg {

const char* KindName(const Status& status) noexcept {
  if (status.ok()) return "";
  const bool of_link = status.code() == Code::kAuth || status.code() == Code::kUnavailable ||
                       status.code() == Code::kTimeout;
  const auto says = [&](std::string_view part) {
    return status.message().find(part) != std::string::npos;
  };
  if (of_link && (says("TLS: ") || says("TLS handshake"))) return "tls";
  return CodeName(status.code());
}

}  // namespace dsmsg
