// SPDX-License-Identifier: Apache-2.0
// From the detections of a frame to messages (docs/payloads.md: payload types 0, 1 and 2).
//
// One thread at a time; the configuration may be shared by several converters.
#ifndef DSMSG_MSGCONV_CONVERTER_H_
#define DSMSG_MSGCONV_CONVERTER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "msgconv/conv_config.h"
#include "msgconv/identity.h"
#include "msgconv/json_writer.h"
#include "msgconv/model.h"
#include "msgconv/model_parts.h"
#include "msgconv/object_class.h"
#include "msgconv/payload_maker.h"
#include "msgconv/per_groups.h"
#include "msgconv/protobuf.h"

namespace dsmsg::msgconv {

/// Values fixed by DeepStream; 256 is accepted for kCustom too.
enum class PayloadType { kFull = 0, kMinimal = 1, kProtobuf = 2, kCustom = 257 };

struct ConverterOptions {
  PayloadType type = PayloadType::kFull;     // not kCustom
  std::optional<MinimalFormat> format = {};  // nullopt: that of the dialect
  /// Minimal: a message for each object instead of one for the frame. Protobuf: an nv.Message for
  /// each object instead of one nv.Frame. The full form always has one for each. The dialect
  /// kDeepStream has one for each frame, as DeepStream's own library.
  bool one_per_object = false;
  Dialect dialect = Dialect::kDsmsg;
  /// Classes, with commas between them, whose boxes in space keep their embedding; "": all.
  std::string embedding_filter = {};
};

/// The converter for these options. `config` is never null.
std::unique_ptr<PayloadMaker> MakeConverter(std::shared_ptr<const ConvConfig> config,
                                            const ConverterOptions& options);

/// The dialect kDsmsg.
class Converter final : public PayloadMaker {
 public:
  /// `config` is never null.
  Converter(std::shared_ptr<const ConvConfig> config, const ConverterOptions& options)
      : config_(std::move(config)),
        options_(options),
        protobuf_(config_.get(), options.embedding_filter) {}

  /// 0 if it has no objects.
  size_t Count(const Frame& frame) override;
  std::string_view Render(const Frame& frame, size_t index) override;
  Content content() const override {
    return options_.type == PayloadType::kProtobuf ? Content::kProtobuf : Content::kJson;
  }
  uint32_t ComponentId(const Frame& frame, size_t index) const override;

  const ConvConfig& config() const { return *config_; }
  const ConverterOptions& options() const { return options_; }

 private:
  // What the configuration says about the groups that an object names, rendered once for each kind
  // of place that an event belongs to.
  enum PlaceKind { kNoEventPlace, kAislePlace, kParkingPlace, kEntrancePlace, kPlaceKinds };
  struct Context {
    bool named = false;                           // sensor_id is the configuration's
    std::string sensor_id;                        // quoted and escaped
    std::string sensor;                           // "sensor":{..}, or nothing
    std::array<std::string, kPlaceKinds> before;  // "place":{..},
    std::string after;                            // "analyticsModule":{..},
  };
  static PlaceKind PlaceKindOf(const Object& object, const ObjectClass& object_class);
  const Context& ContextOf(const Frame& frame, const Object& object);
  Context RenderContext(const Groups& groups);
  void RenderPlace(const PlaceInfo& place, PlaceKind kind);
  void SensorId(const Frame& frame, const Object& object);

  void Head(const Frame& frame, const Object& object);
  void Full(const Frame& frame, const Object& object);
  void FullObject(const Frame& frame, const Object& object, const ObjectClass& object_class);
  void SchemaMember(const Frame& frame, const Object& object, const ObjectClass& object_class);
  void OtherMember(const Frame& frame, const Object& object);
  void Minimal(const Frame& frame, size_t first, size_t last);
  void MinimalObject(const Frame& frame, const Object& object);
  void Delimited(const Frame& frame, size_t first, size_t last);
  void DelimitedObject(const Frame& frame, const Object& object);

  // Pieces, all of the form "key":value without a comma around.
  void ObjectId(const Object& object);
  void Confidence(const Object& object);
  void BoxOf(const Frame& frame, const Object& object);

  const std::shared_ptr<const ConvConfig> config_;
  const ConverterOptions options_;
  PerGroups<Context> contexts_;
  UuidGenerator uuid_;
  TimeFormatter time_;
  JsonWriter out_;
  JsonWriter delimited_number_;
  std::string scratch_;
  ProtobufWriter protobuf_;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_CONVERTER_H_
