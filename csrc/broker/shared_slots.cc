// SPDX-License-Identifier: Apache-2.0
#include "broker/shared_slots.h"

#include <array>
#include <filesystem>
#include <system_error>

namespace dsmsg {

std::string SharingKey(const AdaptorLibrary& library, const std::string* conn_str,
                       const std::string* config) {
  std::array<char, 1024> signature{};
  // The contract's strings are not const.
  std::string conn_copy = conn_str == nullptr ? "" : *conn_str;
  std::string config_copy = config == nullptr ? "" : *config;
  const NvDsMsgApiErrorType code =
      library.api().connection_signature(conn_str == nullptr ? nullptr : conn_copy.data(),
                                         config == nullptr ? nullptr : config_copy.data(),
                                         signature.data(), static_cast<int>(signature.size()));
  signature.back() = '\0';
  if (code != NVDS_MSGAPI_OK || signature.front() == '\0') return {};
  std::error_code error;
  const auto path = std::filesystem::canonical(library.path(), error);
  return (error ? library.path() : path.string()) + '\n' + signature.data();
}

}  // namespace dsmsg
