// SPDX-License-Identifier: Apache-2.0
// Only for ThreadSanitizer builds of this program. libzmq is not built with ThreadSanitizer and
// hands messages over by atomic operations of its own; every word of a message then is a race that
// is looked for, found and suppressed (tests/tsan.supp), and 100 kB take a second. So what libzmq
// calls is not looked at in the first place. Programs that unload libzmq cannot have this:
// ThreadSanitizer ends them.
#ifdef __SANITIZE_THREAD__
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_suppressions() {
  return "called_from_lib:libzmq.so\n";
}
#endif
