// SPDX-License-Identifier: Apache-2.0
#include "gst/json_end.h"

#include <cstddef>

namespace dsmsg {

bool EndsInsideJson(std::string_view bytes) {
  size_t depth = 0;
  bool in_string = false, escaped = false;
  for (const char c : bytes) {
    if (in_string) {
      if (!escaped && c == '"') in_string = false;
      escaped = !escaped && c == '\\';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return in_string || depth > 0;
}

}  // namespace dsmsg
