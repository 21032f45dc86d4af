// SPDX-License-Identifier: Apache-2.0
#include "core/observe/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include "core/observe/metrics_report.h"

namespace dsmsg {
namespace {

using std::chrono::microseconds;
using ::testing::HasSubstr;

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
  EXPECT_EQ(summary.buckets.front(), 2u);
  EXPECT_EQ(summary.buckets.back(), 1u);
}

TEST(LatencyHistogram, FixedBucketsIncludeTheirBound) {
  LatencyHistogram histogram;
  for (const microseconds bound : LatencyHistogram::kBounds) {
    histogram.Record(bound);
    histogram.Record(bound + microseconds(1));
  }
  const LatencyHistogram::Summary summary = histogram.Summarize();
  EXPECT_EQ(summary.buckets.front(), 1u);
  for (size_t i = 1; i < LatencyHistogram::kBounds.size(); ++i) EXPECT_EQ(summary.buckets[i], 2u);
  EXPECT_EQ(summary.buckets.back(), 1u);
}

TEST(Metrics, JsonHoldsCountersReasonsAndEscapesText) {
  Metrics metrics;
  for (int i = 0; i < 3; ++i) metrics.books.Moved(Place::kHost, Place::kQueue);
  metrics.RecordSuccess(Place::kQueue, microseconds(10));
  metrics.RecordDropped(Place::kQueue, DropReason::kTooLarge, {Code::kTooLarge, ""});
  metrics.RecordFailed(Place::kQueue, {Code::kRejected, "said \"no\"\n"});
  Gauges gauges;
  gauges.protocol = "FAKE";
  gauges.link_up = true;
  gauges.in_flight = 7;
  rapidjson::Document json;
  json.Parse(StatsJson(metrics.Read({}), gauges).c_str());
  ASSERT_FALSE(json.HasParseError());
  EXPECT_STREQ(json["protocol"].GetString(), "FAKE");
  EXPECT_STREQ(json["link"].GetString(), "up");
  EXPECT_EQ(json["accepted"].GetUint64(), 3u);
  EXPECT_EQ(json["acknowledged"].GetUint64(), 1u);
  EXPECT_EQ(json["queue_messages"].GetUint64(), 0u);
  EXPECT_EQ(json["in_flight"].GetUint64(), 7u);
  EXPECT_EQ(json["failed"][CodeName(Code::kRejected)].GetUint64(), 1u);
  EXPECT_EQ(json["dropped"]["too-large"].GetUint64(), 1u);
  EXPECT_STREQ(json["last_failure_reason"].GetString(), "said \"no\"\n");
  EXPECT_EQ(json["latency_us"]["count"].GetUint64(), 1u);
}

// One spelling: a code that is also a reason to drop has one name, and all names join words with a
// dash.
TEST(Metrics, NamesOfReasonsAreSpelledAlike) {
  EXPECT_STREQ(DropReasonName(DropReason::kTooLarge), CodeName(Code::kTooLarge));
  for (size_t i = 0; i < kDropReasonCount; ++i) {
    const std::string name = DropReasonName(static_cast<DropReason>(i));
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz-"), std::string::npos) << name;
  }
  for (size_t i = 0; i < kCodeCount; ++i) {
    const std::string name = CodeName(static_cast<Code>(i));
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz-"), std::string::npos) << name;
  }
}

// A failure always has a text, even if its cause gave none.
TEST(Metrics, AReasonIsNeverEmpty) {
  for (size_t i = 1; i < kCodeCount; ++i) {
    const Status status(static_cast<Code>(i), "");
    EXPECT_NE(status.message(), "") << CodeName(status.code());
    Metrics metrics;
    metrics.RecordFailed(Place::kQueue, status);
    EXPECT_EQ(metrics.LastFailureReason(), status.message());
  }
  EXPECT_EQ(Status().message(), "");
  EXPECT_EQ(Status(Code::kTimeout, "own words").message(), "own words");
}

MetricsSource SourceOf(const Metrics& metrics, const std::string& connection) {
  MetricsSource source;
  source.metrics = metrics.Read({.restored = 2, .evicted = 1, .lost = 0});
  source.gauges.protocol = "FAKE";
  source.gauges.endpoint = R"(a "quoted" \ host)";
  source.gauges.library = "libfake";
  source.gauges.library_version = "1.2.3";
  source.gauges.link_up = true;
  source.gauges.in_flight = 1;
  source.connection = connection;
  return source;
}

TEST(Metrics, PrometheusTextNamesEachMetricOnceAndEscapesLabels) {
  Metrics first, second;
  for (int i = 0; i < 3; ++i) first.books.Moved(Place::kHost, Place::kQueue);
  first.RecordFailed(Place::kQueue, {Code::kTooLarge, "no"});
  first.RecordDropped(Place::kQueue, DropReason::kEvicted, {Code::kWouldBlock, "full"});
  first.RecordSuccess(Place::kQueue, microseconds(1500));
  const MetricsSource sources[] = {SourceOf(first, "1"), SourceOf(second, "2")};
  const std::string text = PrometheusText(sources);
  const std::string labels = R"(protocol="FAKE",endpoint="a \"quoted\" \\ host",connection="1")";
  for (const std::string& line : std::initializer_list<std::string>{
           "# TYPE dsmsg_accepted_total counter\n", "dsmsg_accepted_total{" + labels + "} 3\n",
           "dsmsg_link_up{" + labels + "} 1\n",
           "dsmsg_failed_total{" + labels + ",reason=\"too-large\"} 1\n",
           "dsmsg_failed_total{" + labels + ",reason=\"auth\"} 0\n",
           "dsmsg_dropped_total{" + labels + ",reason=\"evicted\"} 1\n",
           "dsmsg_dropped_total{" + labels + ",reason=\"spool-evicted\"} 1\n",
           "dsmsg_restored_total{" + labels + "} 2\n", "dsmsg_spool_backlog{" + labels + "} 1\n",
           "# TYPE dsmsg_latency_seconds histogram\n",
           "dsmsg_latency_seconds_bucket{" + labels + ",le=\"0.001\"} 0\n",
           "dsmsg_latency_seconds_bucket{" + labels + ",le=\"0.0025\"} 1\n",
           "dsmsg_latency_seconds_bucket{" + labels + ",le=\"300\"} 1\n",
           "dsmsg_latency_seconds_bucket{" + labels + ",le=\"+Inf\"} 1\n",
           "dsmsg_latency_seconds_count{" + labels + "} 1\n",
           "library=\"libfake\",library_version=\"1.2.3\"} 1\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
  EXPECT_EQ(text.find("# TYPE dsmsg_accepted_total"), text.rfind("# TYPE dsmsg_accepted_total"));
  EXPECT_NE(text.find("connection=\"2\"} 0\n"), std::string::npos);
}

TEST(Metrics, WhatHasEndedIsNotUpAndHasNothingInFlight) {
  Metrics metrics;
  metrics.books.Moved(Place::kHost, Place::kQueue);
  metrics.RecordSuccess(Place::kQueue, microseconds(1));
  const MetricsSource ended[] = {Ended(SourceOf(metrics, "1"))};
  const std::string text = PrometheusText(ended);
  EXPECT_THAT(text, HasSubstr("dsmsg_link_up{"
                              R"(protocol="FAKE",endpoint="a \"quoted\" \\ host")"
                              R"(,connection="1"} 0)"));
  EXPECT_THAT(text, HasSubstr(R"(connection="1",version=)"));
  EXPECT_THAT(text, ::testing::ContainsRegex("dsmsg_in_flight[{][^\n]*[}] 0\n"));
  EXPECT_THAT(text, ::testing::ContainsRegex("dsmsg_acknowledged_total[{][^\n]*[}] 1\n"));
}

}  // namespace
}  // namespace dsmsg
