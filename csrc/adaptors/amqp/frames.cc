// SPDX-License-Identifier: Apache-2.0
#include "adaptors/amqp/frames.h"

#include <algorithm>
#include <cstring>

namespace dsmsg::amqp {
namespace {

constexpr size_t kPoolPage = 4096;
constexpr size_t kSmallestFrameMax = 4096;  // of the specification
constexpr size_t kReadAhead = size_t{64} << 10;
constexpr size_t kKeepCapacity = size_t{4} << 20;

void AppendBigEndian(std::string* out, uint64_t value, size_t bytes) {
  for (size_t i = bytes; i-- > 0;) out->push_back(static_cast<char>((value >> (8 * i)) & 0xff));
}

uint64_t ReadBigEndian(const char* at, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; ++i) value = value << 8 | static_cast<uint8_t>(at[i]);
  return value;
}

}  // namespace

void FrameWriter::SetFrameMax(size_t frame_max) {
  frame_max_ = std::max(frame_max, kSmallestFrameMax);
  scratch_.reset(new char[frame_max_]);
}

void FrameWriter::Begin(uint8_t type, uint16_t channel, size_t size) {
  out_.push_back(static_cast<char>(type));
  AppendBigEndian(&out_, channel, 2);
  AppendBigEndian(&out_, size, 4);
}

void FrameWriter::End() { out_.push_back(static_cast<char>(AMQP_FRAME_END)); }

bool FrameWriter::Method(uint16_t channel, amqp_method_number_t id, const void* method) {
  const amqp_bytes_t room{body_max() - 4, scratch_.get()};
  const int size = amqp_encode_method(id, const_cast<void*>(method), room);
  if (size < 0) return false;
  Begin(AMQP_FRAME_METHOD, channel, static_cast<size_t>(size) + 4);
  AppendBigEndian(&out_, id, 4);
  out_.append(scratch_.get(), static_cast<size_t>(size));
  End();
  return true;
}

bool FrameWriter::ContentHeader(uint16_t channel, uint64_t body_size,
                                const amqp_basic_properties_t& properties) {
  constexpr size_t kFixed = 12;  // class, weight, size of the body
  const amqp_bytes_t room{body_max() - kFixed, scratch_.get()};
  const int size = amqp_encode_properties(AMQP_BASIC_CLASS,
                                          const_cast<amqp_basic_properties_t*>(&properties), room);
  if (size < 0) return false;
  Begin(AMQP_FRAME_HEADER, channel, static_cast<size_t>(size) + kFixed);
  AppendBigEndian(&out_, AMQP_BASIC_CLASS, 2);
  AppendBigEndian(&out_, 0, 2);
  AppendBigEndian(&out_, body_size, 8);
  out_.append(scratch_.get(), static_cast<size_t>(size));
  End();
  return true;
}

void FrameWriter::Body(uint16_t channel, std::string_view part) {
  Begin(AMQP_FRAME_BODY, channel, part.size());
  out_.append(part);
  End();
}

void FrameWriter::Heartbeat() {
  Begin(AMQP_FRAME_HEARTBEAT, 0, 0);
  End();
}

void FrameWriter::Sent(size_t size) {
  begin_ += size;
  if (begin_ == out_.size()) {
    Clear();
  } else if (begin_ > out_.size() / 2) {
    out_.erase(0, begin_);
    begin_ = 0;
  }
}

void FrameWriter::Clear() {
  begin_ = 0;
  if (out_.capacity() > kKeepCapacity) {
    std::string().swap(out_);
  } else {
    out_.clear();
  }
}

FrameReader::FrameReader() {
  init_amqp_pool(&pool_, kPoolPage);
  SetFrameMax(kSmallestFrameMax);
}

FrameReader::~FrameReader() { empty_amqp_pool(&pool_); }

void FrameReader::SetFrameMax(size_t frame_max) {
  frame_max_ = frame_max;
  if (buffer_.size() < frame_max + kReadAhead) buffer_.resize(frame_max + kReadAhead);
}

void FrameReader::Clear() {
  begin_ = end_ = 0;
  error_.clear();
  recycle_amqp_pool(&pool_);
}

char* FrameReader::Space(size_t* size) {
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (buffer_.size() - end_ < kReadAhead) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  *size = buffer_.size() - end_;
  return buffer_.data() + end_;
}

FrameReader::Result FrameReader::Broken(const std::string& why) {
  error_ = why;
  return Result::kBroken;
}

FrameReader::Result FrameReader::Next(AmqpFrame* frame) {
  recycle_amqp_pool(&pool_);  // holds what the previous frame was decoded into
  const char* at = buffer_.data() + begin_;
  const size_t have = end_ - begin_;
  if (have >= 8 && std::memcmp(at, "AMQP", 4) == 0) {
    return Broken("it wants a version of AMQP other than 0-9-1");
  }
  if (have >= 1 && (*at < AMQP_FRAME_METHOD || *at > AMQP_FRAME_HEARTBEAT) && *at != 'A') {
    return Broken("it does not speak AMQP");
  }
  if (have < kFrameHeader) return Result::kNone;
  const size_t size = static_cast<size_t>(ReadBigEndian(at + 3, 4));
  if (size + kFrameExtra > frame_max_) return Broken("it sends a frame larger than agreed");
  if (have < size + kFrameExtra) return Result::kNone;
  if (static_cast<uint8_t>(at[kFrameHeader + size]) != AMQP_FRAME_END) {
    return Broken("it sends a frame without the end marker");
  }
  *frame = AmqpFrame();
  frame->type = static_cast<uint8_t>(*at);
  frame->channel = static_cast<uint16_t>(ReadBigEndian(at + 1, 2));
  begin_ += size + kFrameExtra;
  if (!Decode({at + kFrameHeader, size}, frame))
    return Broken("it sends a frame that cannot be decoded");
  return Result::kFrame;
}

bool FrameReader::Decode(std::string_view content, AmqpFrame* frame) {
  constexpr size_t kFixed = 12;
  switch (frame->type) {
    case AMQP_FRAME_METHOD:
      if (content.size() < 4) return false;
      frame->id = static_cast<amqp_method_number_t>(ReadBigEndian(content.data(), 4));
      return amqp_decode_method(frame->id, &pool_, ToBytes(content.substr(4)), &frame->method) >= 0;
    case AMQP_FRAME_HEADER: {
      if (content.size() < kFixed) return false;
      const auto class_id = static_cast<uint16_t>(ReadBigEndian(content.data(), 2));
      frame->body_size = ReadBigEndian(content.data() + 4, 8);
      void* decoded = nullptr;
      if (class_id != AMQP_BASIC_CLASS ||
          amqp_decode_properties(class_id, &pool_, ToBytes(content.substr(kFixed)), &decoded) < 0) {
        return false;
      }
      frame->properties = static_cast<const amqp_basic_properties_t*>(decoded);
      return true;
    }
    case AMQP_FRAME_BODY:
      frame->body = content;
      return true;
    default:
      return frame->type == AMQP_FRAME_HEARTBEAT;
  }
}

}  // namespace dsmsg::amqp
