// SPDX-License-Identifier: Apache-2.0
// A host that ends with a connection open and messages on their way: returns from main, so that
// exit handlers run while the adaptor's threads do. Its own handler, which is the last to run,
// looks whether OpenSSL has been cleaned up under them.
//
// Usage: dsmsg_leaver <library> <connection> <config> <topic>. Exit code 0: all is well.
#include <dlfcn.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "nvds_msgapi.h"

namespace {

using InitCrypto = int (*)(uint64_t, const void*);
InitCrypto init_crypto = nullptr;

void Last() {
  if (init_crypto == nullptr || init_crypto(0, nullptr) == 1) return;
  std::fputs("OpenSSL was cleaned up while the adaptor's threads run\n", stderr);
  _exit(3);
}

template <class Function>
Function* Find(void* library, const char* name) {
  return reinterpret_cast<Function*>(dlsym(library, name));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  std::atexit(Last);
  void* const library = dlopen(argv[1], RTLD_LAZY | RTLD_LOCAL);
  if (library == nullptr) return 2;
  auto* const connect = Find<decltype(nvds_msgapi_connect)>(library, "nvds_msgapi_connect");
  auto* const send = Find<decltype(nvds_msgapi_send_async)>(library, "nvds_msgapi_send_async");
  init_crypto = reinterpret_cast<InitCrypto>(dlsym(library, "OPENSSL_init_crypto"));
  NvDsMsgApiHandle handle = connect(argv[2], nullptr, argv[3]);
  if (handle == nullptr) return 2;
  constexpr uint64_t kLoadStrings = 2;  // with no option at all it registers nothing
  if (init_crypto != nullptr) init_crypto(kLoadStrings, nullptr);  // as TLS, or a spool, does
  const std::string payload(200, 'x');
  for (int i = 0; i < 1000; ++i) {
    (void)send(handle, argv[4], reinterpret_cast<const uint8_t*>(payload.data()), payload.size(),
               nullptr, nullptr);
  }
  return 0;
}
