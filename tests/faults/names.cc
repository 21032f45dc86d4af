// SPDX-License-Identifier: Apache-2.0
// A name service that a test can switch off. This program exports getaddrinfo, so that every
// library it loads calls this one: names that end in ".faults.test" are those in the file named by
// DSMSG_FAULT_NAMES, one a line, and all mean 127.0.0.1; the file is read at every call. Other
// names go to the C library.
//
// Threads: any.
#include <dlfcn.h>
#include <netdb.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

namespace {

constexpr std::string_view kEnd = ".faults.test";

bool IsKnown(const std::string& name) {
  const char* path = std::getenv("DSMSG_FAULT_NAMES");
  if (path == nullptr) return false;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line == name) return true;
  }
  return false;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int getaddrinfo(const char* node,
                                                                  const char* service,
                                                                  const addrinfo* hints,
                                                                  addrinfo** result) {
  static const auto real =
      reinterpret_cast<decltype(&getaddrinfo)>(dlsym(RTLD_NEXT, "getaddrinfo"));
  const std::string name = node == nullptr ? "" : node;
  if (!name.ends_with(kEnd)) return real(node, service, hints, result);
  if (!IsKnown(name)) return EAI_AGAIN;  // what an unreachable name server gives
  return real("127.0.0.1", service, hints, result);
}
