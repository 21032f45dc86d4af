// SPDX-License-Identifier: Apache-2.0
#include "adaptors/pulsar/test/standin.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "adaptors/pulsar/crc32c.h"

namespace dsmsg::pulsar {
namespace {

std::string Bytes(size_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift);
  return bytes;
}

size_t Number(const std::string& bytes, size_t at) {
  size_t number = 0;
  for (size_t i = 0; i < 4; ++i)
    number = number << 8 | static_cast<unsigned char>(bytes.at(at + i));
  return number;
}

Asked Parse(const std::string& command) {
  Asked asked;
  protozero::pbf_reader reader(command);
  while (reader.next()) {
    if (reader.tag() == 1) {
      asked.type = static_cast<Type>(reader.get_enum());
      continue;
    }
    protozero::pbf_reader fields = reader.get_message();
    while (fields.next()) {
      const uint32_t tag = fields.tag();
      ++asked.times[tag];
      if (fields.wire_type() == protozero::pbf_wire_type::varint) {
        asked.numbers[tag] = fields.get_uint64();
      } else {
        asked.texts[tag] = fields.get_bytes();
      }
    }
  }
  return asked;
}

}  // namespace

std::string Reply(Type type, const std::function<void(protozero::pbf_writer*)>& fill) {
  std::string command;
  {
    protozero::pbf_writer writer(command);
    writer.add_enum(1, static_cast<int32_t>(type));
    protozero::pbf_writer fields(writer, static_cast<uint32_t>(type));
    fill(&fields);
  }
  return Bytes(command.size() + 4) + Bytes(command.size()) + command;
}

std::string WithPart(const std::string& frame, const std::string& part) {
  return Bytes(frame.size() - 4 + part.size()) + frame.substr(4) + part;
}

std::string Deliver(uint64_t entry, const std::string& metadata, const std::string& payload,
                    const std::vector<int64_t>& unacknowledged) {
  const std::string frame = Reply(Type::kMessage, [&](protozero::pbf_writer* fields) {
    fields->add_uint64(1, 1);
    {
      protozero::pbf_writer id(*fields, 2);
      id.add_uint64(1, 5);
      id.add_uint64(2, entry);
    }
    for (const int64_t bits : unacknowledged) fields->add_int64(4, bits);
  });
  const std::string rest = Bytes(metadata.size()) + metadata + payload;
  return WithPart(frame, "\x0e\x01" + Bytes(Crc32c(rest)) + rest);
}

Standin::Standin(Answer answer)
    : answer_(std::move(answer)), listener_(socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener_.get(), 16) != 0 ||
      getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("the stand-in cannot listen");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(); });
}

Standin::~Standin() {
  stop_ = true;
  thread_.join();
}

std::vector<Asked> Standin::All(Type type) const {
  const std::lock_guard lock(mutex_);
  std::vector<Asked> found;
  for (const Asked& each : asked_) {
    if (each.type == type) found.push_back(each);
  }
  return found;
}

void Standin::Push(const std::string& frame) {
  const std::lock_guard lock(mutex_);
  pushed_ += frame;
}

void Standin::Run() {
  while (!stop_) {
    std::vector<pollfd> fds = {{listener_.get(), POLLIN, 0}};
    for (const UniqueFd& each : connections_) fds.push_back({each.get(), POLLIN, 0});
    poll(fds.data(), fds.size(), 10);
    if (fds[0].revents != 0) {
      connections_.emplace_back(accept(listener_.get(), nullptr, nullptr));
      received_.emplace_back();
    }
    for (size_t i = 1; i < fds.size(); ++i) {
      if (fds[i].revents != 0 && fds[i].fd >= 0) Serve(i - 1);
    }
    const std::lock_guard lock(mutex_);
    if (pushed_.empty() || connections_.empty()) continue;
    (void)!send(connections_.back().get(), pushed_.data(), pushed_.size(), MSG_NOSIGNAL);
    pushed_.clear();
  }
}

void Standin::Serve(size_t index) {
  std::string& bytes = received_[index];
  std::string more(65536, '\0');
  const ssize_t got = recv(connections_[index].get(), more.data(), more.size(), 0);
  if (got <= 0) return connections_[index].Reset();
  bytes.append(more, 0, static_cast<size_t>(got));
  while (bytes.size() >= 8 && bytes.size() >= 4 + Number(bytes, 0)) {
    const Asked asked = Parse(bytes.substr(8, Number(bytes, 4)));
    bytes.erase(0, 4 + Number(bytes, 0));
    {
      const std::lock_guard lock(mutex_);
      asked_.push_back(asked);
    }
    std::string reply = answer_(asked);
    if (reply.empty()) reply = Usual(asked);
    (void)!send(connections_[index].get(), reply.data(), reply.size(), MSG_NOSIGNAL);
  }
}

std::string Standin::Usual(const Asked& asked) const {
  using Writer = protozero::pbf_writer;
  switch (asked.type) {
    case Type::kConnect:
      return Reply(Type::kConnected, [](Writer* fields) {
        fields->add_string(1, "stand-in");
        fields->add_int32(3, 5 << 20);
      });
    case Type::kPing:
      return Reply(Type::kPong, [](Writer*) {});
    case Type::kPartitions:
      return Reply(Type::kPartitionsAnswer, [&](Writer* fields) {
        fields->add_uint32(1, 0);
        fields->add_uint64(2, asked.number(2));
        fields->add_enum(3, 0);
      });
    case Type::kLookup:
      return Reply(Type::kLookupAnswer, [&](Writer* fields) {
        fields->add_string(1, url());
        fields->add_enum(3, 1);
        fields->add_uint64(4, asked.number(2));
      });
    case Type::kProducer:
      return Reply(Type::kProducerSuccess, [&](Writer* fields) {
        fields->add_uint64(1, asked.number(3));
        fields->add_string(2, "made-up");
      });
    case Type::kSubscribe:
    case Type::kCloseConsumer:
      return Reply(Type::kSuccess, [&](Writer* fields) {
        fields->add_uint64(1, asked.number(asked.type == Type::kSubscribe ? 5 : 2));
      });
    case Type::kSend:
      return Reply(Type::kSendReceipt, [&](Writer* fields) {
        fields->add_uint64(1, asked.number(1));
        fields->add_uint64(2, asked.number(2));
        Writer id(*fields, 3);
        id.add_uint64(1, 5);
        id.add_uint64(2, asked.number(2));
      });
    default:
      return {};
  }
}

}  // namespace dsmsg::pulsar
