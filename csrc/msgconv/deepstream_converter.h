// SPDX-License-Identifier: Apache-2.0
// The dialect kDeepStream: messages as the converter of DeepStream 9 writes them, with the same
// keys, types and missing values (docs/coming-from-deepstream.md).
//
// There are two forms of each payload type: of an event that an application attached, and of an
// object that a detector found. One thread at a time; the configuration may be shared.
#ifndef DSMSG_MSGCONV_DEEPSTREAM_CONVERTER_H_
#define DSMSG_MSGCONV_DEEPSTREAM_CONVERTER_H_

#include <memory>
#include <string>
#include <string_view>

#include "msgconv/conv_config.h"
#include "msgconv/converter.h"
#include "msgconv/event_meta.h"
#include "msgconv/identity.h"
#include "msgconv/json_writer.h"
#include "msgconv/object_class.h"
#include "msgconv/payload_maker.h"

namespace dsmsg::msgconv {

class DeepStreamConverter final : public PayloadMaker {
 public:
  /// `config` is never null. Of the options, `format` and `one_per_object` mean nothing here.
  DeepStreamConverter(std::shared_ptr<const ConvConfig> config, const ConverterOptions& options)
      : config_(std::move(config)), options_(options) {}

  /// Full: the number of objects. Else 1, also for a frame without objects.
  size_t Count(const Frame& frame) override;
  std::string_view Render(const Frame& frame, size_t index) override;
  Content content() const override {
    return options_.type == PayloadType::kProtobuf ? Content::kProtobuf : Content::kJson;
  }
  uint32_t ComponentId(const Frame& frame, size_t index) const override;

 private:
  // Of a message about this object, nullptr: about a frame without objects. Without data(): an
  // event that has no time.
  std::string_view Time(const Frame& frame, const Object* object);
  std::string_view SensorId(const Frame& frame, const Object* object) const;

  // deepstream_full.cc. Each writes one member and the comma after it.
  void Full(const Frame& frame, const Object& object);
  void PlaceMember(const Frame& frame, const Object& object, uint32_t group);
  void SensorMember(const Frame& frame, const Object& object, uint32_t group);
  void AnalyticsMember(uint32_t group);
  void DetectedObject(const Frame& frame, const Object& object);
  void EventObject(const Frame& frame, const Object& object);
  void ClassMember(const Frame& frame, const Object& object, const EventMeta& event);
  void PoseMember(const Frame& frame, const Object& object);
  void TrackMember(const Frame& frame, const Object& object);
  void ObjectId(const Object& object);
  void BoxMember(const Object& object);

  // deepstream_minimal.cc
  void Minimal(const Frame& frame);
  void DetectedText(const Frame& frame, const Object& object);
  void EventText(const Frame& frame, const Object& object, const EventMeta& event);
  void ClassText(const Frame& frame, const Object& object, const EventMeta& event);
  void PoseText(const Frame& frame, const Object& object);
  void TrackText(const Frame& frame, const Object& object);
  void BoxText(const Object& object);
  void MasksMember(const Frame& frame);

  // deepstream_protobuf.cc
  std::string_view Protobuf(const Frame& frame);

  const std::shared_ptr<const ConvConfig> config_;
  const ConverterOptions options_;
  UuidGenerator uuid_;
  TimeFormatter time_;
  JsonWriter out_{JsonWriter::Numbers::kTyped};
  std::string text_;      // of one object, in the minimal form
  std::string protobuf_;  // the message
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_DEEPSTREAM_CONVERTER_H_
