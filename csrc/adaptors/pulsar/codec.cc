// SPDX-License-Identifier: Apache-2.0
#include "adaptors/pulsar/codec.h"

#include <dlfcn.h>

#include <array>

namespace dsmsg::pulsar {
namespace {

// Each returns whether `out` was filled exactly. `function` is the library's, in its C interface.
using Run = bool (*)(void* function, std::string_view in, std::string* out);

bool RunLz4(void* function, std::string_view in, std::string* out) {
  using Function = int (*)(const char*, char*, int, int);
  const int size = static_cast<int>(out->size());
  return reinterpret_cast<Function>(function)(in.data(), out->data(), static_cast<int>(in.size()),
                                              size) == size;
}

bool RunZlib(void* function, std::string_view in, std::string* out) {
  using Function = int (*)(unsigned char*, unsigned long*, const unsigned char*, unsigned long);
  unsigned long size = out->size();
  const int code = reinterpret_cast<Function>(function)(
      reinterpret_cast<unsigned char*>(out->data()), &size,
      reinterpret_cast<const unsigned char*>(in.data()), in.size());
  return code == 0 && size == out->size();
}

bool RunZstd(void* function, std::string_view in, std::string* out) {
  using Function = size_t (*)(void*, size_t, const void*, size_t);
  // An error is a number beyond every size.
  return reinterpret_cast<Function>(function)(out->data(), out->size(), in.data(), in.size()) ==
         out->size();
}

bool RunSnappy(void* function, std::string_view in, std::string* out) {
  using Function = int (*)(const char*, size_t, char*, size_t*);
  size_t size = out->size();
  return reinterpret_cast<Function>(function)(in.data(), in.size(), out->data(), &size) == 0 &&
         size == out->size();
}

struct Codec {
  const char *name, *library, *function, *package;
  Run run;
};

// By the protocol's number, from 1.
constexpr std::array<Codec, 4> kCodecs = {{
    {"LZ4", "liblz4.so.1", "LZ4_decompress_safe", "liblz4-1", RunLz4},
    {"ZLIB", "libz.so.1", "uncompress", "zlib1g", RunZlib},
    {"ZSTD", "libzstd.so.1", "ZSTD_decompress", "libzstd1", RunZstd},
    {"SNAPPY", "libsnappy.so.1", "snappy_uncompress", "libsnappy1v5", RunSnappy},
}};

// The library stays loaded: to be asked again costs a look-up.
void* Load(const Codec& codec) {
  void* const library = dlopen(codec.library, RTLD_NOW | RTLD_LOCAL);
  return library == nullptr ? nullptr : dlsym(library, codec.function);
}

}  // namespace

Result<std::string> Decompress(uint32_t kind, std::string_view bytes, size_t size) {
  if (kind == 0 || kind > kCodecs.size()) {
    return Status(Code::kNotSupported, "it has an unknown compression, " + std::to_string(kind));
  }
  const Codec& codec = kCodecs[kind - 1];
  const std::string what = std::string("it is compressed with ") + codec.name;
  if (size > kMostMessageBytes) {
    return Status(Code::kTooLarge, what + " and has " + std::to_string(size) +
                                       " bytes, more than the adaptor takes (64 MB)");
  }
  void* const function = Load(codec);
  if (function == nullptr) {
    return Status(Code::kNotSupported, what + ", and " + codec.library +
                                           " is not installed (Debian, Ubuntu: apt install " +
                                           codec.package + ")");
  }
  std::string plain(size, '\0');
  if (size > 0 && !codec.run(function, bytes, &plain)) {
    return Status(Code::kRejected, what + ", and that is broken");
  }
  return plain;
}

}  // namespace dsmsg::pulsar
