// SPDX-License-Identifier: Apache-2.0
// The messages of include/nv.proto, as maps need them (map.h): names, numbers, types. A test
// compares them with that file. Constants: any thread.
#ifndef DSMSG_MSGCONV_NV_SCHEMA_H_
#define DSMSG_MSGCONV_NV_SCHEMA_H_

#include <cstdint>
#include <span>
#include <string_view>

namespace dsmsg::msgconv {

/// kTime: google.protobuf.Timestamp. kMap: map<string, string>.
enum class NvType : uint8_t { kString, kFloat, kDouble, kInt32, kTime, kMap, kMessage };

struct NvMessage;
struct NvField {
  std::string_view name;
  uint32_t number;
  NvType type;
  bool repeated;
  const NvMessage* message;  // of kMessage
};
struct NvMessage {
  std::string_view name;  // nv.Frame
  std::span<const NvField> fields;
};

/// nv.Frame: one for each frame.
const NvMessage& NvFrame();
/// nv.Message: one for each object, event or track.
const NvMessage& NvMessageOfObject();

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_NV_SCHEMA_H_
