// SPDX-License-Identifier: Apache-2.0
#include "core/metrics.h"

#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include "core/metrics_report.h"

namespace dsmsg {
namespace {

using std::chrono::microseconds;

TEST(LatencyHistogram, PercentilesAreWithinABucket) {
  LatencyHistogram histogram;
  for (int value = 1; value <= 1000; ++value) histogram.Record(microseconds(value));
  const LatencyHistogram::Summary summary = histogram.Summarize();
  EXPECT_EQ(summary.count, 1000u);
  EXPECT_EQ(summary.sum, 500500u);
  EXPECT_EQ(summary.max, 1000u);
  EXPECT_GE(summary.p50, 500u);
  EXPECT_LE(summary.p50, 640u);
  EXPECT_GE(summary.p99, 990u);
  EXPECT_LE(summary.p99, 1000u);
}

TEST(LatencyHistogram, ExtremesDoNotOverflow) {
  LatencyHistogram histogram;
  histogram.Record(microseconds(-5));
  histogram.Record(microseconds(0));
  histogram.Record(microseconds::max());
  const LatencyHistogram::Summary summary = histogram.Summarize();
  EXPECT_EQ(summary.count, 3u);
  EXPECT_EQ(summary.p50, 0u);
  EXPECT_EQ(summary.max, static_cast<uint64_t>(microseconds::max().count()));
}

TEST(Metrics, JsonHoldsCountersReasonsAndEscapesText) {
  Metrics metrics;
  Metrics::Add(metrics.accepted, 3);
  metrics.RecordSuccess(microseconds(10));
  metrics.CountFailure(Code::kRejected);
  metrics.CountDrop(DropReason::kEvicted);
  metrics.RecordFailureReason({Code::kRejected, "said \"no\"\n"});
  Gauges gauges;
  gauges.protocol = "FAKE";
  gauges.link_up = true;
  gauges.in_flight = 7;
  rapidjson::Document json;
  json.Parse(StatsJson(metrics, gauges).c_str());
  ASSERT_FALSE(json.HasParseError());
  EXPECT_STREQ(json["protocol"].GetString(), "FAKE");
  EXPECT_STREQ(json["link"].GetString(), "up");
  EXPECT_EQ(json["accepted"].GetUint64(), 3u);
  EXPECT_EQ(json["acknowledged"].GetUint64(), 1u);
  EXPECT_EQ(json["in_flight"].GetUint64(), 7u);
  EXPECT_EQ(json["failed"][CodeName(Code::kRejected)].GetUint64(), 1u);
  EXPECT_EQ(json["dropped"]["evicted"].GetUint64(), 1u);
  EXPECT_STREQ(json["last_failure_reason"].GetString(), "said \"no\"\n");
  EXPECT_EQ(json["latency_us"]["count"].GetUint64(), 1u);
}

TEST(Metrics, PrometheusTextNamesEachMetricOnceAndEscapesLabels) {
  Metrics first, second;
  Metrics::Add(first.accepted, 3);
  first.CountFailure(Code::kTooLarge);
  first.CountDrop(DropReason::kEvicted);
  first.RecordSuccess(microseconds(1500));
  MetricsSource sources[2];
  sources[0] = {&first, {}, 1};
  sources[0].gauges.protocol = "FAKE";
  sources[0].gauges.endpoint = R"(a "quoted" \ host)";
  sources[0].gauges.link_up = true;
  sources[1] = {&second, {}, 2};
  const std::string text = PrometheusText(sources);
  const std::string labels = R"(protocol="FAKE",endpoint="a \"quoted\" \\ host",connection="1")";
  for (const std::string& line : std::initializer_list<std::string>{
           "# TYPE dsmsg_accepted_total counter\n", "dsmsg_accepted_total{" + labels + "} 3\n",
           "dsmsg_link_up{" + labels + "} 1\n",
           "dsmsg_failed_total{" + labels + ",reason=\"too-large\"} 1\n",
           "dsmsg_failed_total{" + labels + ",reason=\"auth\"} 0\n",
           "dsmsg_dropped_total{" + labels + ",reason=\"evicted\"} 1\n",
           "dsmsg_latency_seconds_count{" + labels + "} 1\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
  EXPECT_EQ(text.find("# TYPE dsmsg_accepted_total"), text.rfind("# TYPE dsmsg_accepted_total"));
  EXPECT_NE(text.find("connection=\"2\"} 0\n"), std::string::npos);
}

}  // namespace
}  // namespace dsmsg
