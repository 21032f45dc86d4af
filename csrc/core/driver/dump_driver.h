// SPDX-License-Identifier: Apache-2.0
// The driver that stands in for any protocol when NVDS_JSON_DUMP_FILE is set: payloads are appended
// to that file, one a line, and no broker is contacted. Threads: as Driver.
#ifndef DSMSG_CORE_DRIVER_DUMP_DRIVER_H_
#define DSMSG_CORE_DRIVER_DUMP_DRIVER_H_

#include <span>
#include <string>
#include <utility>

#include "core/base/fd.h"
#include "core/base/time.h"
#include "core/driver/driver.h"
#include "core/options/config.h"

namespace dsmsg {

class DumpDriver final : public Driver {
 public:
  DumpDriver(DriverHost& host, std::string path) : host_(host), path_(std::move(path)) {}

  Status Configure(const Endpoints& endpoints, const Config& config) override;
  Status Open(Role role, Deadline deadline, int cancel_fd) override;
  Status Submit(const Message& message, Token token) override;
  Status Poll(Millis budget, int wake_fd) override;
  Status Subscribe(std::span<const std::string> topics, Deadline deadline) override;
  void Ack(AckToken token) noexcept override;
  void Close(Millis drain, int cancel_fd) noexcept override;

 private:
  DriverHost& host_;
  const std::string path_;
  UniqueFd file_;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_DRIVER_DUMP_DRIVER_H_
