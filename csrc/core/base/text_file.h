// SPDX-License-Identifier: Apache-2.0
// How every text file is read: configurations, secrets, labels. Pure functions: any thread.
#ifndef DSMSG_CORE_BASE_TEXT_FILE_H_
#define DSMSG_CORE_BASE_TEXT_FILE_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "core/base/status.h"

namespace dsmsg {

/// Drops the UTF-8 byte order mark that some editors put in front of a text.
std::string_view WithoutByteOrderMark(std::string_view text);

/// Whether a file has one. False where it cannot be read.
bool BeginsWithByteOrderMark(const std::string& path);

/// Reads a regular file of at most `limit` bytes, without its byte order mark. Never blocks on a
/// pipe. The error says why in words, without the path.
Result<std::string> ReadTextFile(const std::string& path, size_t limit);

}  // namespace dsmsg

#endif  // DSMSG_CORE_BASE_TEXT_FILE_H_
