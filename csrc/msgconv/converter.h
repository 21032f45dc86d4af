// SPDX-License-Identifier: Apache-2.0
// From the detections of a frame to messages (PAYLOADS: payload types 0, 1 and 2).
//
// One thread at a time; the configuration may be shared by several converters.
#ifndef DSMSG_MSGCONV_CONVERTER_H_
#define DSMSG_MSGCONV_CONVERTER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "msgconv/conv_config.h"
#include "msgconv/identity.h"
#include "msgconv/json_writer.h"
#include "msgconv/model.h"
#include "msgconv/object_class.h"
#include "msgconv/payload_maker.h"

namespace dsmsg::msgconv {

/// Values fixed by DeepStream; 256 is accepted for kCustom too.
enum class PayloadType { kFull = 0, kMinimal = 1, kProtobuf = 2, kCustom = 257 };
enum class MinimalFormat { kObjects, kDelimited };

struct ConverterOptions {
  PayloadType type = PayloadType::kFull;
  MinimalFormat format = MinimalFormat::kObjects;
  /// Minimal: a message for each object instead of one for the frame. The full form always has one
  /// for each.
  bool one_per_object = false;
};

class Converter final : public PayloadMaker {
 public:
  /// `config` is never null.
  Converter(std::shared_ptr<const ConvConfig> config, ConverterOptions options)
      : config_(std::move(config)), options_(options) {}

  /// None when it has no objects.
  size_t Count(const Frame& frame) override;
  std::string_view Render(const Frame& frame, size_t index) override;
  Content content() const override {
    return options_.type == PayloadType::kProtobuf ? Content::kProtobuf : Content::kJson;
  }
  uint32_t ComponentId(const Frame& frame, size_t index) const override;

  const ConvConfig& config() const { return *config_; }
  const ConverterOptions& options() const { return options_; }

 private:
  // What the configuration says about a source, rendered once. By the kind of place that an event
  // belongs to.
  enum PlaceKind { kNoEventPlace, kAislePlace, kParkingPlace, kEntrancePlace, kPlaceKinds };
  struct SourceText {
    std::string sensor_id;  // quoted and escaped
    std::array<std::string, kPlaceKinds>
        context;  // "place":{..},"sensor":{..},"analyticsModule":{..},
  };
  static PlaceKind PlaceKindOf(EventType event);
  const SourceText& TextOf(uint32_t source);
  void RenderContext(uint32_t source, PlaceKind kind);

  void Head(const Frame& frame);
  void Full(const Frame& frame, const Object& object);
  void ClassMember(const Frame& frame, const Object& object);
  void SchemaMember(const Frame& frame, const Object& object, const ObjectClass& object_class);
  void OtherMember(const Frame& frame, const Object& object);
  void Minimal(const Frame& frame, size_t first, size_t last);
  void MinimalObject(const Frame& frame, const Object& object);
  void Delimited(const Frame& frame, size_t first, size_t last);
  void DelimitedObject(const Frame& frame, const Object& object);

  // Pieces, all of the form "key":value without a comma around.
  void Uuid();
  void ObjectId(const Object& object);
  void Confidence(const Object& object);
  void BoxOf(const Frame& frame, const Object& object);
  static Box ScaledBox(const Frame& frame, const Object& object);  // to the camera's own resolution
  void Attributes(const Frame& frame, const Object& object);

  const std::shared_ptr<const ConvConfig> config_;
  const ConverterOptions options_;
  std::unordered_map<uint32_t, SourceText> texts_;  // as many as the pipeline has cameras
  UuidGenerator uuid_;
  TimeFormatter time_;
  JsonWriter out_;
  JsonWriter delimited_number_;
  std::string scratch_;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_CONVERTER_H_
