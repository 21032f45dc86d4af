// SPDX-License-Identifier: Apache-2.0
// The receiving half of a connection: SUB, PULL or REP. A message of two frames is a topic and a
// payload, one of a single frame has the topic "".
//
// Threads: the connection's I/O thread only. Settings and host outlive it.
#ifndef DSMSG_ADAPTORS_ZMQ_CONSUMER_H_
#define DSMSG_ADAPTORS_ZMQ_CONSUMER_H_

#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "adaptors/zmq/settings.h"
#include "adaptors/zmq/socket.h"
#include "core/base/time.h"
#include "core/driver/driver.h"

namespace dsmsg::zmq {

class ZmqConsumer {
 public:
  ZmqConsumer(const ZmqSettings& settings, DriverHost& host);

  /// Binds or connects; nothing is delivered before Subscribe.
  Status Open(Deadline deadline, int cancel_fd);
  bool open() const { return socket_.open(); }
  /// SUB: replaces the wanted topic prefixes, all or none. PULL and REP get everything that is
  /// sent.
  Status Subscribe(std::span<const std::string> topics);
  /// Delivers what is there. Not ok: the link is lost, and nothing is left to deliver.
  Status Work(bool* progress);
  void AddTo(std::vector<pollfd>* fds) const { socket_.AddTo(fds); }
  /// REP: replies.
  void Ack(AckToken token) noexcept;
  void Close(Millis linger, Millis patience);

 private:
  Status Read(bool* progress);
  bool DeliverPending();
  InMessage MessageOf(std::vector<std::string>* frames);

  const ZmqSettings& settings_;
  DriverHost& host_;
  ZmqSocket socket_;
  bool subscribed_ = false;
  std::set<std::string> topics_;      // SUB: subscribed to
  std::optional<InMessage> pending_;  // the core has no room for it
  AckToken last_token_ = 0;
  bool replying_ = false;  // REP: a request was delivered and not answered
  std::vector<std::string> frames_;
};

}  // namespace dsmsg::zmq

#endif  // DSMSG_ADAPTORS_ZMQ_CONSUMER_H_
