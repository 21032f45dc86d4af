/* SPDX-License-Identifier: Apache-2.0 */
/* Stands for DeepStream's logger: a process that has loaded this globally has an nvds_log.
 * Single-threaded. */
#include <stdarg.h>
#include <stdio.h>

#define EXPORTED __attribute__((visibility("default")))

EXPORTED void nvds_log(const char* category, int priority, const char* format, ...);
EXPORTED const char* fake_nvds_log_last(void);

static char last[8192];

void nvds_log(const char* category, int priority, const char* format, ...) {
  char text[8000];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  snprintf(last, sizeof last, "%.80s|%d|%.8000s", category, priority, text);
}

const char* fake_nvds_log_last(void) { return last; }
