// SPDX-License-Identifier: Apache-2.0
#include "core/net/silence.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>

#include "core/net/hints.h"

namespace dsmsg {

void SilenceWatch::Reset() {
  heard_ = expecting_since_ = moved_ = Clock::now();
  acked_bytes_ = 0;
}

Clock::duration SilenceWatch::Look(int fd) {
  const Deadline now = Clock::now();
  tcp_info info{};
  socklen_t length = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
      info.tcpi_bytes_acked != acked_bytes_) {
    acked_bytes_ = info.tcpi_bytes_acked;
    moved_ = now;
  }
  return now - std::max({heard_, expecting_since_, moved_});
}

Status SilenceWatch::Check(int fd, const std::string& name, Millis grace) {
  const Clock::duration silent = Look(fd);
  if (silent <= limit_ + grace) return {};
  return {Code::kTimeout, name + " has not answered for " +
                              std::to_string(std::chrono::duration_cast<Millis>(silent).count()) +
                              " ms" + Hint(Situation::kStalled)};
}

}  // namespace dsmsg
