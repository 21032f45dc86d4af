// SPDX-License-Identifier: Apache-2.0
// One connection to a Pulsar broker (or proxy): dialling, TLS and login, bytes in and out, and
// detecting a silent broker. Which of them are needed is known to Brokers.
//
// Threads: the link's I/O thread only. Settings outlive it.
#ifndef DSMSG_ADAPTORS_PULSAR_CONNECTION_H_
#define DSMSG_ADAPTORS_PULSAR_CONNECTION_H_

#include <cstdint>
#include <string>

#include "adaptors/pulsar/settings.h"
#include "adaptors/pulsar/wire.h"
#include "core/base/time.h"
#include "core/net/hints.h"
#include "core/net/silence.h"
#include "core/net/stream.h"

namespace dsmsg::pulsar {

class PulsarConnection {
 public:
  explicit PulsarConnection(const PulsarSettings& settings);

  /// Dials, TLS, CONNECT. `proxy_to`: the broker ("host:port") that the proxy at `host` is to
  /// connect us with; empty: none. `before`: how much `host` has answered on earlier connections.
  Status Open(const HostPort& host, const std::string& proxy_to, Answered before, Deadline deadline,
              int cancel_fd);
  void Close();
  bool open() const { return stream_.open(); }
  /// "localhost:6650".
  const std::string& name() const { return name_; }
  const HostPort& host() const { return host_; }
  const std::string& proxy_to() const { return proxy_to_; }
  /// Largest payload with its metadata that the broker takes.
  size_t max_message_size() const { return max_message_size_; }
  /// The broker said something on this connection.
  bool heard() const { return heard_; }

  /// Frames to be sent; Flush sends them.
  std::string& out() { return out_; }
  size_t unsent() const { return out_.size() - sent_; }
  /// Writes what the socket takes now. Also ok if the broker has closed the connection and there is
  /// still something to read, which may say why.
  Status Flush();

  int fd() const { return stream_.fd(); }
  bool buffered() const { return stream_.buffered(); }
  short read_events() const { return stream_.read_events(); }
  short write_events() const { return stream_.write_events(); }

  /// Reads once, without waiting. *got: something came.
  Status Receive(bool* got);
  /// The next command that is not about the connection itself; kNone: nothing complete is there.
  Status Next(Command* command);
  /// Call it often: asks an idle broker for a sign of life, and notices a silent one. `expecting`:
  /// something is to come. `reading`: what comes is read now.
  Status Tend(bool expecting, bool reading);

 private:
  Status Handshake(Deadline deadline, int cancel_fd);
  Status TakeRefusal(const Command& command) const;
  Status SendLogin();
  Peer peer() const;
  Status Lost(const std::string& why) const;
  Status Broken() const;
  bool SomethingToRead();

  const PulsarSettings& settings_;
  Stream stream_;
  SilenceWatch silence_;
  HostPort host_;
  std::string name_, proxy_to_, out_;
  size_t sent_ = 0;  // of out_
  FrameReader reader_;
  size_t max_message_size_ = 0;
  uint64_t pings_ = 0, pongs_ = 0;
  Deadline asked_{};  // when the last PING was written
  Answered before_ = Answered::kNever;
  bool heard_ = false;
  bool connected_ = false;  // CONNECTED came
};

}  // namespace dsmsg::pulsar

#endif  // DSMSG_ADAPTORS_PULSAR_CONNECTION_H_
