// SPDX-License-Identifier: Apache-2.0
#include "adaptors/pulsar/wire.h"

#include <algorithm>
#include <cstring>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include "adaptors/pulsar/crc32c.h"

namespace dsmsg::pulsar {
namespace {

using protozero::pbf_reader;
using protozero::pbf_writer;

constexpr uint16_t kChecksumMark = 0x0e01, kBrokerEntryMark = 0x0e02;
// 19: the newest version whose commands are known here. Versions are cumulative.
constexpr int32_t kProtocolVersion = 19;
constexpr std::string_view kClientVersion = "dsmsg";
// More than fit into a frame, and few enough for a loop over a number that is wrong.
constexpr int32_t kMostMessagesInBatch = 1 << 21;

uint32_t Number(const char* bytes) {
  const auto* at = reinterpret_cast<const unsigned char*>(bytes);
  return static_cast<uint32_t>(at[0]) << 24 | static_cast<uint32_t>(at[1]) << 16 |
         static_cast<uint32_t>(at[2]) << 8 | static_cast<uint32_t>(at[3]);
}

void PutNumber(uint32_t number, char* bytes) {
  for (int i = 0; i < 4; ++i) bytes[i] = static_cast<char>(number >> (24 - 8 * i));
}

uint16_t Mark(std::string_view bytes) {
  if (bytes.size() < 2) return 0;
  return static_cast<uint16_t>(static_cast<unsigned char>(bytes[0]) << 8 |
                               static_cast<unsigned char>(bytes[1]));
}

std::string_view View(protozero::data_view view) { return {view.data(), view.size()}; }
protozero::data_view View(std::string_view view) { return {view.data(), view.size()}; }

std::string_view Text(pbf_reader* reader) { return View(reader->get_view()); }

MessageId ReadMessageId(pbf_reader reader) {
  MessageId id;
  while (reader.next()) {
    switch (reader.tag()) {
      case 1:
        id.ledger = reader.get_uint64();
        break;
      case 2:
        id.entry = reader.get_uint64();
        break;
      default:
        reader.skip();
    }
  }
  return id;
}

// Commands whose only interesting fields are a request (or an id), an error and its text.
struct SimpleFields {
  uint32_t request, id, sequence, error, text;  // 0: the command has no such field
};

SimpleFields FieldsOf(Type type) {
  switch (type) {
    case Type::kSuccess:
      return {.request = 1, .id = 0, .sequence = 0, .error = 0, .text = 0};
    case Type::kError:
      return {.request = 1, .id = 0, .sequence = 0, .error = 2, .text = 3};
    case Type::kSendError:
      return {.request = 0, .id = 1, .sequence = 2, .error = 3, .text = 4};
    case Type::kPartitionsAnswer:
      return {.request = 2, .id = 0, .sequence = 0, .error = 4, .text = 5};
    case Type::kLookupAnswer:
      return {.request = 4, .id = 0, .sequence = 0, .error = 6, .text = 7};
    case Type::kProducerSuccess:
      return {.request = 1, .id = 0, .sequence = 0, .error = 0, .text = 0};
    case Type::kSendReceipt:
      return {.request = 0, .id = 1, .sequence = 2, .error = 0, .text = 0};
    case Type::kMessage:
    case Type::kCloseProducer:
    case Type::kCloseConsumer:
    case Type::kEndOfTopic:
      return {.request = 0, .id = 1, .sequence = 0, .error = 0, .text = 0};
    case Type::kConnected:
      return {.request = 0, .id = 0, .sequence = 0, .error = 0, .text = 1};
    default:
      return {};
  }
}

// The fields that only one type has. False: unknown.
bool TakeOwnField(pbf_reader* reader, Command* command) {
  const uint32_t tag = reader->tag();
  switch (command->type) {
    case Type::kConnected:
      if (tag != 3) return false;
      command->max_message_size = static_cast<uint32_t>(std::max(0, reader->get_int32()));
      return true;
    case Type::kPartitionsAnswer:
      if (tag == 3) return command->failed = command->failed || reader->get_enum() != 0, true;
      if (tag != 1) return false;
      command->partitions = reader->get_uint32();
      return true;
    case Type::kLookupAnswer:
      if (tag == 1) return command->url = Text(reader), true;
      if (tag == 2) return command->tls_url = Text(reader), true;
      if (tag == 3) return command->lookup = static_cast<LookupType>(reader->get_enum()), true;
      if (tag == 5) return command->authoritative = reader->get_bool(), true;
      if (tag == 8) return command->proxied = reader->get_bool(), true;
      return false;
    case Type::kProducerSuccess:
      if (tag == 2) return command->producer_name = Text(reader), true;
      if (tag == 3) return command->last_sequence = reader->get_int64(), true;
      return false;
    case Type::kSendReceipt:
      if (tag != 3) return false;
      command->message = ReadMessageId(reader->get_message());
      return true;
    case Type::kMessage:
      if (tag == 2) return command->message = ReadMessageId(reader->get_message()), true;
      if (tag == 3) return command->redeliveries = reader->get_uint32(), true;
      if (tag != 4) return false;
      if (reader->wire_type() == protozero::pbf_wire_type::length_delimited) {
        for (const int64_t bits : reader->get_packed_int64()) {
          command->unacked.push_back(static_cast<uint64_t>(bits));
        }
      } else {
        command->unacked.push_back(static_cast<uint64_t>(reader->get_int64()));
      }
      return true;
    default:
      return false;
  }
}

void ReadFields(pbf_reader reader, Command* command) {
  const SimpleFields fields = FieldsOf(command->type);
  while (reader.next()) {
    const uint32_t tag = reader.tag();
    if (tag == fields.request) {
      command->request = reader.get_uint64();
    } else if (tag == fields.id) {
      command->id = reader.get_uint64();
    } else if (tag == fields.sequence) {
      command->sequence = reader.get_uint64();
    } else if (tag == fields.error) {
      command->error = reader.get_enum();
      command->failed = true;
    } else if (tag == fields.text) {
      command->text = Text(&reader);
    } else if (!TakeOwnField(&reader, command)) {
      reader.skip();
    }
  }
}

void ReadCommand(std::string_view bytes, Command* command) {
  pbf_reader reader(View(bytes));
  while (reader.next()) {
    if (reader.tag() == 1) {
      command->type = static_cast<Type>(reader.get_enum());
    } else if (reader.tag() == static_cast<uint32_t>(command->type)) {
      ReadFields(reader.get_message(), command);
    } else {
      reader.skip();
    }
  }
}

// What follows the command of a message. nullptr, or what is wrong with it.
const char* ReadMessagePart(std::string_view rest, Command* command) {
  if (Mark(rest) == kBrokerEntryMark) {
    if (rest.size() < 6 || rest.size() - 6 < Number(rest.data() + 2)) return "a message is cut off";
    rest.remove_prefix(6 + Number(rest.data() + 2));
  }
  if (Mark(rest) == kChecksumMark) {
    if (rest.size() < 6) return "a message is cut off";
    if (Crc32c(rest.substr(6)) != Number(rest.data() + 2)) return "a message's checksum is wrong";
    rest.remove_prefix(6);
  }
  if (rest.size() < 4 || rest.size() - 4 < Number(rest.data())) return "a message is cut off";
  const size_t size = Number(rest.data());
  command->metadata = rest.substr(4, size);
  command->payload = rest.substr(4 + size);
  return nullptr;
}

// Appends a frame with one command, whose fields `fill` writes. Returns where the frame begins.
template <class Fill>
size_t AppendCommand(Type type, std::string* out, const Fill& fill) {
  const size_t begin = out->size();
  out->append(8, '\0');
  {
    pbf_writer command(*out);
    command.add_enum(1, static_cast<int32_t>(type));
    const size_t before = out->size();
    {
      pbf_writer fields(command, static_cast<uint32_t>(type));
      fill(&fields);
    }
    // protozero leaves out what is empty, but the broker wants it.
    if (out->size() == before) command.add_message(static_cast<uint32_t>(type), "", 0);
  }
  const auto size = static_cast<uint32_t>(out->size() - begin - 8);
  PutNumber(size + 4, out->data() + begin);
  PutNumber(size, out->data() + begin + 4);
  return begin;
}

void AddText(uint32_t tag, std::string_view text, pbf_writer* writer) {
  writer->add_bytes(tag, text.data(), text.size());
}

void AddProperties(const Message& message, uint32_t tag, pbf_writer* writer) {
  for (const auto& [name, value] : message.headers) {
    pbf_writer property(*writer, tag);
    AddText(1, name, &property);
    AddText(2, value, &property);
  }
}

void AddMessageId(const MessageId& id, uint32_t tag, pbf_writer* writer) {
  pbf_writer message(*writer, tag);
  message.add_uint64(1, id.ledger);
  message.add_uint64(2, id.entry);
}

bool ReadProperty(pbf_reader reader, Metadata* metadata) {
  std::string_view name, value;
  while (reader.next()) {
    if (reader.tag() == 1) {
      name = Text(&reader);
    } else if (reader.tag() == 2) {
      value = Text(&reader);
    } else {
      reader.skip();
    }
  }
  metadata->properties.emplace_back(name, value);
  return true;
}

void TakeFrameField(pbf_reader* reader, Metadata* metadata) {
  switch (reader->tag()) {
    case 3:
      metadata->publish_time = reader->get_uint64();
      break;
    case 4:
      ReadProperty(reader->get_message(), metadata);
      break;
    case 6:
      metadata->key = Text(reader);
      metadata->has_key = true;
      break;
    case 8:
      metadata->compression = static_cast<uint32_t>(reader->get_enum());
      break;
    case 9:
      metadata->uncompressed_size = reader->get_uint32();
      break;
    case 11:
      metadata->count =
          static_cast<uint32_t>(std::clamp(reader->get_int32(), 0, kMostMessagesInBatch));
      metadata->batch = true;
      break;
    case 12:
      metadata->event_time = reader->get_uint64();
      break;
    case 13:
      metadata->encrypted = true;
      reader->skip();
      break;
    case 17:
      metadata->base64_key = reader->get_bool();
      break;
    case 26:
      metadata->uuid = Text(reader);
      break;
    case 27:
      metadata->chunks = static_cast<uint32_t>(std::max(0, reader->get_int32()));
      break;
    case 28:
      metadata->chunked_size = static_cast<uint32_t>(std::max(0, reader->get_int32()));
      break;
    case 29:
      metadata->chunk = static_cast<uint32_t>(std::max(0, reader->get_int32()));
      break;
    case 30:
      if (reader->get_bool()) metadata->has_key = false;
      break;
    default:
      reader->skip();
  }
}

void TakeBatchField(pbf_reader* reader, Metadata* metadata) {
  switch (reader->tag()) {
    case 1:
      ReadProperty(reader->get_message(), metadata);
      break;
    case 2:
      metadata->key = Text(reader);
      metadata->has_key = true;
      break;
    case 3:
      metadata->payload_size = static_cast<uint32_t>(std::max(0, reader->get_int32()));
      break;
    case 4:
      metadata->compacted_out = reader->get_bool();
      break;
    case 5:
      metadata->event_time = reader->get_uint64();
      break;
    case 6:
      metadata->base64_key = reader->get_bool();
      break;
    case 10:
      if (reader->get_bool()) metadata->has_key = false;
      break;
    default:
      reader->skip();
  }
}

bool ReadAll(std::string_view bytes, void (*take)(pbf_reader*, Metadata*), Metadata* metadata) {
  try {
    pbf_reader reader(View(bytes));
    while (reader.next()) take(&reader, metadata);
    return true;
  } catch (const protozero::exception&) {
    return false;
  }
}

}  // namespace

char* FrameReader::Space(size_t size) {
  if (begin_ == end_) begin_ = end_ = 0;
  if (data_.size() - end_ < size && begin_ > 0) {
    std::memmove(data_.data(), data_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (data_.size() - end_ < size) data_.resize(std::max(end_ + size, data_.size() * 2));
  return data_.data() + end_;
}

FrameReader::Outcome FrameReader::Broken(const char* problem) {
  problem_ = problem;
  return Outcome::kBroken;
}

FrameReader::Outcome FrameReader::Next(Command* command) {
  *command = {};
  const std::string_view bytes = unread();
  if (bytes.size() < 4) return Outcome::kNone;
  const size_t size = Number(bytes.data());
  if (size < 4 || size > limit_) return Broken("its first bytes are no length of a frame");
  if (bytes.size() - 4 < size) return Outcome::kNone;
  const std::string_view frame = bytes.substr(4, size);
  const size_t command_size = Number(frame.data());
  if (command_size > frame.size() - 4) return Broken("a command is longer than its frame");
  try {
    ReadCommand(frame.substr(4, command_size), command);
  } catch (const protozero::exception&) {
    return Broken("a command is no protobuf message");
  }
  if (command->type == Type::kMessage) {
    const char* problem = ReadMessagePart(frame.substr(4 + command_size), command);
    if (problem != nullptr) return Broken(problem);
  }
  begin_ += 4 + size;
  return Outcome::kCommand;
}

bool ReadMetadata(std::string_view bytes, Metadata* metadata) {
  return ReadAll(bytes, &TakeFrameField, metadata);
}

bool NextInBatch(std::string_view* batch, Metadata* metadata, std::string_view* payload) {
  if (batch->size() < 4 || batch->size() - 4 < Number(batch->data())) return false;
  const size_t size = Number(batch->data());
  if (!ReadAll(batch->substr(4, size), &TakeBatchField, metadata)) return false;
  batch->remove_prefix(4 + size);
  if (batch->size() < metadata->payload_size) return false;
  *payload = batch->substr(0, metadata->payload_size);
  batch->remove_prefix(metadata->payload_size);
  return true;
}

void AppendConnect(const Login& login, const std::string& proxy_to, std::string* out) {
  AppendCommand(Type::kConnect, out, [&](pbf_writer* fields) {
    AddText(1, kClientVersion, fields);
    if (!login.method.empty()) {
      AddText(5, login.method, fields);
      AddText(3, login.data, fields);
    }
    fields->add_int32(4, kProtocolVersion);
    if (!proxy_to.empty()) AddText(6, proxy_to, fields);
    pbf_writer features(*fields, 10);
    features.add_bool(1, true);  // a login can be renewed
  });
}

void AppendAuthResponse(const Login& login, std::string* out) {
  AppendCommand(Type::kAuthResponse, out, [&](pbf_writer* fields) {
    AddText(1, kClientVersion, fields);
    {
      pbf_writer data(*fields, 2);
      AddText(1, login.method, &data);
      AddText(2, login.data, &data);
    }
    fields->add_int32(3, kProtocolVersion);
  });
}

void AppendPing(std::string* out) {
  AppendCommand(Type::kPing, out, [](pbf_writer*) {});
}

void AppendPong(std::string* out) {
  AppendCommand(Type::kPong, out, [](pbf_writer*) {});
}

void AppendPartitions(std::string_view topic, uint64_t request, std::string* out) {
  AppendCommand(Type::kPartitions, out, [&](pbf_writer* fields) {
    AddText(1, topic, fields);
    fields->add_uint64(2, request);
  });
}

void AppendLookup(std::string_view topic, uint64_t request, bool authoritative,
                  std::string_view listener, std::string* out) {
  AppendCommand(Type::kLookup, out, [&](pbf_writer* fields) {
    AddText(1, topic, fields);
    fields->add_uint64(2, request);
    fields->add_bool(3, authoritative);
    if (!listener.empty()) AddText(7, listener, fields);
  });
}

void AppendProducer(const ProducerRequest& producer, std::string* out) {
  AppendCommand(Type::kProducer, out, [&](pbf_writer* fields) {
    AddText(1, producer.topic, fields);
    fields->add_uint64(2, producer.id);
    fields->add_uint64(3, producer.request);
    if (!producer.name.empty()) AddText(4, producer.name, fields);
    fields->add_uint64(8, producer.epoch);
    fields->add_bool(9, producer.own_name);
  });
}

void AppendSubscribe(const SubscribeRequest& subscribe, std::string* out) {
  AppendCommand(Type::kSubscribe, out, [&](pbf_writer* fields) {
    AddText(1, subscribe.topic, fields);
    AddText(2, subscribe.subscription, fields);
    fields->add_enum(3, static_cast<int32_t>(subscribe.type));
    fields->add_uint64(4, subscribe.id);
    fields->add_uint64(5, subscribe.request);
    if (!subscribe.consumer_name.empty()) AddText(6, subscribe.consumer_name, fields);
    fields->add_bool(8, subscribe.durable);
    if (subscribe.after != nullptr) AddMessageId(*subscribe.after, 9, fields);
    fields->add_enum(13, subscribe.earliest ? 1 : 0);
  });
}

void AppendFlow(uint64_t consumer, uint32_t permits, std::string* out) {
  AppendCommand(Type::kFlow, out, [&](pbf_writer* fields) {
    fields->add_uint64(1, consumer);
    fields->add_uint32(2, permits);
  });
}

void AppendAck(uint64_t consumer, std::span<const MessageId> messages, std::string* out) {
  AppendCommand(Type::kAck, out, [&](pbf_writer* fields) {
    fields->add_uint64(1, consumer);
    fields->add_enum(2, 0);  // each by itself
    for (const MessageId& id : messages) AddMessageId(id, 3, fields);
  });
}

void AppendBatchAck(uint64_t consumer, const MessageId& batch, std::span<const uint64_t> open,
                    uint32_t size, std::string* out) {
  AppendCommand(Type::kAck, out, [&](pbf_writer* fields) {
    fields->add_uint64(1, consumer);
    fields->add_enum(2, 0);
    pbf_writer message(*fields, 3);
    message.add_uint64(1, batch.ledger);
    message.add_uint64(2, batch.entry);
    for (const uint64_t bits : open) message.add_int64(5, static_cast<int64_t>(bits));
    message.add_int32(6, static_cast<int32_t>(size));
  });
}

void AppendClose(Type type, uint64_t id, uint64_t request, std::string* out) {
  AppendCommand(type, out, [&](pbf_writer* fields) {
    fields->add_uint64(1, id);
    fields->add_uint64(2, request);
  });
}

void BuildMetadata(std::string_view producer_name, const Sequence& sequence, uint64_t now_ms,
                   const Message* single, std::string* metadata) {
  metadata->clear();
  pbf_writer writer(*metadata);
  AddText(1, producer_name, &writer);
  writer.add_uint64(2, sequence.first);
  writer.add_uint64(3, now_ms);
  if (single == nullptr) {
    writer.add_int32(11, static_cast<int32_t>(sequence.count));
    writer.add_uint64(24, sequence.last);
    return;
  }
  AddProperties(*single, 4, &writer);
  if (single->has_key) AddText(6, single->key, &writer);
  if (single->timestamp_ms > 0) writer.add_uint64(12, static_cast<uint64_t>(single->timestamp_ms));
}

void AppendToBatch(const Message& message, uint64_t sequence, std::string* batch) {
  const size_t begin = batch->size();
  batch->append(4, '\0');
  {
    pbf_writer writer(*batch);
    AddProperties(message, 1, &writer);
    if (message.has_key) AddText(2, message.key, &writer);
    writer.add_int32(3, static_cast<int32_t>(message.payload.size()));
    if (message.timestamp_ms > 0) writer.add_uint64(5, static_cast<uint64_t>(message.timestamp_ms));
    writer.add_uint64(8, sequence);
  }
  PutNumber(static_cast<uint32_t>(batch->size() - begin - 4), batch->data() + begin);
  batch->append(message.payload);
}

void AppendSend(uint64_t producer, const Sequence& sequence, std::string_view metadata,
                std::string_view payload, std::string* out) {
  const size_t begin = AppendCommand(Type::kSend, out, [&](pbf_writer* fields) {
    fields->add_uint64(1, producer);
    fields->add_uint64(2, sequence.first);
    fields->add_int32(3, static_cast<int32_t>(sequence.count));
    if (sequence.count > 1) fields->add_uint64(6, sequence.last);
  });
  const size_t mark = out->size();
  out->append("\x0e\x01", 2).append(8, '\0').append(metadata).append(payload);
  PutNumber(static_cast<uint32_t>(metadata.size()), out->data() + mark + 6);
  PutNumber(Crc32c(std::string_view(*out).substr(mark + 6)), out->data() + mark + 2);
  PutNumber(static_cast<uint32_t>(out->size() - begin - 4), out->data() + begin);
}

}  // namespace dsmsg::pulsar
