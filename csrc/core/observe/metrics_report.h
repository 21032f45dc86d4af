// SPDX-License-Identifier: Apache-2.0
// The reports of a connection's metrics: the JSON of dsmsg_stats() and the text format of
// Prometheus. Pure functions: any thread.
#ifndef DSMSG_CORE_OBSERVE_METRICS_REPORT_H_
#define DSMSG_CORE_OBSERVE_METRICS_REPORT_H_

#include <cstdint>
#include <span>
#include <string>

#include "core/observe/metrics.h"

namespace dsmsg {

/// Values that live elsewhere, read at the moment of the report.
struct Gauges {
  std::string protocol, endpoint, library, library_version;
  bool link_up = false;
  uint64_t queue_bytes = 0, in_flight = 0, completions_waiting = 0, inbox_messages = 0;
  uint64_t spool_rows = 0, spool_bytes = 0, spool_failing = 0;
  std::string ledger;  // Ledger::Json; empty: none
};

/// The text of dsmsg_stats().
std::string StatsJson(const MetricsSnapshot& metrics, const Gauges& gauges);

/// One connection of a report. `connection` tells several to one endpoint apart.
struct MetricsSource {
  MetricsSnapshot metrics;
  Gauges gauges;
  std::string connection;
};

/// Text exposition format 0.0.4: every metric with help, type and a line for each source, labelled
/// with protocol, endpoint and connection.
std::string PrometheusText(std::span<const MetricsSource> sources);

/// The values of a connection that has ended: its counters, and nothing that is up or waits.
MetricsSource Ended(MetricsSource source);

}  // namespace dsmsg

#endif  // DSMSG_CORE_OBSERVE_METRICS_REPORT_H_
