// SPDX-License-Identifier: Apache-2.0
#include "core/base/memory_gauge.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>

namespace dsmsg {
namespace {

// The number behind a word, in lines such as "MemTotal:  16303012 kB" and "inactive_file 4096".
std::optional<double> NumberAfter(const std::string& path, std::string_view word) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string name;
    double value = 0;
    if (fields >> name >> value && name == word) return value;
  }
  return std::nullopt;
}

// The whole file; none where there is no such file, and where it says "max".
std::optional<double> NumberIn(const std::string& path) {
  std::ifstream file(path);
  double value = 0;
  if (file >> value) return value;
  return std::nullopt;
}

}  // namespace

double MemoryGauge::Percent() const { return std::max(OfMachine(), OfGroups()); }

double MemoryGauge::OfMachine() const {
  const std::string path = root_ + "/proc/meminfo";
  const auto total = NumberAfter(path, "MemTotal:"), free = NumberAfter(path, "MemAvailable:");
  if (!total || !free || *total <= 0) return -1;
  return 100 * (*total - *free) / *total;
}

// Lines are "0::/a/b" (version 2) or "5:memory:/a/b" (version 1). Every group above has a limit of
// its own; inside a container, the path may be one of the host that is not to be seen.
double MemoryGauge::OfGroups() const {
  double most = -1;
  std::ifstream groups(root_ + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const bool second = line.starts_with("0::/");
    if (!second && line.find(":memory:/") == line.npos) continue;
    const std::string mount = root_ + (second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory");
    for (std::string path = line.substr(line.find('/'));; path.resize(path.rfind('/'))) {
      most = std::max(most, OfGroup(mount + path + "/", second));
      if (path.empty()) break;
    }
  }
  return most;
}

double MemoryGauge::OfGroup(const std::string& folder, bool second) const {
  const auto most = NumberIn(folder + (second ? "memory.max" : "memory.limit_in_bytes"));
  const auto used = NumberIn(folder + (second ? "memory.current" : "memory.usage_in_bytes"));
  if (!most || !used || *most <= 0) return -1;
  const auto cache =
      NumberAfter(folder + "memory.stat", second ? "inactive_file" : "total_inactive_file");
  return 100 * std::max(0.0, *used - cache.value_or(0)) / *most;
}

}  // namespace dsmsg
