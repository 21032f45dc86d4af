// SPDX-License-Identifier: Apache-2.0
// AMQP 0-9-1 frames into and out of memory: rabbitmq-c encodes and decodes methods, properties and
// tables; the framing around them (seven bytes before, one after) is here.
//
// rabbitmq-c's own connection object is not used: its amqp_basic_publish blocks on a peer that
// stops reading, whatever its timeouts say, and its TLS dials by itself. With encoding separate
// from the socket nothing can block, and no watchdog is needed that shuts sockets down.
//
// Threads: one at a time.
#ifndef DSMSG_ADAPTORS_AMQP_FRAMES_H_
#define DSMSG_ADAPTORS_AMQP_FRAMES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adaptors/amqp/api.h"

namespace dsmsg::amqp {

inline constexpr size_t kFrameHeader = 7, kFrameExtra = 8;  // in front; in front and behind

/// Encodes frames into a buffer that the connection sends from.
class FrameWriter {
 public:
  /// The largest frame that the peer accepts.
  void SetFrameMax(size_t frame_max);
  size_t frame_max() const { return frame_max_; }
  /// How many bytes of a message one frame carries.
  size_t body_max() const { return frame_max_ - kFrameExtra; }

  void ProtocolHeader() { out_.append("AMQP\0\0\x09\x01", 8); }
  /// false: it does not fit into a frame; nothing was added. `method` is the structure of `id`.
  bool Method(uint16_t channel, amqp_method_number_t id, const void* method);
  bool ContentHeader(uint16_t channel, uint64_t body_size,
                     const amqp_basic_properties_t& properties);
  void Body(uint16_t channel, std::string_view part);
  void Heartbeat();

  std::string_view unsent() const { return std::string_view(out_).substr(begin_); }
  void Sent(size_t size);
  void Clear();
  /// Drops what was added since unsent() had this size, for a message that turned out too large.
  void Truncate(size_t unsent_size) { out_.resize(begin_ + unsent_size); }

 private:
  void Begin(uint8_t type, uint16_t channel, size_t size);
  void End();

  std::string out_;
  size_t begin_ = 0;
  size_t frame_max_ = 0;
  std::unique_ptr<char[]> scratch_;  // frame_max_ bytes
};

/// One frame; `method`, `properties` and `body` are valid until the next call of Next.
struct AmqpFrame {
  uint8_t type = 0;  // AMQP_FRAME_METHOD, _HEADER, _BODY, _HEARTBEAT
  uint16_t channel = 0;
  amqp_method_number_t id = 0;
  void* method = nullptr;
  uint64_t body_size = 0;
  const amqp_basic_properties_t* properties = nullptr;
  std::string_view body;
};

/// Splits received bytes into frames.
class FrameReader {
 public:
  FrameReader();
  ~FrameReader();
  FrameReader(const FrameReader&) = delete;
  FrameReader& operator=(const FrameReader&) = delete;

  /// The largest frame that the peer may send. Call it only between two frames.
  void SetFrameMax(size_t frame_max);
  /// Where received bytes go, and how many.
  char* Space(size_t* size);
  void Received(size_t size) { end_ += size; }

  enum class Result { kFrame, kNone, kBroken };
  Result Next(AmqpFrame* frame);
  /// Bytes that were received but not yet returned.
  std::string_view unread() const { return {buffer_.data() + begin_, end_ - begin_}; }
  /// Why it is broken.
  const std::string& error() const { return error_; }
  void Clear();

 private:
  Result Broken(const std::string& why);
  bool Decode(std::string_view content, AmqpFrame* frame);

  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;
  size_t frame_max_ = 0;
  amqp_pool_t pool_;
  std::string error_;
};

}  // namespace dsmsg::amqp

#endif  // DSMSG_ADAPTORS_AMQP_FRAMES_H_
