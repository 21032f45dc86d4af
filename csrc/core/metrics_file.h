// SPDX-License-Identifier: Apache-2.0
// The option metrics-file: writes the metrics of the connections that name the same file, for the
// textfile collector of Prometheus' node exporter. A file is replaced as a whole (written beside
// and renamed), so that a reader never sees half of one.
//
// Threads: Start and the destructor on the owner's thread. `source` is called on a thread of this
// class and inside Start and the destructor, until the destructor returned; it must not block.
#ifndef DSMSG_CORE_METRICS_FILE_H_
#define DSMSG_CORE_METRICS_FILE_H_

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "core/log.h"
#include "core/metrics_report.h"
#include "core/net.h"

namespace dsmsg {

class MetricsFile {
 public:
  using Source = std::function<MetricsSource()>;

  /// Writes the file once: an error means that it cannot be written. Then every `interval`.
  static Result<std::unique_ptr<MetricsFile>> Start(const std::string& path, Millis interval,
                                                    Source source, Logger& logger);
  /// Writes the last values and forgets the connection.
  ~MetricsFile();
  MetricsFile(const MetricsFile&) = delete;
  MetricsFile& operator=(const MetricsFile&) = delete;

 private:
  MetricsFile(std::string path, Millis interval, Source source, Logger& logger);
  Status Write();
  void Run();

  const std::string path_;
  const Millis interval_;
  const Source source_;
  Logger& logger_;
  std::mutex mutex_;  // guards stop_
  std::condition_variable stop_cv_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_METRICS_FILE_H_
