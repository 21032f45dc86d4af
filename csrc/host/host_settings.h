// SPDX-License-Identifier: Apache-2.0
// Options of a connection through an adaptor: group [nvmsgbroker]. Values; any thread.
#ifndef DSMSG_HOST_HOST_SETTINGS_H_
#define DSMSG_HOST_HOST_SETTINGS_H_

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/options/config.h"
#include "core/options/options.h"

namespace dsmsg::host {

struct HostSettings {
  /// Which hosts get RECONNECTING (and the OK after it). kAuto: every host except DeepStream's
  /// sink, which would then drop messages that could wait.
  enum class Report { kAuto, kYes, kNo };

  bool auto_reconnect = true;
  Millis retry_interval{2000};
  Millis max_retry_limit{360000};  // 0: for ever
  std::chrono::microseconds work_interval{10000};
  Millis flush_timeout{10000};
  // The queue in front of a third-party adaptor.
  size_t queue_size = 100000;
  uint64_t queue_bytes = uint64_t{256} << 20;
  Millis overflow_timeout{5000};
  Report report = Report::kAuto;

  std::string origin;                 // the file that gave the group, or empty
  std::vector<std::string> warnings;  // to be logged

  static constexpr const char* kDeepStreamFile =
      "/opt/nvidia/deepstream/deepstream/sources/libs/nvmsgbroker/cfg_nvmsgbroker.txt";

  /// The first file that has the group provides all of the options: the adaptor's file ("" for
  /// none), the file named by NVMSGBROKER_CONFIG, DeepStream's own. Refusing an unreadable adaptor
  /// file is left to the adaptor. A bad value, and a NVMSGBROKER_CONFIG that names no file with the
  /// group, are errors; unknown keys are warnings that name the nearest known one.
  static Result<HostSettings> Load(const std::string& adaptor_config,
                                   const std::string& deepstream_file = kDeepStreamFile);
};

/// The options, in the order of the documentation.
std::span<const OptionSpec> HostOptions();

}  // namespace dsmsg::host

#endif  // DSMSG_HOST_HOST_SETTINGS_H_
