// SPDX-License-Identifier: Apache-2.0
// Reads the topic over a plain socket, without the adaptor's code: no client library of Pulsar is
// packaged, and a reader needs few of the protocol's commands. They are protobuf messages, named by
// the numbers of their fields.
#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include "consumer.h"
#include "core/base/fd.h"

namespace dsmsg_demo {
namespace {

using dsmsg::Code;
using dsmsg::Status;
using dsmsg::UniqueFd;
using protozero::pbf_reader;
using protozero::pbf_writer;

enum Command : uint32_t {
  kConnect = 2,
  kConnected = 3,
  kSubscribe = 4,
  kMessage = 9,
  kFlow = 11,
  kSuccess = 13,
  kError = 14,
  kPing = 18,
  kPong = 19,
  kLookup = 23,
  kLookupAnswer = 24,
};
constexpr uint32_t kPermits = 1000;
constexpr std::chrono::seconds kPatience{30};

uint32_t Number(std::string_view bytes, size_t at) {
  uint32_t number = 0;
  for (size_t i = 0; i < 4; ++i) {
    number = number << 8 | static_cast<unsigned char>(bytes.at(at + i));
  }
  return number;
}

std::string Bytes(uint32_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift);
  return bytes;
}

uint32_t NumberField(std::string_view message, uint32_t field) {
  pbf_reader reader(message.data(), message.size());
  uint32_t found = 0;
  while (reader.next(field)) found = reader.get_uint32();
  return found;
}

class PulsarConsumer : public Consumer {
 public:
  explicit PulsarConsumer(UniqueFd fd) : fd_(std::move(fd)) {}

  /// Gets everything sent to the topic from now on; the broker keeps no position.
  Status Begin(const std::string& topic) {
    const std::string name = "persistent://public/default/" + topic;
    Write(kConnect, [](pbf_writer& fields) {
      fields.add_string(1, "dsmsg-demo");
      fields.add_int32(4, 15);  // version of the protocol
    });
    if (Status status = Await(kConnected); !status.ok()) return status;
    Write(kLookup, [&](pbf_writer& fields) {  // has the broker load the topic
      fields.add_string(1, name);
      fields.add_uint64(2, 1);
    });
    if (Status status = Await(kLookupAnswer); !status.ok()) return status;
    Write(kSubscribe, [&](pbf_writer& fields) {
      fields.add_string(1, name);
      fields.add_string(2, "dsmsg-demo");
      fields.add_enum(3, 0);  // exclusive
      fields.add_uint64(4, 1);
      fields.add_uint64(5, 2);
      fields.add_bool(8, false);  // not durable
    });
    if (Status status = Await(kSuccess); !status.ok()) return status;
    Flow(kPermits);
    return {};
  }

  Status Poll(std::chrono::milliseconds budget, const OnMessage& on_message) override {
    if (Status status = Receive(budget); !status.ok()) return status;
    uint32_t command = 0;
    for (std::string_view fields, part; Next(&command, &fields, &part);) {
      if (command == kPing) Write(kPong, [](pbf_writer&) {});
      if (command == kMessage) Take(part, on_message);
    }
    return lost_ ? Lost() : Status();
  }

 private:
  template <class Fill>
  void Write(uint32_t type, const Fill& fill) {
    std::string command;
    {
      pbf_writer writer(command);
      writer.add_enum(1, static_cast<int32_t>(type));
      std::string fields;
      pbf_writer inner(fields);
      fill(inner);
      writer.add_message(type, fields);
    }
    const auto size = static_cast<uint32_t>(command.size());
    const std::string frame = Bytes(size + 4) + Bytes(size) + command;
    const ssize_t n = send(fd_.get(), frame.data(), frame.size(), MSG_NOSIGNAL);
    lost_ = lost_ || n != static_cast<ssize_t>(frame.size());
  }

  void Flow(uint32_t permits) {
    Write(kFlow, [&](pbf_writer& fields) {
      fields.add_uint64(1, 1);
      fields.add_uint32(2, permits);
    });
  }

