// SPDX-License-Identifier: Apache-2.0
// DeepStreamConverter: what the forms share.
#include "msgconv/deepstream_converter.h"

#include "msgconv/model_parts.h"

namespace dsmsg::msgconv {

// What DeepStream's converter makes is marked with its own id, never with that of a detector.
uint32_t DeepStreamConverter::ComponentId(const Frame&, size_t) const { return kAnyComponent; }

size_t DeepStreamConverter::Count(const Frame& frame) {
  return options_.type == PayloadType::kFull ? frame.objects.size() : 1;
}

std::string_view DeepStreamConverter::Render(const Frame& frame, size_t index) {
  if (options_.type == PayloadType::kProtobuf) return Protobuf(frame);
  out_.Clear();
  if (options_.type == PayloadType::kFull) {
    Full(frame, frame.objects[index]);
  } else {
    Minimal(frame);
  }
  return out_.view();
}

std::string_view DeepStreamConverter::Time(const Frame& frame, const Object* object) {
  const bool event = object == nullptr ? frame.only_events : object->is_event;
  const bool in_space = object != nullptr && IsInSpace(*object);
  if (!event && !in_space) return time_.Format(NowNs());
  const bool own =
      object != nullptr && (object->event_meta.count > 0 || !object->timestamp.empty());
  return own ? object->timestamp : time_.Format(frame.time_ns);
}

std::string_view DeepStreamConverter::SensorId(const Frame& frame, const Object* object) const {
  const bool event = object == nullptr ? frame.only_events : object->is_event;
  if (event) {
    const std::string_view own =
        object == nullptr ? frame.sensor_id : EventMetaOf(frame, *object).sensor_str;
    if (own.data() != nullptr) return own;
  }
  if (object != nullptr && IsInSpace(*object) && !frame.source_sensor.empty()) {
    return frame.source_sensor;
  }
  const uint32_t group = object == nullptr ? frame.source_id : GroupsOf(frame, *object).sensor;
  if (const SensorInfo* sensor = config_->Sensor(group)) return sensor->id;
  return event && !config_->origin().empty() ? "" : "0";
}

}  // namespace dsmsg::msgconv
