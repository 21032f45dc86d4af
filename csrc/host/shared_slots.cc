// SPDX-License-Identifier: Apache-2.0
#include "host/shared_slots.h"

#include <array>
#include <filesystem>
#include <system_error>

namespace dsmsg::host {

std::string SharingKey(const AdaptorLibrary& library, const std::optional<std::string>& conn_str,
                       const std::optional<std::string>& config) {
  std::array<char, 1024> signature{};
  // The contract's strings are not const.
  std::string conn_copy = conn_str.value_or(""), config_copy = config.value_or("");
  const NvDsMsgApiErrorType code = library.api().connection_signature(
      conn_str ? conn_copy.data() : nullptr, config ? config_copy.data() : nullptr,
      signature.data(), static_cast<int>(signature.size()));
  signature.back() = '\0';
  if (code != NVDS_MSGAPI_OK || signature.front() == '\0') return {};
  std::error_code error;
  const auto path = std::filesystem::canonical(library.path(), error);
  return (error ? library.path() : path.string()) + '\n' + signature.data();
}

}  // namespace dsmsg::host
