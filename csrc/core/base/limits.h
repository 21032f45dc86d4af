// SPDX-License-Identifier: Apache-2.0
// What to tell a person when the process has used up something that the system limits.
// Threads: any.
#ifndef DSMSG_CORE_BASE_LIMITS_H_
#define DSMSG_CORE_BASE_LIMITS_H_

#include <cerrno>
#include <string_view>

namespace dsmsg {

inline constexpr std::string_view kThreadAdvice =
    " (the limit of threads is reached: raise `ulimit -u`, systemd's TasksMax= or the container's "
    "pids limit)";

/// Which limit to raise, in parentheses; empty for an errno that is about something else.
constexpr std::string_view LimitAdvice(int error) {
  switch (error) {
    case EMFILE:
      return " (the limit of open files of this process is reached: raise `ulimit -n`, systemd's "
             "LimitNOFILE= or docker's --ulimit nofile=)";
    case ENFILE:
      return " (the limit of open files of this machine is reached: raise the sysctl fs.file-max)";
    case ENOMEM:
    case ENOBUFS:
      return " (memory is short: does a memory limit of the container or of systemd apply?)";
    default:
      return "";
  }
}

}  // namespace dsmsg

#endif  // DSMSG_CORE_BASE_LIMITS_H_
