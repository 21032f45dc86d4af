// SPDX-License-Identifier: Apache-2.0
// A real server, run by `python3 -m dsmsg.brokers serve <kind>`, and a few sockets that behave
// badly.
//
// Threads: any; commands wait for each other. Ownership: the destructor ends the server and removes
// its data; when this process dies, the control process notices the closed pipe and does the same.
#ifndef DSMSG_CONFORMANCE_SERVER_H_
#define DSMSG_CONFORMANCE_SERVER_H_

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "cut_proxy.h"

namespace dsmsg::conformance {

class Server {
 public:
  /// What Kill ends: the process, or (for a server that would lose what it acknowledged) all
  /// connections that come through host() and port().
  enum class Killed { kProcess, kConnections };

  /// `args`: JSON object for the "start" command. Starts nothing yet.
  Server(std::string kind, std::string args, Killed killed = Killed::kProcess);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Each of these throws std::runtime_error with the control process's message.
  void EnsureUp();  // running and not paused
  void Kill();      // SIGKILL, or all connections reset and the port refused
  void Pause();     // SIGSTOP
  void Resume();    // SIGCONT
  /// Runs the server's own control program; `arguments`: a JSON array of strings.
  void Ctl(const std::string& arguments);

  const std::string& host() const { return host_; }
  uint16_t port() const { return port_; }
  std::string address() const { return host_ + ":" + std::to_string(port_); }
  /// Past the proxy of Killed::kConnections: for the suite's own readers.
  uint16_t direct_port() const { return direct_port_; }
  pid_t pid() const { return pid_; }
  /// The port of another listener, by its name ("mqtt" of RabbitMQ); 0: no such listener.
  uint16_t extra_port(const std::string& name) const {
    const auto found = extra_ports_.find(name);
    return found == extra_ports_.end() ? uint16_t{0} : found->second;
  }

 private:
  enum class State { kDown, kUp, kPaused };
  void Spawn();
  void Command(const std::string& name, const std::string& args = "");
  std::string Exchange(const std::string& line);

  const std::string kind_, args_;
  const Killed killed_;
  std::mutex mutex_;
  State state_ = State::kDown;
  pid_t control_ = -1;
  int to_ = -1, from_ = -1;
  pid_t pid_ = -1;  // of the server
  std::string host_ = "127.0.0.1";
  uint16_t port_ = 0, direct_port_ = 0;
  std::map<std::string, uint16_t> extra_ports_;
  std::unique_ptr<CutProxy> proxy_;
};

/// Kills a server on a separate thread, and starts it again after `down`. Join before looking at
/// results.
class Outage {
 public:
  Outage(Server& server, std::chrono::milliseconds down);
  ~Outage();
  /// Waits until the server is up again; throws what went wrong.
  void Join();
  bool over() const { return over_.load(); }

 private:
  std::atomic<bool> over_{false};
  std::string error_;
  std::thread thread_;
};

/// A loopback port on which nothing listens, and which no other process gets: it is bound.
class ClosedPort {
 public:
  ClosedPort();
  ~ClosedPort();
  ClosedPort(const ClosedPort&) = delete;
  ClosedPort& operator=(const ClosedPort&) = delete;
  uint16_t port() const { return port_; }

 private:
  uint16_t port_ = 0;  // before fd_, which sets it
  const int fd_;
};

/// Accepts connections and never answers (kSilent), or resets each at once (kReset).
class BadServer {
 public:
  enum class Mode { kSilent, kReset };
  explicit BadServer(Mode mode);
  ~BadServer();
  BadServer(const BadServer&) = delete;
  BadServer& operator=(const BadServer&) = delete;
  uint16_t port() const { return port_; }
  size_t connections() const { return connections_.load(); }

 private:
  void Serve();

  const Mode mode_;
  uint16_t port_ = 0;  // before fd_, which sets it
  const int fd_;
  const int stop_;  // eventfd
  std::atomic<size_t> connections_{0};
  std::thread thread_;
};

}  // namespace dsmsg::conformance

#endif  // DSMSG_CONFORMANCE_SERVER_H_
