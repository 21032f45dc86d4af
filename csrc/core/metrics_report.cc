// SPDX-License-Identifier: Apache-2.0
#include "core/metrics_report.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cstdio>
#include <vector>

namespace dsmsg {
namespace {

struct CounterSpec {
  const char* json;
  const char* prometheus;
  const char* help;
  Metrics::Counter Metrics::*value;
};
constexpr CounterSpec kCounters[] = {
    {"accepted", "accepted_total", "Messages accepted from the host", &Metrics::accepted},
    {"bytes", "accepted_bytes_total", "Payload bytes accepted from the host",
     &Metrics::accepted_bytes},
    {"refused", "refused_total", "Messages refused by return value", &Metrics::refused},
    {"sent", "submitted_total", "Messages given to the client library, repeats included",
     &Metrics::submitted},
    {"acknowledged", "acknowledged_total", "Messages acknowledged by the broker",
     &Metrics::acknowledged},
    {"retried", "retried_total", "Messages that wait to be sent again", &Metrics::retried},
    {"late_completions", "late_completions_total",
     "Answers for messages that had been ended before", &Metrics::late_completions},
    {"no_receiver", "no_receiver_total", "Messages taken although nobody listened",
     &Metrics::no_receiver},
    {"spooled", "spooled_total", "Messages written to the spool", &Metrics::spooled},
    {"replayed", "replayed_total", "Messages of the spool acknowledged by the broker",
     &Metrics::replayed},
    {"dead_lettered", "dead_lettered_total", "Messages refused for good and kept as dead letters",
     &Metrics::dead_lettered},
    {"dead_letters_lost", "dead_letters_lost_total",
     "Messages refused for good that could not be kept as dead letters",
     &Metrics::dead_letters_lost},
    {"missing_fields", "missing_fields_total",
     "Messages without a field that a key or a template asks for", &Metrics::missing_fields},
    {"received", "received_total", "Messages received by subscribe", &Metrics::received},
    {"reconnects", "reconnects_total", "Links restored after an outage", &Metrics::reconnects},
    {"failed_attempts", "failed_attempts_total", "Failed attempts to connect",
     &Metrics::failed_attempts},
};

struct GaugeSpec {
  const char* name;
  const char* help;
  uint64_t Gauges::*value;
};
constexpr GaugeSpec kGauges[] = {
    {"queue_messages", "Messages accepted and not ended", &Gauges::queue_messages},
    {"queue_bytes", "Bytes held by the queue", &Gauges::queue_bytes},
    {"in_flight", "Messages given to the client library and not answered", &Gauges::in_flight},
    {"completions_waiting", "Callbacks that wait for do_work", &Gauges::completions_waiting},
    {"inbox_messages", "Received messages that wait for the subscribe callback",
     &Gauges::inbox_messages},
    {"spool_rows", "Messages in the spool's file", &Gauges::spool_rows},
    {"spool_bytes", "What they count against spool-max-bytes", &Gauges::spool_bytes},
    {"spool_backlog", "Messages in the spool that the broker has not acknowledged",
     &Gauges::spool_backlog},
    {"spool_evicted", "Messages that a full spool deleted undelivered (spool-evict)",
     &Gauges::spool_evicted},
    {"spool_lost", "Messages that went with a damaged spool file", &Gauges::spool_lost},
    {"spool_failing", "1 while the spool's disk refuses to write", &Gauges::spool_failing},
};

constexpr size_t kCodes = static_cast<size_t>(Code::kInternal) + 1;
constexpr size_t kDropReasons = static_cast<size_t>(DropReason::kCount);

std::string Escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out;
}

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6f", value);
  return text;
}

/// Writes one metric after the other, each with a line for every source.
class Exposition {
 public:
  explicit Exposition(std::span<const MetricsSource> sources) : sources_(sources) {
    for (const MetricsSource& source : sources) {
      labels_.push_back("protocol=\"" + Escaped(source.gauges.protocol) + "\",endpoint=\"" +
                        Escaped(source.gauges.endpoint) + "\",connection=\"" +
                        std::to_string(source.connection) + '"');
    }
  }

  void Begin(const char* name, const char* type, const char* help) {
    name_ = std::string("dsmsg_") + name;
    text_ += "# HELP " + name_ + ' ' + help + "\n# TYPE " + name_ + ' ' + type + '\n';
  }
  /// `more`: a further label, or empty; `suffix`: of the name.
  void Line(size_t source, const std::string& value, const std::string& more = "",
            const char* suffix = "") {
    text_ += name_ + suffix + '{' + labels_[source] + (more.empty() ? "" : ",") + more + "} " +
             value + '\n';
  }
  template <class Value>
  void Each(const char* name, const char* type, const char* help, Value value) {
    Begin(name, type, help);
    for (size_t i = 0; i < sources_.size(); ++i) Line(i, value(sources_[i]));
  }
  std::string Take() { return std::move(text_); }

 private:
  const std::span<const MetricsSource> sources_;
  std::vector<std::string> labels_;
  std::string name_, text_;
};

