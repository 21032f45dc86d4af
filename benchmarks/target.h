// SPDX-License-Identifier: Apache-2.0
// What the benchmarks have to know about one adaptor: the server it talks to, its settings, and how
// that server is driven with the client library alone. A new adaptor brings one file,
// raw_<name>.cc, with a subclass and DSMSG_TARGET(Subclass); nothing else is edited.
//
// Threads: one thread uses a target, one a raw client. A target owns its server, a raw client its
// connection.
#ifndef DSMSG_BENCHMARKS_TARGET_H_
#define DSMSG_BENCHMARKS_TARGET_H_

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server.h"
#include "tracker.h"

namespace dsmsg::bench {

inline constexpr char kTopic[] = "dsmsg-bench";
/// Most messages that are sent and not yet acknowledged, for the adaptor and for the raw client.
inline constexpr uint64_t kWindow = 1000;

struct Letter {
  const std::string& topic;
  const std::string& key;  // what the adaptor finds in the payload
  const std::string& payload;
};

/// The broker's client library, driven as well as it can be, by one thread. Errors are
/// std::runtime_error.
class RawClient {
 public:
  virtual ~RawClient() = default;
  /// Sends, now or in Poll. The letter stays where it is until it is acknowledged (Tracker::Done).
  virtual void Submit(const Letter& letter, Sent* sent) = 0;
  /// Writes what was submitted and reads acknowledgements; waits for them at most this long.
  virtual void Poll(std::chrono::microseconds wait) = 0;
};

/// How the server is set up.
struct Setup {
  bool tuned = false;                       // else as its package leaves it
  std::chrono::milliseconds round_trip{0};  // more than 0: behind a proxy
  int partitions = 1;                       // of a topic, where there are such
};

class Target {
 public:
  virtual ~Target() = default;

  virtual std::string name() const = 0;     // on the command line
  virtual std::string adaptor() const = 0;  // of libnvds_<adaptor>_proto.so
  virtual std::string client() const = 0;   // the client library with its version
  /// What both do alike, for people who read the result.
  virtual std::string terms() const = 0;
  /// Of the raw client; the adaptor's follows from its settings.
  virtual uint64_t window() const { return kWindow; }

  /// Starts the server and makes what kTopic needs. Throws std::runtime_error.
  virtual void Start(const Setup& setup) = 0;
  virtual std::string connection() const = 0;
  /// Lines of the adaptor's config file.
  virtual std::vector<std::string> config() const = 0;
  virtual std::unique_ptr<RawClient> Connect() = 0;
  /// Where an acknowledgement does not say that a message arrived: waits until `total` have, since
  /// Start. Throws when they do not within 10 s.
  virtual void WaitReceived(uint64_t /*total*/) {}
  /// Of the server or the receiver.
  virtual pid_t server() const = 0;
  /// Removes what was sent, where the server would keep it all.
  virtual void Clear() {}
};

/// A child process, which ends with its object or its parent. It does its work in `body`, which
/// tells the parent one line of text through the descriptor, and returns only if that fails.
class Helper {
 public:
  explicit Helper(const std::function<void(int)>& body);
  ~Helper();
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;
  const std::string& text() const { return text_; }
  pid_t pid() const { return child_; }

 private:
  pid_t child_ = -1;
  std::string text_;
};

/// A proxy process in front of a port of this machine; its work is not counted.
std::unique_ptr<Helper> MakeProxy(uint16_t target, uint16_t port,
                                  std::chrono::milliseconds round_trip);

/// A target with a server of `dsmsg.brokers`.
class BrokerTarget : public Target {
 public:
  explicit BrokerTarget(std::string kind) : kind_(std::move(kind)) {}
  void Start(const Setup& setup) override;
  std::string connection() const override { return host() + ";" + std::to_string(port()); }
  pid_t server() const override { return server_->pid(); }

 protected:
  /// Arguments of its "start" command. The port is 0 unless clients are to come through it, then it
  /// is the proxy's.
  virtual std::string ServerArgs(const Setup& setup, uint16_t proxy) const = 0;
  const std::string& host() const { return server_->host(); }
  uint16_t port() const { return proxy_ != nullptr ? proxy_port_ : server_->port(); }

 private:
  const std::string kind_;
  std::unique_ptr<conformance::Server> server_;
  uint16_t proxy_port_ = 0;
  std::unique_ptr<Helper> proxy_;
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

/// User and system time of this process, and of another one.
double CpuSeconds();
double CpuSeconds(pid_t process);
/// Waits until there is something to read; false: not within this time.
bool Readable(int fd, std::chrono::microseconds wait);
/// A detection message of about `size` bytes, different for each `number`, with `camera` as the
/// sensor's id: of the full form where it has room. Compresses as such messages do.
std::string Payload(size_t number, size_t size, const std::string& camera);

}  // namespace dsmsg::bench

#define DSMSG_TARGET(Class)                               \
  [[maybe_unused]] static const bool registered_##Class = \
      ::dsmsg::bench::RegisterTarget(std::make_unique<Class>())

#endif  // DSMSG_BENCHMARKS_TARGET_H_
