// SPDX-License-Identifier: Apache-2.0
// The option metrics-file: writes the metrics of the connections that name the same file, for the
// textfile collector of Prometheus' node exporter. A file is replaced as a whole (written beside
// under a name of its own, then renamed), so that a reader never sees half of one.
//
// The end of a connection, and of the process by exit() or return from main, is written too:
// link_up is 0 then. A file with %p in its name, which no later process would replace, is removed
// when its last connection ends.
//
// Threads: Start and End on the owner's thread. `source` is called on a thread of this class, at
// exit, and inside Start and End, until End returned; it must not block. The files are written by
// one thread each, which outlives End where the disk hangs and touches nothing of the owner's then.
#ifndef DSMSG_CORE_OBSERVE_METRICS_FILE_H_
#define DSMSG_CORE_OBSERVE_METRICS_FILE_H_

#include <functional>
#include <memory>
#include <string>

#include "core/base/status.h"
#include "core/base/time.h"
#include "core/observe/metrics_report.h"

namespace dsmsg {

class MetricsFile {
 public:
  using Source = std::function<MetricsSource()>;

  /// Writes the file once: an error means that it cannot be written. Then every `interval`.
  /// `option`: the path, with %p for the process id and %% for a percent sign. `protocol`: for the
  /// log.
  static Result<std::unique_ptr<MetricsFile>> Start(const std::string& option, Millis interval,
                                                    const char* protocol, Source source);
  ~MetricsFile();
  MetricsFile(const MetricsFile&) = delete;
  MetricsFile& operator=(const MetricsFile&) = delete;

  /// Has the last values written, with link_up 0, and forgets the connection. Waits for the disk
  /// until `deadline`.
  void End(Deadline deadline);

  /// The path that an option names; `per_process`: it differs in each process (%p).
  static std::string Expand(const std::string& option, bool* per_process);

 private:
  class File;
  struct Entry;
  struct Registry;
  MetricsFile(std::shared_ptr<File> file, uint64_t id) : file_(std::move(file)), id_(id) {}

  std::shared_ptr<File> file_;
  const uint64_t id_;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_OBSERVE_METRICS_FILE_H_