void AddReasons(std::span<const MetricsSource> sources, Exposition* out) {
  const auto label = [](const char* reason) { return std::string("reason=\"") + reason + '"'; };
  out->Begin("failed_total", "counter", "Messages that the broker or a check refused for good");
  for (size_t i = 0; i < sources.size(); ++i) {
    // With the zeros: for Prometheus a counter that first appears with 1 has not increased.
    for (size_t index = 1; index < kCodes; ++index) {
      const auto code = static_cast<Code>(index);
      out->Line(i, std::to_string(sources[i].metrics->failed(code)), label(CodeName(code)));
    }
  }
  out->Begin("dropped_total", "counter", "Messages that the queue gave up");
  for (size_t i = 0; i < sources.size(); ++i) {
    for (size_t reason = 0; reason < kDropReasons; ++reason) {
      const auto each = static_cast<DropReason>(reason);
      out->Line(i, std::to_string(sources[i].metrics->dropped(each)), label(DropReasonName(each)));
    }
  }
}

void AddLatency(std::span<const MetricsSource> sources, Exposition* out) {
  constexpr double kSecond = 1e-6;
  out->Begin("latency_seconds", "summary", "Time from acceptance to acknowledgement");
  for (size_t i = 0; i < sources.size(); ++i) {
    const LatencyHistogram::Summary latency = sources[i].metrics->latency();
    const auto seconds = [](uint64_t us) { return Number(static_cast<double>(us) * kSecond); };
    out->Line(i, seconds(latency.p50), "quantile=\"0.5\"");
    out->Line(i, seconds(latency.p90), "quantile=\"0.9\"");
    out->Line(i, seconds(latency.p99), "quantile=\"0.99\"");
    out->Line(i, seconds(latency.sum), "", "_sum");
    out->Line(i, std::to_string(latency.count), "", "_count");
  }
}

}  // namespace

std::string PrometheusText(std::span<const MetricsSource> sources) {
  Exposition out(sources);
  for (const CounterSpec& spec : kCounters) {
    out.Each(spec.prometheus, "counter", spec.help, [&](const MetricsSource& source) {
      return std::to_string((source.metrics->*spec.value).load(std::memory_order_relaxed));
    });
  }
  AddReasons(sources, &out);
  out.Each("link_up", "gauge", "1 while the broker is reachable",
           [](const MetricsSource& source) { return source.gauges.link_up ? "1" : "0"; });
  for (const GaugeSpec& spec : kGauges) {
    out.Each(spec.name, "gauge", spec.help, [&](const MetricsSource& source) {
      return std::to_string(source.gauges.*spec.value);
    });
  }
  constexpr double kMilli = 1e-3;
  out.Each("last_success_timestamp_seconds", "gauge", "When the last acknowledgement came",
           [](const MetricsSource& source) {
             return Number(static_cast<double>(source.metrics->last_success_ms()) * kMilli);
           });
  out.Each("last_failure_timestamp_seconds", "gauge", "When the last error was noted",
           [](const MetricsSource& source) {
             return Number(static_cast<double>(source.metrics->last_failure_ms()) * kMilli);
           });
  AddLatency(sources, &out);
  return out.Take();
}

std::string StatsJson(const Metrics& metrics, const Gauges& gauges) {
  rapidjson::StringBuffer text;
  rapidjson::Writer<rapidjson::StringBuffer> json(text);
  const auto number = [&json](const char* name, uint64_t value) {
    json.Key(name);
    json.Uint64(value);
  };
  json.StartObject();
  json.Key("protocol");
  json.String(gauges.protocol.c_str());
  json.Key("endpoint");
  json.String(gauges.endpoint.c_str());
  json.Key("link");
  json.String(gauges.link_up ? "up" : "down");
  for (const CounterSpec& spec : kCounters) {
    number(spec.json, (metrics.*spec.value).load(std::memory_order_relaxed));
  }
  json.Key("failed");
  json.StartObject();
  for (size_t i = 1; i < kCodes; ++i) {
    const auto code = static_cast<Code>(i);
    if (metrics.failed(code) > 0) number(CodeName(code), metrics.failed(code));
  }
  json.EndObject();
  json.Key("dropped");
  json.StartObject();
  for (size_t i = 0; i < kDropReasons; ++i) {
    const auto reason = static_cast<DropReason>(i);
    number(DropReasonName(reason), metrics.dropped(reason));
  }
  json.EndObject();
  for (const GaugeSpec& spec : kGauges) number(spec.name, gauges.*spec.value);
  json.Key("last_success_ms");
  json.Int64(metrics.last_success_ms());
  json.Key("last_failure_ms");
  json.Int64(metrics.last_failure_ms());
  json.Key("last_failure_reason");
  json.String(metrics.LastFailureReason().c_str());
  const LatencyHistogram::Summary latency = metrics.latency();
  json.Key("latency_us");
  json.StartObject();
  number("count", latency.count);
  number("sum", latency.sum);
  number("p50", latency.p50);
  number("p90", latency.p90);
  number("p99", latency.p99);
  number("max", latency.max);
  json.EndObject();
  json.EndObject();
  return {text.GetString(), text.GetSize()};
}

}  // namespace dsmsg
