// SPDX-License-Identifier: Apache-2.0
// A plain Pulsar client of the tests, independent of the driver: reads all that a topic holds.
//
// Threads: one at a time.
#ifndef DSMSG_CONFORMANCE_PULSAR_CLIENT_H_
#define DSMSG_CONFORMANCE_PULSAR_CLIENT_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "server.h"

namespace dsmsg::conformance {

class PulsarClient {
 public:
  struct Message {
    std::string payload, key, producer;
    bool has_key = false;
    std::map<std::string, std::string> properties;
    uint64_t event_time = 0;
    size_t batch = 1;  // messages in its batch
  };

  /// `password`: of the user "dsmsg"; empty: no login.
  explicit PulsarClient(const Server& server, const std::string& password = "")
      : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval patience{60, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server.port());
    inet_pton(AF_INET, server.host().c_str(), &address.sin_addr);
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("pulsar: cannot connect");
    }
    Write(2, [&](protozero::pbf_writer& fields) {
      fields.add_string(1, "conformance");
      if (!password.empty()) {
        fields.add_string(5, "basic");
        fields.add_string(3, "dsmsg:" + password);
      }
      fields.add_int32(4, 15);
    });
    Await(3);
  }
  ~PulsarClient() { close(fd_); }
  PulsarClient(const PulsarClient&) = delete;
  PulsarClient& operator=(const PulsarClient&) = delete;

  /// All messages of a topic (in public/default, without partitions), up to the last one that the
  /// broker names.
  std::vector<Message> ReadAll(const std::string& topic) {
    const std::string name = "persistent://public/default/" + topic;
    const uint64_t consumer = ++last_id_;
    Write(23, [&](protozero::pbf_writer& fields) {  // the broker loads a topic for a lookup only
      fields.add_string(1, name);
      fields.add_uint64(2, ++last_id_);
    });
    Await(24);
    Write(4, [&](protozero::pbf_writer& fields) {
      fields.add_string(1, name);
      fields.add_string(2,
                        "conformance-" + std::to_string(getpid()) + "-" + std::to_string(consumer));
      fields.add_enum(3, 0);
      fields.add_uint64(4, consumer);
      fields.add_uint64(5, ++last_id_);
      fields.add_bool(8, false);
      fields.add_enum(13, 1);  // from the beginning
    });
    Await(13);
    Write(29, [&](protozero::pbf_writer& fields) {
      fields.add_uint64(1, consumer);
      fields.add_uint64(2, ++last_id_);
    });
    const Id last = IdOf(Await(30).command, 1);
    std::vector<Message> found;
    uint32_t permits = 1000;  // a batch takes one for each of its messages
    for (bool end = last.second == UINT64_MAX; !end;) {
      Write(11, [&](protozero::pbf_writer& fields) {
        fields.add_uint64(1, consumer);
        fields.add_uint32(2, permits);
      });
      const Frame frame = Await(9);
      const size_t before = found.size();
      Add(frame, &found);
      permits = static_cast<uint32_t>(found.size() - before);
      end = IdOf(frame.command, 2) >= last;
    }
    Write(16, [&](protozero::pbf_writer& fields) {
      fields.add_uint64(1, consumer);
      fields.add_uint64(2, ++last_id_);
    });
    Await(13);
    return found;
  }

 private:
  using Id = std::pair<uint64_t, uint64_t>;
  struct Frame {
    std::string command, rest;  // fields of the command; what follows it
  };

  static uint32_t Number(const std::string& bytes, size_t at) {
    uint32_t number = 0;
    for (size_t i = 0; i < 4; ++i)
      number = number << 8 | static_cast<unsigned char>(bytes.at(at + i));
    return number;
  }
  static std::string Bytes(uint32_t number) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift);
    return bytes;
  }

  void Write(uint32_t type, const std::function<void(protozero::pbf_writer&)>& fill) {
    std::string command;
    {
      protozero::pbf_writer writer(command);
      writer.add_enum(1, static_cast<int32_t>(type));
      protozero::pbf_writer fields(writer, type);
      fill(fields);
    }
    const auto size = static_cast<uint32_t>(command.size());
    const std::string frame = Bytes(size + 4) + Bytes(size) + command;
    if (send(fd_, frame.data(), frame.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(frame.size())) {
      throw std::runtime_error("pulsar: the connection is lost");
    }
  }

  std::string Read(size_t size) {
    std::string bytes(size, '\0');
    for (size_t done = 0; done < size;) {
      const ssize_t n = recv(fd_, bytes.data() + done, size - done, 0);
      if (n <= 0) throw std::runtime_error("pulsar: no answer");
      done += static_cast<size_t>(n);
    }
    return bytes;
  }

  /// The next command of this type.
  Frame Await(uint32_t wanted) {
    for (;;) {
      const std::string frame = Read(Number(Read(4), 0));
      const uint32_t size = Number(frame, 0);
      protozero::pbf_reader reader(frame.data() + 4, size);
      uint32_t type = 0;
      Frame found;
      while (reader.next()) {
        if (reader.tag() == 1) {
          type = static_cast<uint32_t>(reader.get_enum());
        } else if (reader.tag() == type) {
          found.command = reader.get_bytes();
        } else {
          reader.skip();
        }
      }
      found.rest = frame.substr(4 + size);
      if (type == wanted) return found;
      if (type == 14) throw std::runtime_error("pulsar: " + found.command);
    }
  }

  static Id IdOf(const std::string& command, uint32_t field) {
    protozero::pbf_reader reader(command);
    Id id;
    while (reader.next(field)) {
      protozero::pbf_reader inner = reader.get_message();
      while (inner.next()) {
        if (inner.tag() == 1) {
          id.first = inner.get_uint64();
        } else if (inner.tag() == 2) {
          id.second = inner.get_uint64();
        } else {
          inner.skip();
        }
      }
    }
    return id;
  }

  struct Tags {
    uint32_t properties, key, event_time, producer, count, size;
  };
  static Message ReadFields(const std::string& bytes, const Tags& tags, uint32_t* number) {
    Message message;
    protozero::pbf_reader reader(bytes);
    while (reader.next()) {
      const uint32_t tag = reader.tag();
      if (tag == tags.properties) {
        protozero::pbf_reader property = reader.get_message();
        std::string name, value;
        while (property.next()) {  // the right side of an assignment comes first
          std::string& text = property.tag() == 1 ? name : value;
          text = property.get_bytes();
        }
        message.properties[name] = value;
      } else if (tag == tags.key) {
        message.key = reader.get_bytes();
        message.has_key = true;
      } else if (tag == tags.event_time) {
        message.event_time = reader.get_uint64();
      } else if (tag == tags.producer) {
        message.producer = reader.get_bytes();
      } else if (tag == tags.count || tag == tags.size) {
        *number = static_cast<uint32_t>(reader.get_int32());
      } else {
        reader.skip();
      }
    }
    return message;
  }

  static void Add(const Frame& frame, std::vector<Message>* found) {
    const size_t begin = 2 + 4;  // mark and checksum
    const uint32_t size = Number(frame.rest, begin);
    uint32_t count = 0;
    Message message = ReadFields(frame.rest.substr(begin + 4, size), {4, 6, 12, 1, 11, 0}, &count);
    std::string payload = frame.rest.substr(begin + 4 + size);
    if (count == 0) {
      message.payload = std::move(payload);
      found->push_back(std::move(message));
      return;
    }
    size_t at = 0;
    for (uint32_t i = 0; i < count; ++i) {
      const uint32_t head = Number(payload, at);
      uint32_t body = 0;
      Message one = ReadFields(payload.substr(at + 4, head), {1, 2, 5, 0, 0, 3}, &body);
      one.payload = payload.substr(at + 4 + head, body);
      one.producer = message.producer;
      one.batch = count;
      at += 4 + head + body;
      found->push_back(std::move(one));
    }
  }

  const int fd_;
  uint64_t last_id_ = 0;
};

}  // namespace dsmsg::conformance

#endif  // DSMSG_CONFORMANCE_PULSAR_CLIENT_H_
