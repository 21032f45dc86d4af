// SPDX-License-Identifier: Apache-2.0
#include "core/observe/metrics_report.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <chrono>
#include <cstdio>
#include <vector>

namespace dsmsg {
namespace {

struct CounterSpec {
  const char* json;
  const char* prometheus;
  const char* help;
  uint64_t MetricsSnapshot::*value;
};
constexpr CounterSpec kCounters[] = {
    {"accepted", "accepted_total", "Messages accepted from the host", &MetricsSnapshot::accepted},
    {"bytes", "accepted_bytes_total", "Payload bytes accepted from the host",
     &MetricsSnapshot::accepted_bytes},
    {"refused", "refused_total", "Messages refused by return value", &MetricsSnapshot::refused},
    {"refused_full", "refused_full_total",
     "Of these: refused because the queue was full (overflow=reject)",
     &MetricsSnapshot::refused_full},
    {"sent", "submitted_total", "Messages given to the client library, including repeats",
     &MetricsSnapshot::submitted},
    {"acknowledged", "acknowledged_total",
     "Messages acknowledged by the broker, excluding those of the spool",
     &MetricsSnapshot::acknowledged},
    {"retried", "retried_total", "Submissions that were returned to be sent again",
     &MetricsSnapshot::retried},
    {"late_completions", "late_completions_total", "Answers for messages that had already ended",
     &MetricsSnapshot::late_completions},
    {"no_receiver", "no_receiver_total",
     "Messages that the broker took although no program received them",
     &MetricsSnapshot::no_receiver},
    {"spooled", "spooled_total", "Messages written to the spool", &MetricsSnapshot::spooled},
    {"restored", "restored_total", "Messages that earlier processes had left in the spool",
     &MetricsSnapshot::restored},
    {"replayed", "replayed_total", "Messages of the spool acknowledged by the broker",
     &MetricsSnapshot::replayed},
    {"dead_letters_due", "dead_letters_due_total",
     "Messages refused for good whose dead letter must be kept",
     &MetricsSnapshot::dead_letters_due},
    {"dead_lettered", "dead_lettered_total", "Dead letters kept (topic, directory or spool)",
     &MetricsSnapshot::dead_lettered},
    {"dead_letters_lost", "dead_letters_lost_total", "Dead letters that could not be kept",
     &MetricsSnapshot::dead_letters_lost},
    {"dead_letters_spooled", "dead_letters_spooled_total",
     "Dead letters written to the spool, on their way to dead-letter-topic",
     &MetricsSnapshot::dead_letters_spooled},
    {"missing_fields", "missing_fields_total",
     "Messages without a field that a key or a template asks for",
     &MetricsSnapshot::missing_fields},
    {"received", "received_total", "Messages received by subscribe", &MetricsSnapshot::received},
    {"reconnects", "reconnects_total", "Links restored after an outage",
     &MetricsSnapshot::reconnects},
    {"failed_attempts", "failed_attempts_total", "Failed attempts to connect",
     &MetricsSnapshot::failed_attempts},
};

/// What is waiting, according to the books.
struct PlaceSpec {
  const char* name;
  const char* help;
  uint64_t MetricsSnapshot::*value;
};
constexpr PlaceSpec kPlaces[] = {
    {"queue_messages", "Messages in memory, accepted and not completed",
     &MetricsSnapshot::queue_messages},
    {"spool_backlog", "Messages durable in the spool that the broker has not acknowledged",
     &MetricsSnapshot::spool_backlog},
    {"dead_letters_waiting", "Dead letters in memory, on their way to dead-letter-topic",
     &MetricsSnapshot::dead_letters_waiting},
};

struct GaugeSpec {
  const char* name;
  const char* help;
  uint64_t Gauges::*value;
};
constexpr GaugeSpec kGauges[] = {
    {"queue_bytes", "Bytes held by the queue", &Gauges::queue_bytes},
    {"in_flight", "Messages given to the client library and not answered", &Gauges::in_flight},
    {"completions_waiting", "Callbacks that wait for do_work", &Gauges::completions_waiting},
    {"inbox_messages", "Received messages that wait for the subscribe callback",
     &Gauges::inbox_messages},
    {"spool_rows", "Messages in the spool's file or on their way there", &Gauges::spool_rows},
    {"spool_bytes", "Bytes that they count against spool-max-bytes", &Gauges::spool_bytes},
    {"spool_failing", "1 while the spool's disk refuses to write", &Gauges::spool_failing},
};

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

/// Writes the metrics one after the other, each with a line per source.
class Exposition {
 public:
  explicit Exposition(std::span<const MetricsSource> sources) : sources_(sources) {
    for (const MetricsSource& source : sources) {
      labels_.push_back("protocol=\"" + Escaped(source.gauges.protocol) + "\",endpoint=\"" +
                        Escaped(source.gauges.endpoint) + "\",connection=\"" +
                        Escaped(source.connection) + '"');
    }
  }

  void Begin(const char* name, const char* type, const char* help) {
    name_ = std::string("dsmsg_") + name;
    text_ += "# HELP " + name_ + ' ' + help + "\n# TYPE " + name_ + ' ' + type + '\n';
  }
  /// `more`: an additional label, or empty; `suffix`: of the name.
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
    // Including zeros: to Prometheus, a counter that first appears as 1 has not increased.
    for (size_t index = 1; index < kCodeCount; ++index) {
      const auto code = static_cast<Code>(index);
      out->Line(i, std::to_string(sources[i].metrics.failed[index]), label(CodeName(code)));
    }
  }
  out->Begin("dropped_total", "counter", "Messages that the core ended without the broker");
  for (size_t i = 0; i < sources.size(); ++i) {
    for (size_t reason = 0; reason < kDropReasonCount; ++reason) {
      const char* const name = DropReasonName(static_cast<DropReason>(reason));
      out->Line(i, std::to_string(sources[i].metrics.dropped[reason]), label(name));
    }
  }
}

// Bounds as Prometheus writes them: "0.0025", "10".
std::string Bound(std::chrono::microseconds bound) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", static_cast<double>(bound.count()) * 1e-6);
  return text;
}

