// SPDX-License-Identifier: Apache-2.0
// One connection to a NATS server: dialling, TLS and login, bytes in and out, requests to
// JetStream, and detecting a silent server. What messages mean is known to producer and consumers.
//
// Threads: the connection's I/O thread only. Settings and logger outlive it.
#ifndef DSMSG_ADAPTORS_NATS_CONNECTION_H_
#define DSMSG_ADAPTORS_NATS_CONNECTION_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "adaptors/nats/api.h"
#include "adaptors/nats/settings.h"
#include "adaptors/nats/wire.h"
#include "core/base/log.h"
#include "core/base/time.h"
#include "core/net/hints.h"
#include "core/net/servers.h"
#include "core/net/silence.h"
#include "core/net/stream.h"

namespace dsmsg::nats {

class NatsConnection {
 public:
  NatsConnection(const NatsSettings& settings, Logger& log);

  /// Tries the servers in turn, beginning with the one after the last that worked and then failed:
  /// dial, INFO, TLS, CONNECT, a subscription to inbox(), PING. Each gets its share of the time.
  Status Open(Deadline deadline, int cancel_fd);
  bool open() const { return stream_.open(); }
  void Close();
  void PreferNextServer() { servers_.PreferNext(); }
  /// "localhost:4222": the server in use.
  const std::string& name() const { return name_; }
  const ServerInfo& info() const { return info_; }

  /// Begins the subjects of answers, different for each object; what is sent to any subject under
  /// it arrives.
  const std::string& inbox() const { return inbox_; }

  /// Operations to be sent; Flush sends them.
  std::string& out() { return out_; }
  size_t unsent() const { return out_.size() - sent_; }
  /// Sends a PING with the next Flush, and returns its number: pongs() has reached it once it is
  /// answered, and with it all that was sent before.
  uint64_t Ping();
  uint64_t pongs() const { return pongs_; }
  /// Writes what the socket takes now. Also ok if the server has closed the connection and there is
  /// still something to read, which may say why.
  Status Flush();

  enum WaitResult : unsigned { kReadable = 1, kWoken = 2, kWritable = 4 };
  /// Waits for something to read (if `read`), for room to write if something is unsent, and for
  /// wake_fd (-1: none).
  unsigned Wait(Millis budget, int wake_fd, bool read = true);

  /// Reads once, without waiting. *got: something came.
  Status Receive(bool* got);
  /// The next message, PONG or refused permission; kNone: nothing complete is there. The rest is
  /// handled here. An error: the connection is useless.
  Status Next(Op* op);

  using Handler = std::function<Status(const Op&)>;
  /// Sends a request and waits for the answer, which is put into *json; `other` gets what else
  /// comes. The status is also the error in the answer; *number: its err_code.
  Status Ask(const std::string& subject, std::string_view body, Deadline deadline, int cancel_fd,
             const Handler& other, std::string* json, int* number = nullptr);
  /// Waits until the server has processed all that was sent.
  Status AwaitPong(Deadline deadline, int cancel_fd, const Handler& other);

  /// Call it often: keeps an idle connection alive, and notices a server that is silent although it
  /// owes an answer. `expecting`: something is to come.
  Status Tend(bool expecting);

 private:
  Status OpenOne(const HostPort& host, Deadline deadline, int cancel_fd);
  Status ReadGreeting(Deadline deadline, int cancel_fd);
  Status CheckTls() const;
  Status LogIn(Deadline deadline, int cancel_fd);
  /// Flushes, reads and hands over what comes until `done`.
  Status Pump(Deadline deadline, int cancel_fd, const char* step, const std::function<bool()>& done,
              const Handler& handler);
  /// What is known about the server, for advice.
  Peer peer() const;
  Status Lost(const std::string& why) const;
  Status Broken() const;
  bool SomethingToRead();
  Status TakeError(std::string_view text) const;

  const NatsSettings& settings_;
  Logger& log_;
  Stream stream_;
  Servers servers_;
  SilenceWatch silence_;
  std::string out_;
  size_t sent_ = 0;  // of out_
  OpReader reader_;
  ServerInfo info_;
  std::string name_, inbox_;
  uint64_t pings_ = 0, pongs_ = 0;  // over all connections
  uint64_t requests_ = 0;
  bool greeted_ = false;  // INFO came on this connection
  bool opening_ = false;  // until the login is done
};

}  // namespace dsmsg::nats

#endif  // DSMSG_ADAPTORS_NATS_CONNECTION_H_
