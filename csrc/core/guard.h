// SPDX-License-Identifier: Apache-2.0
// The exception barrier of exported functions.
#ifndef DSMSG_CORE_GUARD_H_
#define DSMSG_CORE_GUARD_H_

#include <exception>
#include <utility>

namespace dsmsg {

/// Gives what `body` returns; when it throws, `failure`, after `refuse` was told the exception's
/// text. No exception gets out: running out of memory or threads is all that may throw. Any thread.
template <class Body, class Refuse>
auto Guarded(decltype(std::declval<Body>()()) failure, Body body, Refuse refuse) noexcept
    -> decltype(body()) {
  try {
    return body();
  } catch (const std::exception& error) {
    try {
      refuse(error.what());
    } catch (...) {
    }
  } catch (...) {
  }
  return failure;
}

}  // namespace dsmsg

#endif  // DSMSG_CORE_GUARD_H_
