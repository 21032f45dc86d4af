// SPDX-License-Identifier: Apache-2.0
// Pulsar's binary protocol: frames with one protobuf command each, and behind the command of a
// message its metadata and payload.
//
//   length (4 bytes, of all that follows), length of the command (4), command
//   for messages also: 0x0e01, CRC-32C of the rest (4), length of the metadata (4), metadata,
//   payload
//
// Threads: one at a time. A FrameReader owns its memory; the builders write into the caller's.
#ifndef DSMSG_ADAPTORS_PULSAR_WIRE_H_
#define DSMSG_ADAPTORS_PULSAR_WIRE_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/driver/message.h"

namespace dsmsg::pulsar {

/// The type of a command is also the number of the field that holds it.
enum class Type : uint32_t {
  kNone = 0,
  kConnect = 2,
  kConnected = 3,
  kSubscribe = 4,
  kProducer = 5,
  kSend = 6,
  kSendReceipt = 7,
  kSendError = 8,
  kMessage = 9,
  kAck = 10,
  kFlow = 11,
  kSuccess = 13,
  kError = 14,
  kCloseProducer = 15,
  kCloseConsumer = 16,
  kProducerSuccess = 17,
  kPing = 18,
  kPong = 19,
  kPartitions = 21,
  kPartitionsAnswer = 22,
  kLookup = 23,
  kLookupAnswer = 24,
  kEndOfTopic = 27,
  kAuthChallenge = 36,
  kAuthResponse = 37,
};

/// What a lookup answers.
enum class LookupType : uint32_t { kRedirect = 0, kConnect = 1, kFailed = 2 };

struct MessageId {
  uint64_t ledger = 0, entry = 0;
  auto operator<=>(const MessageId&) const = default;
};
/// Both numbers of a message that the broker has dropped as a duplicate.
inline constexpr uint64_t kNoLedger = UINT64_MAX;

/// One command of the broker: the fields of all types, of which each has a few. Views are valid
/// until the reader is used again.
struct Command {
  Type type = Type::kNone;
  uint64_t request = 0, id = 0, sequence = 0;  // id: of the producer or consumer
  int error = 0;                               // ServerError, see errors.h
  bool failed = false;                         // there is an error
  std::string_view text;                       // of the error; kConnected: version of the server
  uint32_t partitions = 0;
  LookupType lookup = LookupType::kFailed;
  std::string_view url, tls_url, producer_name;
  bool authoritative = false, proxied = false;
  int64_t last_sequence = -1;
  uint32_t max_message_size = 0;
  MessageId message;
  uint32_t redeliveries = 0;
  std::vector<uint64_t> unacked;       // bits of a batch: 0 is acknowledged; empty: none is
  std::string_view metadata, payload;  // kMessage
};

class FrameReader {
 public:
  enum class Outcome { kNone, kCommand, kBroken };

  /// Room for `size` more bytes; Filled says how many came.
  char* Space(size_t size);
  void Filled(size_t size) { end_ += size; }
  /// kNone: more bytes are needed. kBroken: this is not Pulsar, see problem().
  Outcome Next(Command* command);
  void Reset() { begin_ = end_ = 0; }
  /// The largest frame that is believed.
  void SetLimit(size_t bytes) { limit_ = bytes; }
  std::string_view unread() const { return {data_.data() + begin_, end_ - begin_}; }
  const char* problem() const { return problem_; }

 private:
  Outcome Broken(const char* problem);

  std::vector<char> data_;
  size_t begin_ = 0, end_ = 0, limit_ = size_t{16} << 20;
  const char* problem_ = "";
};

/// The metadata of a message, or (then without the fields of a frame) of one in a batch.
struct Metadata {
  std::vector<std::pair<std::string_view, std::string_view>> properties;
  std::string_view key;
  bool has_key = false, base64_key = false;
  uint64_t publish_time = 0, event_time = 0;
  uint32_t compression = 0, uncompressed_size = 0;
  bool batch = false;
  uint32_t count = 1;                                // messages in the batch
  uint32_t chunks = 0, chunk = 0, chunked_size = 0;  // of a message in several frames
  std::string_view uuid;                             // of that message
  bool encrypted = false;
  uint32_t payload_size = 0;  // in a batch
  bool compacted_out = false;
};
/// False: it is not protobuf.
bool ReadMetadata(std::string_view bytes, Metadata* metadata);
/// Cuts the next message off a batch. False: the batch is broken.
bool NextInBatch(std::string_view* batch, Metadata* metadata, std::string_view* payload);

// The commands of a client. Each appends one frame.

struct Login {
  std::string method, data;  // data is a secret
};
void AppendConnect(const Login& login, const std::string& proxy_to, std::string* out);
void AppendAuthResponse(const Login& login, std::string* out);
void AppendPing(std::string* out);
void AppendPong(std::string* out);
void AppendPartitions(std::string_view topic, uint64_t request, std::string* out);
void AppendLookup(std::string_view topic, uint64_t request, bool authoritative,
                  std::string_view listener, std::string* out);

struct ProducerRequest {
  std::string_view topic, name;
  uint64_t id = 0, request = 0, epoch = 0;
  bool own_name = false;  // given by the user
};
void AppendProducer(const ProducerRequest& producer, std::string* out);

struct SubscribeRequest {
  std::string_view topic, subscription, consumer_name;
  uint32_t type = 0;
  uint64_t id = 0, request = 0;
  bool durable = true, earliest = false;
  const MessageId* after = nullptr;  // begin behind it
};
void AppendSubscribe(const SubscribeRequest& subscribe, std::string* out);
void AppendFlow(uint64_t consumer, uint32_t permits, std::string* out);
void AppendAck(uint64_t consumer, std::span<const MessageId> messages, std::string* out);
/// Of a batch of `size` messages: those whose bit is 0 are acknowledged.
void AppendBatchAck(uint64_t consumer, const MessageId& batch, std::span<const uint64_t> open,
                    uint32_t size, std::string* out);
/// `type`: kCloseProducer or kCloseConsumer.
void AppendClose(Type type, uint64_t id, uint64_t request, std::string* out);

/// Sequence numbers of the messages in one frame.
struct Sequence {
  uint64_t first = 0, last = 0;
  uint32_t count = 1;
};
/// The metadata of a frame. `single`: its only message; nullptr: it is a batch.
void BuildMetadata(std::string_view producer_name, const Sequence& sequence, uint64_t now_ms,
                   const Message* single, std::string* metadata);
/// Adds one message to a batch.
void AppendToBatch(const Message& message, uint64_t sequence, std::string* batch);
/// Appends a frame with a message or a batch.
void AppendSend(uint64_t producer, const Sequence& sequence, std::string_view metadata,
                std::string_view payload, std::string* out);

}  // namespace dsmsg::pulsar

#endif  // DSMSG_ADAPTORS_PULSAR_WIRE_H_
