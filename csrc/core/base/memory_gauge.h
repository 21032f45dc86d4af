// SPDX-License-Identifier: Apache-2.0
// How much of its memory the machine uses, or the control group of this process, whichever is
// closer to its end. A value; reading asks the kernel, which takes some ten microseconds. Any
// thread.
#ifndef DSMSG_CORE_BASE_MEMORY_GAUGE_H_
#define DSMSG_CORE_BASE_MEMORY_GAUGE_H_

#include <string>
#include <utility>

namespace dsmsg {

class MemoryGauge {
 public:
  /// `root`: where /proc and /sys are, for tests.
  explicit MemoryGauge(std::string root = "") : root_(std::move(root)) {}

  /// Memory in use, in percent; what the kernel can take back at once (caches) does not count.
  /// -1: the kernel does not say.
  double Percent() const;

 private:
  double OfMachine() const;
  double OfGroups() const;
  double OfGroup(const std::string& folder, bool second) const;

  std::string root_;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_BASE_MEMORY_GAUGE_H_
