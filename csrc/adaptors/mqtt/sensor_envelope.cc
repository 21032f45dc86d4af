// SPDX-License-Identifier: Apache-2.0
#include "adaptors/mqtt/sensor_envelope.h"

#include <chrono>
#include <cstdio>
#include <ctime>
#include <protozero/pbf_writer.hpp>
#include <utility>

namespace dsmsg::mqtt {
namespace {

std::string Rfc3339(int64_t milliseconds) {
  const std::time_t seconds = static_cast<std::time_t>(milliseconds / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char date[40];
  const size_t length = std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  char fraction[16];
  std::snprintf(fraction, sizeof fraction, ".%03dZ", static_cast<int>(milliseconds % 1000));
  return std::string(date, length) + fraction;
}

}  // namespace

SensorEnvelope::SensorEnvelope(std::string default_id) : default_id_(std::move(default_id)) {
  (void)reader_.Add("sensor.id");
  (void)reader_.Add("sensorId");
}

std::string_view SensorEnvelope::Wrap(std::string_view payload, int64_t timestamp_ms) {
  if (timestamp_ms <= 0) {
    timestamp_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  }
  const bool found = reader_.ExtractFirst(payload, &id_);
  bytes_.clear();
  protozero::pbf_writer writer(bytes_);
  writer.add_bytes(1, payload.data(), payload.size());
  writer.add_string(2, found ? id_ : default_id_);
  writer.add_string(3, Rfc3339(timestamp_ms));
  return bytes_;
}

}  // namespace dsmsg::mqtt
