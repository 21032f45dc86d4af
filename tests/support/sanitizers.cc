// SPDX-License-Identifier: Apache-2.0
// Sanitizer settings of all test programs; a program may add some with its own function.

// glibc frees a finished thread's storage for an unloadable library's thread_local variables when
// it reuses the stack, in a way that ThreadSanitizer cannot see.
extern "C" __attribute__((visibility("default"), weak)) const char* __tsan_default_suppressions() {
  return "race:_dl_deallocate_tls\n";
}
