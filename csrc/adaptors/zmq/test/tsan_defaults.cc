// SPDX-License-Identifier: Apache-2.0
// Only for ThreadSanitizer builds of this program. libzmq is not built with ThreadSanitizer and
// hands messages over with its own atomic operations. Each word of a message then is a race that is
// found and suppressed (tests/tsan.supp), which takes a second for 100 kB. So calls from libzmq are
// not checked at all. Programs that unload libzmq cannot use this: ThreadSanitizer ends them.
#ifdef __SANITIZE_THREAD__
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_suppressions() {
  return "called_from_lib:libzmq.so\n";
}
#endif
