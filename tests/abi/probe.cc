// SPDX-License-Identifier: Apache-2.0
// A library with the traps of two adaptors in one process: a call to its own export, and variables
// of inline functions and templates, which a linker merges across libraries unless it is prevented.
#include "dsmsg_ext.h"
#include "nvds_msgapi.h"

#define PROBE_EXPORT extern "C" __attribute__((visibility("default"), noinline))

template <class T>
struct Shared {
  static inline T value{};
};

inline int* InlineStatic() {
  static int counter = 0;
  return &counter;
}

PROBE_EXPORT char* nvds_msgapi_get_protocol_name() {
  static char name[] = PROBE_ANSWER;
  return name;
}

// Answers through the library's own export.
PROBE_EXPORT const char* dsmsg_describe() { return nvds_msgapi_get_protocol_name(); }

PROBE_EXPORT void* dsmsg_probe_inline_static() { return InlineStatic(); }

PROBE_EXPORT void* dsmsg_probe_template() { return &Shared<int>::value; }