  Status Receive(std::chrono::milliseconds budget) {
    in_.erase(0, at_);
    at_ = 0;
    pollfd waiting{fd_.get(), POLLIN, 0};
    if (poll(&waiting, 1, static_cast<int>(budget.count())) <= 0) return {};
    char bytes[65536];
    const ssize_t n = recv(fd_.get(), bytes, sizeof bytes, 0);
    if (n <= 0) return Lost();
    in_.append(bytes, static_cast<size_t>(n));
    return {};
  }

  // The next whole frame: its command, the fields of that, and what follows it.
  bool Next(uint32_t* command, std::string_view* fields, std::string_view* part) {
    const std::string_view rest = std::string_view(in_).substr(at_);
    if (rest.size() < 4 || rest.size() - 4 < Number(rest, 0)) return false;
    const std::string_view frame = rest.substr(4, Number(rest, 0));
    at_ += 4 + frame.size();
    const uint32_t size = Number(frame, 0);
    pbf_reader reader(frame.data() + 4, size);
    *command = 0;
    while (reader.next()) {
      if (reader.tag() == 1) {
        *command = static_cast<uint32_t>(reader.get_enum());
      } else if (reader.tag() == *command) {
        const auto view = reader.get_view();
        *fields = {view.data(), view.size()};
      } else {
        reader.skip();
      }
    }
    *part = frame.substr(4 + size);
    return true;
  }

  Status Await(uint32_t wanted) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < deadline) {
      if (Status status = Receive(std::chrono::milliseconds(100)); !status.ok()) return status;
      uint32_t command = 0;
      for (std::string_view fields, part; Next(&command, &fields, &part);) {
        if (command == wanted) return {};
        if (command == kError) return {Code::kRejected, "pulsar: " + std::string(fields)};
      }
    }
    return {Code::kTimeout, "the demo's consumer gets no answer of Pulsar"};
  }

  // Mark and checksum, size of the metadata, metadata, payload: one message, or a batch of them.
  void Take(std::string_view part, const OnMessage& on_message) {
    part.remove_prefix(6);
    const std::string_view metadata = part.substr(4, Number(part, 0));
    std::string_view payload = part.substr(4 + metadata.size());
    const uint32_t batch = NumberField(metadata, 11);
    if (batch == 0) on_message(payload);
    for (uint32_t i = 0; i < batch; ++i) {
      const std::string_view own = payload.substr(4, Number(payload, 0));
      payload.remove_prefix(4 + own.size());
      const uint32_t size = NumberField(own, 3);
      on_message(payload.substr(0, size));
      payload.remove_prefix(size);
    }
    Flow(std::max(batch, 1U));
  }

  static Status Lost() { return {Code::kUnavailable, "the demo's consumer lost Pulsar"}; }

  const UniqueFd fd_;
  std::string in_;
  size_t at_ = 0;  // of in_: read so far
  bool lost_ = false;
};

dsmsg::Result<std::unique_ptr<Consumer>> Open(Target& target, const std::string& topic) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  UniqueFd fd;
  if (getaddrinfo(target.host.c_str(), std::to_string(target.port).c_str(), &hints, &found) == 0) {
    fd = UniqueFd(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(fd.get(), found->ai_addr, found->ai_addrlen) != 0) fd.Reset();
    freeaddrinfo(found);
  }
  if (!fd.valid()) {
    return Status(Code::kUnavailable,
                  "the demo's consumer cannot reach Pulsar at " + target.address());
  }
  auto consumer = std::make_unique<PulsarConsumer>(std::move(fd));
  Status status = consumer->Begin(topic);
  if (!status.ok()) return status;
  return std::unique_ptr<Consumer>(std::move(consumer));
}

[[maybe_unused]] const bool registered =
    RegisterConsumer("pulsar", &Open, {.kind = "pulsar", .title = "a real Pulsar"});

}  // namespace
}  // namespace dsmsg_demo
