// SPDX-License-Identifier: Apache-2.0
// Converter: what the forms share.
#include "msgconv/converter.h"

#include "msgconv/deepstream_converter.h"
#include "msgconv/json_parts.h"

namespace dsmsg::msgconv {

std::unique_ptr<PayloadMaker> MakeConverter(std::shared_ptr<const ConvConfig> config,
                                            const ConverterOptions& options) {
  // DeepStream has no form of JSON objects for a whole frame: it is the same in both dialects.
  const bool objects =
      options.type == PayloadType::kMinimal && options.format == MinimalFormat::kObjects;
  if (options.dialect == Dialect::kDsmsg || objects) {
    return std::make_unique<Converter>(std::move(config), options);
  }
  return std::make_unique<DeepStreamConverter>(std::move(config), options);
}

uint32_t Converter::ComponentId(const Frame& frame, size_t index) const {
  if (frame.objects.empty()) return kAnyComponent;
  return frame.objects[index < frame.objects.size() ? index : 0].component_id;
}

size_t Converter::Count(const Frame& frame) {
  if (frame.objects.empty()) return 0;
  const bool each = options_.type == PayloadType::kFull || options_.one_per_object;
  return each ? frame.objects.size() : 1;
}

std::string_view Converter::Render(const Frame& frame, size_t index) {
  if (options_.type == PayloadType::kFull) {
    Full(frame, frame.objects[index]);
    return out_.view();
  }
  if (options_.type == PayloadType::kProtobuf) {
    return options_.one_per_object ? protobuf_.Message(frame, frame.objects[index])
                                   : protobuf_.Frame(frame);
  }
  const size_t last = options_.one_per_object ? index + 1 : frame.objects.size();
  if (options_.format.value_or(MinimalFormat::kObjects) == MinimalFormat::kDelimited) {
    Delimited(frame, index, last);
  } else {
    Minimal(frame, index, last);
  }
  return out_.view();
}

void Converter::Head(const Frame& frame, const Object& object) {
  out_.Clear();
  MessageStart(&out_, &uuid_);
  if (object.timestamp.empty()) {
    out_.Raw('"');
    out_.Raw(time_.Format(frame.time_ns));
    out_.Raw("\",");
  } else {
    out_.String(object.timestamp);
    out_.Raw(',');
  }
}

void Converter::ObjectId(const Object& object) {
  if (!object.id_text.empty()) {
    out_.Raw(R"("id":)");
    out_.String(object.id_text);
    return;
  }
  out_.Raw(R"("id":")");
  if (object.id) out_.Number(*object.id);
  out_.Raw('"');
}

void Converter::Confidence(const Object& object) {
  out_.Raw(R"("confidence":)");
  out_.Number(KnownConfidence(object));
}

void Converter::BoxOf(const Frame& frame, const Object& object) {
  const Box box = ScaledBox(frame, object);
  out_.Raw(R"("bbox":{"topleftx":)");
  out_.Number(box.left);
  out_.Raw(R"(,"toplefty":)");
  out_.Number(box.top);
  out_.Raw(R"(,"bottomrightx":)");
  out_.Number(box.left + box.width);
  out_.Raw(R"(,"bottomrighty":)");
  out_.Number(box.top + box.height);
  if (object.rotation != 0) {
    out_.Raw(R"(,"rotation":)");
    out_.Number(object.rotation);
  }
  out_.Raw('}');
}

}  // namespace dsmsg::msgconv
