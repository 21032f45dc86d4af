// SPDX-License-Identifier: Apache-2.0
#include "core/driver/dump_driver.h"
#include "core/options/config.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace dsmsg {

Status DumpDriver::Configure(const Endpoints&, const Config&) { return {}; }

Status DumpDriver::Open(Role, Deadline, int) {
  file_ = UniqueFd(open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644));
  if (file_.valid()) return {};
  return {Code::kInvalidArgument,
          "cannot open " + path_ + " (NVDS_JSON_DUMP_FILE) for writing: " + std::strerror(errno)};
}

Status DumpDriver::Submit(const Message& message, Token token) {
  std::string line(message.payload);
  line += '\n';
  // O_APPEND and a single write: lines from several processes do not mix.
  const ssize_t written = write(file_.get(), line.data(), line.size());
  if (written == static_cast<ssize_t>(line.size())) {
    host_.Complete(token, {});
  } else {
    const int error = written < 0 ? errno : ENOSPC;
    host_.Complete(token,
                   {Code::kRejected, "cannot write to " + path_ + ": " + std::strerror(error)});
  }
  return {};
}

Status DumpDriver::Poll(Millis budget, int wake_fd) {
  pollfd fd = {wake_fd, POLLIN, 0};
  poll(&fd, 1, static_cast<int>(budget.count()));
  return {};
}

Status DumpDriver::Subscribe(std::span<const std::string>, Deadline) {
  return {Code::kNotSupported, "nothing can be received while NVDS_JSON_DUMP_FILE is set"};
}

void DumpDriver::Ack(AckToken) noexcept {}

void DumpDriver::Close(Millis, int) noexcept { file_.Reset(); }

}  // namespace dsmsg
