// SPDX-License-Identifier: Apache-2.0
// Whether a buffer holds whole JSON documents. Pure; any thread.
#ifndef DSMSG_GST_JSON_END_H_
#define DSMSG_GST_JSON_END_H_

#include <string_view>

namespace dsmsg {

/// True when `bytes` end inside an object, an array or a string that begins in them. Any number of
/// documents may follow each other; they are not otherwise checked.
bool EndsInsideJson(std::string_view bytes);

}  // namespace dsmsg

#endif  // DSMSG_GST_JSON_END_H_
