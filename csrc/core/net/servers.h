// SPDX-License-Identifier: Apache-2.0
// The servers that a connection string names, tried in turn.
//
// Threads: one at a time (the connection's I/O thread).
#ifndef DSMSG_CORE_NET_SERVERS_H_
#define DSMSG_CORE_NET_SERVERS_H_

#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/base/time.h"
#include "core/net/hints.h"
#include "core/options/conn_string.h"

namespace dsmsg {

class Servers {
 public:
  /// `kind`: "brokers", for the error when none can be used. `hosts` outlives it.
  Servers(const std::vector<HostPort>& hosts, const char* kind) : hosts_(hosts), kind_(kind) {}

  using OpenOne = std::function<Status(const HostPort&, Deadline)>;
  /// Calls `open` with one server after the other until it succeeds, beginning with the one that
  /// worked last, each with its share of the time. `close` is called after each failure. The error
  /// names the cause for each server; it is retryable if that of one server is.
  Status Open(Deadline deadline, const OpenOne& open, const std::function<void()>& close);

  /// The next Open begins with another server: this one turned out to be unusable.
  void PreferNext() { ++first_; }

  /// A login at the server of this name ("localhost:6379") succeeded.
  void Worked(const std::string& name) { worked_.insert(name); }
  /// How much it has answered, for advice. `heard`: something, on this connection.
  Answered AnsweredBy(const std::string& name, bool heard) const;

 private:
  const std::vector<HostPort>& hosts_;
  const char* const kind_;
  size_t first_ = 0;              // index of the server to begin with
  std::set<std::string> worked_;  // names
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_NET_SERVERS_H_