void AddLatency(std::span<const MetricsSource> sources, Exposition* out) {
  out->Begin("latency_seconds", "histogram", "Time from acceptance to acknowledgement");
  for (size_t i = 0; i < sources.size(); ++i) {
    const LatencyHistogram::Summary& latency = sources[i].metrics.latency;
    uint64_t count = 0;
    for (size_t bucket = 0; bucket < latency.buckets.size(); ++bucket) {
      count += latency.buckets[bucket];
      const bool last = bucket == LatencyHistogram::kBounds.size();
      const std::string bound = last ? "+Inf" : Bound(LatencyHistogram::kBounds[bucket]);
      out->Line(i, std::to_string(count), "le=\"" + bound + '"', "_bucket");
    }
    out->Line(i, Number(static_cast<double>(latency.sum) * 1e-6), "", "_sum");
    out->Line(i, std::to_string(count), "", "_count");
  }
}

double Now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

std::string PrometheusText(std::span<const MetricsSource> sources) {
  Exposition out(sources);
  for (const CounterSpec& spec : kCounters) {
    out.Each(spec.prometheus, "counter", spec.help, [&](const MetricsSource& source) {
      return std::to_string(source.metrics.*spec.value);
    });
  }
  AddReasons(sources, &out);
  out.Each("link_up", "gauge", "1 while the broker is reachable",
           [](const MetricsSource& source) { return source.gauges.link_up ? "1" : "0"; });
  for (const PlaceSpec& spec : kPlaces) {
    out.Each(spec.name, "gauge", spec.help, [&](const MetricsSource& source) {
      return std::to_string(source.metrics.*spec.value);
    });
  }
  for (const GaugeSpec& spec : kGauges) {
    out.Each(spec.name, "gauge", spec.help, [&](const MetricsSource& source) {
      return std::to_string(source.gauges.*spec.value);
    });
  }
  constexpr double kMilli = 1e-3;
  out.Each("last_success_timestamp_seconds", "gauge", "Time of the last acknowledgement",
           [](const MetricsSource& source) {
             return Number(static_cast<double>(source.metrics.last_success_ms) * kMilli);
           });
  out.Each("last_failure_timestamp_seconds", "gauge", "Time of the last error",
           [](const MetricsSource& source) {
             return Number(static_cast<double>(source.metrics.last_failure_ms) * kMilli);
           });
  AddLatency(sources, &out);
  out.Begin("build_info", "gauge",
            "Always 1; the labels give the versions of the adaptor and of the client library it "
            "runs with");
  for (size_t i = 0; i < sources.size(); ++i) {
    const Gauges& gauges = sources[i].gauges;
    out.Line(i, "1",
             std::string("version=\"") + DSMSG_VERSION + "\",library=\"" + Escaped(gauges.library) +
                 "\",library_version=\"" + Escaped(gauges.library_version) + '"');
  }
  out.Each("written_timestamp_seconds", "gauge", "Time at which this was written",
           [now = Number(Now())](const MetricsSource&) { return now; });
  return out.Take();
}

MetricsSource Ended(MetricsSource source) {
  const auto kept = source.gauges;
  source.gauges = Gauges();
  source.gauges.protocol = kept.protocol;
  source.gauges.endpoint = kept.endpoint;
  source.gauges.library = kept.library;
  source.gauges.library_version = kept.library_version;
  // Messages still on disk keep waiting there.
  source.gauges.spool_rows = kept.spool_rows;
  source.gauges.spool_bytes = kept.spool_bytes;
  return source;
}

std::string StatsJson(const MetricsSnapshot& metrics, const Gauges& gauges) {
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
  json.Key("version");
  json.String(DSMSG_VERSION);
  json.Key("library");
  json.String(gauges.library.c_str());
  json.Key("library_version");
  json.String(gauges.library_version.c_str());
  json.Key("link");
  json.String(gauges.link_up ? "up" : "down");
  for (const CounterSpec& spec : kCounters) {
    number(spec.json, metrics.*spec.value);
  }
  json.Key("failed");
  json.StartObject();
  for (size_t i = 1; i < kCodeCount; ++i) {
    if (metrics.failed[i] > 0) number(CodeName(static_cast<Code>(i)), metrics.failed[i]);
  }
  json.EndObject();
  json.Key("dropped");
  json.StartObject();
  for (size_t i = 0; i < kDropReasonCount; ++i) {
    number(DropReasonName(static_cast<DropReason>(i)), metrics.dropped[i]);
  }
  json.EndObject();
  for (const PlaceSpec& spec : kPlaces) number(spec.name, metrics.*spec.value);
  for (const GaugeSpec& spec : kGauges) number(spec.name, gauges.*spec.value);
  if (!gauges.ledger.empty()) {
    json.Key("ledger");
    json.RawValue(gauges.ledger.data(), gauges.ledger.size(), rapidjson::kObjectType);
  }
  json.Key("last_success_ms");
  json.Int64(metrics.last_success_ms);
  json.Key("last_failure_ms");
  json.Int64(metrics.last_failure_ms);
  json.Key("last_failure_reason");
  json.String(metrics.last_failure_reason.c_str());
  const LatencyHistogram::Summary& latency = metrics.latency;
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
