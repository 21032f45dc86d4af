// SPDX-License-Identifier: Apache-2.0
// The compressions that producers of Pulsar use. The system's libraries do the work; each is loaded
// when the first message needs it, so that the adaptor runs without them.
//
// Threads: any. Owns nothing but the libraries, which stay loaded.
#ifndef DSMSG_ADAPTORS_PULSAR_CODEC_H_
#define DSMSG_ADAPTORS_PULSAR_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/status.h"

namespace dsmsg::pulsar {

/// A received message, chunks joined and compression undone, may be this large.
inline constexpr size_t kMostMessageBytes = size_t{64} << 20;

/// `kind`: CompressionType of the protocol. `size`: what comes out, as the producer says. The error
/// says why that is impossible: an unknown kind, a library that is not installed, broken bytes,
/// another size, or more than kMostMessageBytes.
Result<std::string> Decompress(uint32_t kind, std::string_view bytes, size_t size);

}  // namespace dsmsg::pulsar

#endif  // DSMSG_ADAPTORS_PULSAR_CODEC_H_
