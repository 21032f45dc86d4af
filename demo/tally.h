// SPDX-License-Identifier: Apache-2.0
// What the consumer received: counts and latencies by sensor.
#ifndef DSMSG_DEMO_TALLY_H_
#define DSMSG_DEMO_TALLY_H_

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace dsmsg_demo {

/// Any thread.
class Tally {
 public:
  struct Row {
    std::string sensor;
    uint64_t messages = 0, objects = 0;
    uint64_t objects_in_last = 0;
    double p50_ms = 0, p95_ms = 0;  // of the last 500 messages, or of all
  };
  struct Totals {
    uint64_t received = 0;    // different messages
    uint64_t duplicates = 0;  // received once more
    uint64_t unreadable = 0;  // not the JSON expected
    std::vector<Row> rows;    // by sensor
  };

  /// What the newest message says.
  struct Person {
    std::string id;
    double x = 0, y = 0;  // of the feet, pixels
  };
  struct Scene {
    std::vector<Person> people;
    std::map<std::string, uint64_t> totals, zones;  // crossings of lines; people in zones
    std::deque<std::string> events;                 // the last ones, newest last
    uint64_t event_count = 0;
    std::unordered_set<std::string> pictures;  // their URIs
    std::string last_picture;
    uint64_t lost_pictures = 0;
  };

  /// Reads sensorId, messageid, @timestamp and the number of objects out of a payload received
  /// `now`.
  void Add(std::string_view payload, std::chrono::system_clock::time_point now);
  uint64_t received() const;
  /// The payload of the first message; "" before it.
  std::string first() const;
  /// `all`: percentiles over the whole run.
  Totals Get(bool all) const;
  Scene scene() const;

 private:
  struct Sensor {
    uint64_t messages = 0, objects = 0, objects_in_last = 0;
    std::vector<double> latencies_ms;
  };
  mutable std::mutex mutex_;  // guards all below
  std::map<std::string, Sensor> sensors_;
  std::unordered_set<std::string> ids_;
  uint64_t duplicates_ = 0, unreadable_ = 0;
  std::string first_;
  Scene scene_;
};

/// Milliseconds since the epoch of an RFC 3339 time in UTC ("2026-01-31T12:00:00.123Z"); -1 for
/// anything else.
int64_t ParseTime(std::string_view text);

}  // namespace dsmsg_demo

#endif  // DSMSG_DEMO_TALLY_H_
