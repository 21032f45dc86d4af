// SPDX-License-Identifier: Apache-2.0
// Names of topics, and which partition a key belongs to. Pure functions: any thread.
#ifndef DSMSG_ADAPTORS_PULSAR_TOPIC_H_
#define DSMSG_ADAPTORS_PULSAR_TOPIC_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/status.h"

namespace dsmsg::pulsar {

/// "persistent://tenant/namespace/name" of a full name, of "tenant/namespace/name" or of a name in
/// `name_space` ("public/default").
Result<std::string> FullName(std::string_view topic, const std::string& name_space);
/// "tenant/namespace".
bool IsNamespace(std::string_view text);
/// Text fields of the protocol are UTF-8.
bool IsText(std::string_view text);

/// java.lang.String.hashCode() of UTF-8 text: how Pulsar's Java and Python clients spread keys.
uint32_t JavaHash(std::string_view text);
/// Murmur3_32, seed 0.
uint32_t Murmur3(std::string_view bytes);

}  // namespace dsmsg::pulsar

#endif  // DSMSG_ADAPTORS_PULSAR_TOPIC_H_
