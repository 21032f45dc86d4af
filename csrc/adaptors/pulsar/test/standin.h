// SPDX-License-Identifier: Apache-2.0
// A broker of a few lines, for what a real one does only in a cluster, or when something goes
// wrong: it answers each command as the test says.
//
// Threads: the answers are made on the stand-in's thread; everything else is the test's.
#ifndef DSMSG_ADAPTORS_PULSAR_TEST_STANDIN_H_
#define DSMSG_ADAPTORS_PULSAR_TEST_STANDIN_H_

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <thread>
#include <vector>

#include "adaptors/pulsar/wire.h"
#include "core/base/fd.h"

namespace dsmsg::pulsar {

/// A frame of the broker.
std::string Reply(Type type, const std::function<void(protozero::pbf_writer*)>& fill);
/// A frame with something behind its command.
std::string WithPart(const std::string& frame, const std::string& part);
/// A message of consumer 1: entry `entry` of ledger 5.
std::string Deliver(uint64_t entry, const std::string& metadata, const std::string& payload,
                    const std::vector<int64_t>& unacknowledged = {});

/// A command of the client: numbers and texts by field.
struct Asked {
  Type type = Type::kNone;
  std::map<uint32_t, uint64_t> numbers;
  std::map<uint32_t, std::string> texts;
  std::map<uint32_t, size_t> times;
  uint64_t number(uint32_t field) const {
    const auto found = numbers.find(field);
    return found == numbers.end() ? 0 : found->second;
  }
};

class Standin {
 public:
  /// Returns frames to send; what it does not answer (an empty text) gets the usual answer.
  using Answer = std::function<std::string(const Asked&)>;
  explicit Standin(Answer answer = [](const Asked&) { return std::string(); });
  ~Standin();
  Standin(const Standin&) = delete;
  Standin& operator=(const Standin&) = delete;

  uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1;" + std::to_string(port_); }
  std::string url() const { return "pulsar://127.0.0.1:" + std::to_string(port_); }
  /// Commands of this type, so far.
  std::vector<Asked> All(Type type) const;
  size_t Count(Type type) const { return All(type).size(); }
  /// How often the `index`th of them has a field.
  size_t Messages(Type type, size_t index, uint32_t field) const {
    return All(type).at(index).times.at(field);
  }
  /// Sends a frame on the newest connection.
  void Push(const std::string& frame);

 private:
  void Run();
  void Serve(size_t index);
  std::string Usual(const Asked& asked) const;

  const Answer answer_;
  uint16_t port_ = 0;
  UniqueFd listener_;
  std::atomic<bool> stop_{false};
  mutable std::mutex mutex_;
  std::vector<Asked> asked_;
  std::string pushed_;
  std::vector<UniqueFd> connections_;
  std::vector<std::string> received_;
  std::thread thread_;
};

}  // namespace dsmsg::pulsar

#endif  // DSMSG_ADAPTORS_PULSAR_TEST_STANDIN_H_
