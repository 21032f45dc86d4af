// SPDX-License-Identifier: Apache-2.0
#include "core/base/thread.h"

#include <utility>

#include "core/base/fork.h"
#include "core/base/guard.h"
#include "core/base/limits.h"
#include "core/base/log.h"

namespace dsmsg {

NoThreadError::NoThreadError(std::error_code code, const char* name)
    : std::system_error(code),
      text_(std::string("cannot start the thread ") + name + ": " + code.message() +
            std::string(kThreadAdvice)) {}

std::thread StartThread(const char* name, std::function<void()> body) {
  const SignalsBlocked blocked;
  try {
    std::thread thread([name = std::string(name), body = std::move(body)] {
      Contained(body, [&](const char* what) { LogException("the thread " + name, what); });
    });
    pthread_setname_np(thread.native_handle(), name);
    return thread;
  } catch (const std::system_error& error) {
    throw NoThreadError(error.code(), name);
  }
}

void LogException(const std::string& subject, const char* what) {
  static PerProcess<Logger> logger;
  logger.Get("DSMSG").Limited(LogLevel::kError, subject,
                              subject + " threw an exception: " + std::string(what));
}

}  // namespace dsmsg
