// SPDX-License-Identifier: Apache-2.0
// What the consumer received, as a file for `dsmsg view --messages`: an object a line.
#ifndef DSMSG_DEMO_RECORDING_H_
#define DSMSG_DEMO_RECORDING_H_

#include <fstream>
#include <string>
#include <string_view>

#include "core/base/status.h"

namespace dsmsg_demo {

/// One thread at a time.
class Recording {
 public:
  /// Begins the file anew.
  dsmsg::Status Open(const std::string& path, std::string topic);
  /// Does nothing before Open.
  void Add(std::string_view payload);

 private:
  std::ofstream file_;
  std::string topic_;
};

}  // namespace dsmsg_demo

#endif  // DSMSG_DEMO_RECORDING_H_
