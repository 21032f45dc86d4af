// SPDX-License-Identifier: Apache-2.0
// What the benchmarks have to know about one adaptor: the server it talks to, its settings, and how
// that server is driven with the client library alone. A new adaptor brings one file,
// raw_<name>.cc, with a subclass and DSMSG_TARGET(Subclass); nothing else is edited.
//
// Threads: one thread uses a target; Send of a RawClient may use more. A target owns its server,
// a raw client its connection.
#ifndef DSMSG_BENCHMARKS_TARGET_H_
#define DSMSG_BENCHMARKS_TARGET_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server.h"

namespace dsmsg::bench {

inline constexpr char kTopic[] = "dsmsg-bench";
/// Most messages that are sent and not yet acknowledged, for the adaptor and for the raw client.
inline constexpr size_t kWindow = 1000;

using Payloads = std::vector<std::string>;

/// The broker's client library, driven as well as it can be. Errors are std::runtime_error.
class RawClient {
 public:
  virtual ~RawClient() = default;
  /// Sends `count` messages to kTopic, the payloads in turn; returns when all are acknowledged.
  virtual void Send(size_t count, const Payloads& payloads) = 0;
};

class Target {
 public:
  virtual ~Target() = default;

  virtual std::string name() const = 0;     // on the command line
  virtual std::string adaptor() const = 0;  // of libnvds_<adaptor>_proto.so
  virtual std::string client() const = 0;   // the client library with its version
  /// What both do alike, for people who read the result.
  virtual std::string terms() const = 0;
  virtual size_t default_messages() const { return 300'000; }

  /// Starts the server and makes what kTopic needs. Throws std::runtime_error.
  virtual void Start() = 0;
  virtual std::string connection() const = 0;
  /// Lines of the adaptor's config file.
  virtual std::vector<std::string> config() const = 0;
  virtual std::unique_ptr<RawClient> Connect() = 0;
  /// Where an acknowledgement does not say that a message arrived: waits until `total` have, since
  /// Start. Throws when they do not within 10 s.
  virtual void WaitReceived(size_t /*total*/) {}
};

/// A target with a server of `dsmsg.brokers`.
class BrokerTarget : public Target {
 public:
  BrokerTarget(std::string kind, std::string args) : server_(std::move(kind), std::move(args)) {}
  void Start() override { server_.EnsureUp(); }
  std::string connection() const override {
    return server_.host() + ";" + std::to_string(server_.port());
  }

 protected:
  const std::string& host() const { return server_.host(); }
  uint16_t port() const { return server_.port(); }

 private:
  conformance::Server server_;
};

/// All targets linked into the program, by name.
const std::vector<Target*>& Targets();
/// Null when there is none of this name.
Target* FindTarget(const std::string& name);
std::string TargetNames();
bool RegisterTarget(std::unique_ptr<Target> target);
/// Ends all servers.
void CloseTargets();
/// Full path of a target's adaptor.
std::string LibraryOf(const Target& target);
/// Writes the target's config file; removed with the object.
class ConfigFile {
 public:
  explicit ConfigFile(const std::vector<std::string>& lines);
  ~ConfigFile();
  ConfigFile(const ConfigFile&) = delete;
  ConfigFile& operator=(const ConfigFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// User and system time of this process.
double CpuSeconds();
/// A detection message of about `size` bytes, different for each `number`, with Camera(number) as
/// the sensor's id. Compresses as such messages do.
std::string Payload(size_t number, size_t size);
std::string Camera(size_t number);

}  // namespace dsmsg::bench

#define DSMSG_TARGET(Class)                               \
  [[maybe_unused]] static const bool registered_##Class = \
      ::dsmsg::bench::RegisterTarget(std::make_unique<Class>())

#endif  // DSMSG_BENCHMARKS_TARGET_H_
