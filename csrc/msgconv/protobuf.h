// SPDX-License-Identifier: Apache-2.0
// Payload type 2: messages of the package nv (proto3; include/nv.proto), written field by field
// into one reusable buffer. One thread at a time.
#ifndef DSMSG_MSGCONV_PROTOBUF_H_
#define DSMSG_MSGCONV_PROTOBUF_H_

#include <string>
#include <string_view>
#include <utility>

#include "msgconv/conv_config.h"
#include "msgconv/identity.h"
#include "msgconv/model.h"

namespace dsmsg::msgconv {

class ProtobufWriter {
 public:
  /// `config` outlives the writer.
  ProtobufWriter(const ConvConfig* config, std::string embedding_filter)
      : config_(config), embedding_filter_(std::move(embedding_filter)) {}

  /// nv.Frame with all objects. Valid until the next call, like the following.
  std::string_view Frame(const msgconv::Frame& frame);
  /// nv.Message with one object and what the configuration says about its place, sensor and
  /// analytics.
  std::string_view Message(const msgconv::Frame& frame, const Object& object);

 private:
  std::string_view SensorId(const msgconv::Frame& frame, const Object& object);

  const ConvConfig* const config_;
  const std::string embedding_filter_;  // see ConverterOptions
  UuidGenerator uuid_;
  std::string out_, sensor_number_;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_PROTOBUF_H_
