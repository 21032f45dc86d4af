// SPDX-License-Identifier: Apache-2.0
// DeepStream 9's envelope (DEEPSTREAM_ENABLE_SENSOR_ID_EXTRACTION=1): a protobuf message with the
// fields 1 payload, 2 key (the sensor's id), 3 timestamp (text, RFC 3339, UTC).
//
// Threads: one at a time; the result is valid until the next call.
#ifndef DSMSG_ADAPTORS_MQTT_SENSOR_ENVELOPE_H_
#define DSMSG_ADAPTORS_MQTT_SENSOR_ENVELOPE_H_

#include <string>
#include <string_view>

#include "core/options/field_path.h"

namespace dsmsg::mqtt {

class SensorEnvelope {
 public:
  /// `default_id`: for payloads without a sensor's id.
  explicit SensorEnvelope(std::string default_id);

  std::string_view Wrap(std::string_view payload, int64_t timestamp_ms);

 private:
  const std::string default_id_;
  FieldReader reader_;
  std::string id_, bytes_;
};

}  // namespace dsmsg::mqtt

#endif  // DSMSG_ADAPTORS_MQTT_SENSOR_ENVELOPE_H_
