// SPDX-License-Identifier: Apache-2.0
// CRC-32C (Castagnoli), which protects the messages of Pulsar's protocol. Pure function: any
// thread.
#ifndef DSMSG_ADAPTORS_PULSAR_CRC32C_H_
#define DSMSG_ADAPTORS_PULSAR_CRC32C_H_

#include <cstdint>
#include <string_view>

namespace dsmsg::pulsar {

uint32_t Crc32c(std::string_view bytes);

}  // namespace dsmsg::pulsar

#endif  // DSMSG_ADAPTORS_PULSAR_CRC32C_H_
