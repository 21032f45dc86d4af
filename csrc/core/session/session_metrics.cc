// SPDX-License-Identifier: Apache-2.0
// What a connection tells of itself: counters, gauges, the metrics file, the last error.
#include <unistd.h>

#include "core/base/guard.h"
#include "core/session/session.h"

namespace dsmsg {

MetricsSnapshot Session::ReadMetrics() const {
  Metrics::SpoolCounts counts;
  if (spool_ != nullptr) {
    const SpoolStats spool = spool_->Stats();
    counts = {spool_->restored(), spool.evicted, spool.lost};
  }
  return metrics_.Read(counts);
}

void Session::OnTick() noexcept {
  losses_.Look();
  const auto relieve = [this] {
    std::vector<Finished> finished;
    relief_.Look(&finished);
    completions_.Push(&finished);
  };
  Contained(relieve, [this](const char* what) { logger_.Error(what); });
}

Gauges Session::ReadGauges() const {
  Gauges gauges;
  gauges.protocol = factory_.info->protocol;
  gauges.library = factory_.info->library;
  if (factory_.info->library_version != nullptr) {
    gauges.library_version = factory_.info->library_version();
  }
  gauges.endpoint = producer_->state().peer();
  gauges.link_up = producer_->up();
  gauges.queue_bytes = queue_.bytes();
  gauges.in_flight = queue_.in_flight();
  gauges.completions_waiting = completions_.waiting();
  gauges.inbox_messages = inbox_->messages();
  if (spool_ != nullptr) {
    const SpoolStats spool = spool_->Stats();
    gauges.spool_rows = spool.rows;
    gauges.spool_bytes = spool.bytes;
    gauges.spool_failing = spool.failing ? 1 : 0;
  }
  if (metrics_.ledger != nullptr) gauges.ledger = metrics_.ledger->Json();
  return gauges;
}

std::string Session::StatsJson() const { return dsmsg::StatsJson(ReadMetrics(), ReadGauges()); }

std::string Session::LastError() const {
  const std::string reason = metrics_.LastFailureReason(), loss = metrics_.LastLossReason();
  const std::string lost = losses_.Summary();
  if (lost.empty()) return reason;
  // A server that refuses a message may also end the connection.
  const bool more = !loss.empty() && loss != reason;
  return reason + " [since connect: " + lost + (more ? "; the last: " + loss : "") + "]";
}

Status Session::StartMetricsFile() {
  static std::atomic<uint64_t> connections{0};
  const std::string path = settings_.config.GetString("metrics-file");
  if (path.empty()) return {};
  bool per_process = false;
  MetricsFile::Expand(path, &per_process);
  // Files of several processes are read together, so no two connections may look the same there.
  const std::string connection =
      (per_process ? std::to_string(getpid()) + '-' : "") + std::to_string(++connections);
  auto started = MetricsFile::Start(path, settings_.config.GetMillis("metrics-interval"),
                                    factory_.info->protocol, [this, connection] {
                                      return MetricsSource{ReadMetrics(), ReadGauges(), connection};
                                    });
  if (!started.ok()) return started.status();
  metrics_file_ = std::move(started.value());
  return {};
}

}  // namespace dsmsg
