// SPDX-License-Identifier: Apache-2.0
// The broker of a demo run: lives as long as the object. One thread.
#ifndef DSMSG_DEMO_TARGET_H_
#define DSMSG_DEMO_TARGET_H_

#include <memory>
#include <string>

#include "core/base/status.h"

namespace dsmsg_demo {

class Target {
 public:
  virtual ~Target() = default;
  std::string title;    // for people
  std::string adaptor;  // short name
  std::string host;
  int port = 0;
  std::string connection;  // for the sink; empty: host and port

  /// Whether Kill() and Return() work, and the demo's consumer goes on afterwards.
  virtual bool can_fail() const { return false; }
  /// The broker is gone at once. One call at a time, any thread.
  virtual dsmsg::Status Kill() { return {}; }
  /// It is back at the same address, with all that it had; may take seconds.
  virtual dsmsg::Status Return() { return {}; }

  std::string address() const { return host + ":" + std::to_string(port); }
  std::string conn_str() const {
    return connection.empty() ? host + ";" + std::to_string(port) : connection;
  }
};

/// librdkafka's mock cluster, in this process, with `topic` of one partition: real connections, no
/// server.
dsmsg::Result<std::unique_ptr<Target>> StartMockKafka(const std::string& topic);

/// The server of an adaptor.
struct ServerKind {
  const char* kind = nullptr;  // of dsmsg.brokers; null: none
  const char* title = "";      // for people
  const char* start = R"({"cmd":"start"})";
  bool goes_on = false;  // the consumer, after the server was killed and started again
};

/// A real server for an adaptor, started by `python -m dsmsg.brokers serve <kind>` and ended with
/// this object; reports on the terminal first. `python` is the interpreter, `python_path` the
/// folder that holds the package.
dsmsg::Result<std::unique_ptr<Target>> StartServer(const std::string& adaptor,
                                                   const ServerKind& server,
                                                   const std::string& python,
                                                   const std::string& python_path);

}  // namespace dsmsg_demo

#endif  // DSMSG_DEMO_TARGET_H_
