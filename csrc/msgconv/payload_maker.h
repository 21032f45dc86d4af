// SPDX-License-Identifier: Apache-2.0
// Makes messages from a frame: the built-in converter (converter.h) or a library that the user
// names (custom_library.h). One thread at a time. Use:
//   for (size_t i = 0, n = maker->Count(frame); i < n; ++i) send(maker->Render(frame, i));
#ifndef DSMSG_MSGCONV_PAYLOAD_MAKER_H_
#define DSMSG_MSGCONV_PAYLOAD_MAKER_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "msgconv/model.h"

namespace dsmsg::msgconv {

/// What the bytes of a payload are.
enum class Content : uint8_t { kJson, kProtobuf, kUnknown };

class PayloadMaker {
 public:
  virtual ~PayloadMaker() = default;
  PayloadMaker(const PayloadMaker&) = delete;
  PayloadMaker& operator=(const PayloadMaker&) = delete;

  /// The number of messages for this frame. Called once per frame, before its Render calls; the
  /// frame must not change until the last of them.
  virtual size_t Count(const Frame& frame) = 0;
  /// Message `index` < Count(frame); valid until the next call. Empty: the library made none.
  virtual std::string_view Render(const Frame& frame, size_t index) = 0;
  virtual Content content() const = 0;
  /// Component id that the maker gave message `index`; kAnyComponent if it gave none.
  virtual uint32_t ComponentId(const Frame& frame, size_t index) const = 0;

 protected:
  PayloadMaker() = default;
};

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_PAYLOAD_MAKER_H_
