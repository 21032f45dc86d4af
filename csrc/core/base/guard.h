// SPDX-License-Identifier: Apache-2.0
// Barriers for exceptions: around exported functions, around callbacks of the host and around what
// runs on our threads. The forced unwind of pthread_cancel passes all of them, because the C
// library ends the process if it is caught.
#ifndef DSMSG_CORE_BASE_GUARD_H_
#define DSMSG_CORE_BASE_GUARD_H_

#include <cxxabi.h>

#include <exception>
#include <utility>

// A forced unwind has no object that a handler's reference could be bound to, which UBSan takes for
// a null reference.
#ifdef DSMSG_SANITIZED
#define DSMSG_HANDLES_UNWIND __attribute__((noinline, no_sanitize("null")))
#else
#define DSMSG_HANDLES_UNWIND
#endif

namespace dsmsg {

/// Runs `body`. If it throws, calls `failed` with the exception's text and returns false. No
/// exception escapes, not even one of `failed`. Any thread.
template <class Body, class Failed>
DSMSG_HANDLES_UNWIND bool Contained(Body&& body, Failed&& failed) {
  const auto tell = [&failed](const char* what) DSMSG_HANDLES_UNWIND {
    try {
      failed(what);
    } catch (const abi::__forced_unwind&) {
      throw;
    } catch (...) {
    }
  };
  try {
    body();
    return true;
  } catch (const abi::__forced_unwind&) {
    throw;
  } catch (const std::exception& error) {
    tell(error.what());
  } catch (...) {
    tell("an exception that is not a std::exception");
  }
  return false;
}

/// Returns what `body` returns; if it throws, calls `refuse` with the exception's text and returns
/// `failure`. Any thread.
template <class Body, class Refuse>
auto Guarded(decltype(std::declval<Body>()()) failure, Body body, Refuse refuse)
    -> decltype(body()) {
  auto answer = failure;
  Contained([&] { answer = body(); }, refuse);
  return answer;
}

}  // namespace dsmsg

#endif  // DSMSG_CORE_BASE_GUARD_H_
