// SPDX-License-Identifier: Apache-2.0
// The connections of one link: to a server of the connection string, which answers lookups, and to
// the brokers that have the topics. If one of them is lost, the link is: Receive and Flush fail.
//
// Threads: the link's I/O thread only; a further broker is dialled on a thread of its own
// (Background), so that one that does not answer holds up no other. Settings outlive it.
#ifndef DSMSG_ADAPTORS_PULSAR_BROKERS_H_
#define DSMSG_ADAPTORS_PULSAR_BROKERS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adaptors/pulsar/connection.h"
#include "adaptors/pulsar/settings.h"
#include "core/base/background.h"
#include "core/base/fd.h"
#include "core/net/servers.h"

namespace dsmsg::pulsar {

class Brokers {
 public:
  explicit Brokers(const PulsarSettings& settings);

  /// Tries the servers in turn, each with its share of the time.
  Status Open(Deadline deadline, int cancel_fd);
  bool open() const { return !connections_.empty() && connections_.front()->open(); }
  void Close();
  void PreferNextServer() { servers_.PreferNext(); }
  /// The one that answers lookups.
  PulsarConnection& service() { return *connections_.front(); }
  /// Called with a connection, or with the error that prevented it.
  using Reached = std::function<void(const Status&, PulsarConnection*)>;
  /// Finds the connection to the broker that a lookup named. Answers at once if there is one, else
  /// in a later Receive, when the broker was dialled: at most connect-timeout from now.
  void Reach(const Command& lookup, Reached reached);

  /// Called with the answer to a request, or with the error that ended it.
  using Answer = std::function<void(const Status&, const Command&)>;
  /// The number for a request that is sent next. An empty `answer`: it is dropped.
  uint64_t Ask(Answer answer);
  bool asking() const { return !requests_.empty(); }
  /// Ends the requests that have waited for an answer for too long.
  void Expire();

  /// Gets commands that answer no request. An error ends the link.
  using Handler = std::function<Status(const Command&)>;
  /// Reads from every connection once, without waiting, and takes those that were dialled. *got:
  /// something came.
  Status Receive(const Handler& handler, bool* got);
  Status Flush();
  Status Tend(bool expecting, bool reading = true);

  enum WaitResult : unsigned { kReadable = 1, kWoken = 2, kWritable = 4 };
  /// Waits for something to read (if `read`), for room to write where something is unsent, and for
  /// wake_fd.
  unsigned Wait(Millis budget, int wake_fd, bool read = true);
  /// Flushes, reads and hands over until `done`.
  Status Pump(Deadline deadline, int cancel_fd, const char* step, const std::function<bool()>& done,
              const Handler& handler);

 private:
  struct Request {
    Answer answer;
    Deadline until;
  };
  /// A broker that is being dialled.
  struct Dial {
    explicit Dial(WakeFd& ended) : work(ended) {}
    std::unique_ptr<PulsarConnection> connection;  // of the thread until it has ended
    std::vector<Reached> waiting;
    Background work;
  };
  void TakeAnswer(const Command& command);
  void DialBroker(const HostPort& host, const std::string& proxy_to, Reached reached);
  /// Whether a dial has ended.
  bool TakeDials();

  const PulsarSettings& settings_;
  Servers servers_;
  WakeFd dialled_;                                              // a Dial has ended
  std::vector<std::unique_ptr<PulsarConnection>> connections_;  // the first one is the service
  std::map<std::string, std::unique_ptr<Dial>> dials_;          // by address and that of the proxy
  std::map<uint64_t, Request> requests_;
  uint64_t last_request_ = 0;
};

}  // namespace dsmsg::pulsar

#endif  // DSMSG_ADAPTORS_PULSAR_BROKERS_H_
