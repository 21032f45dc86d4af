// SPDX-License-Identifier: Apache-2.0
// The sending half of a connection: PUSH, PUB (an XPUB socket, so that subscriptions are seen) or
// REQ.
//
// Threads: the connection's I/O thread only. Settings and host outlive it.
#ifndef DSMSG_ADAPTORS_ZMQ_PRODUCER_H_
#define DSMSG_ADAPTORS_ZMQ_PRODUCER_H_

#include <deque>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "adaptors/zmq/settings.h"
#include "adaptors/zmq/socket.h"
#include "core/base/time.h"
#include "core/driver/driver.h"

namespace dsmsg::zmq {

class ZmqProducer {
 public:
  static std::unique_ptr<ZmqProducer> Create(const ZmqSettings& settings, DriverHost& host);
  virtual ~ZmqProducer() = default;

  Status Open(Deadline deadline, int cancel_fd);
  virtual Status Submit(const Message& message, Token token) = 0;
  /// Does what can be done now. *progress: something was done, or there may be room for what was
  /// not taken before. Not ok: the link is lost.
  virtual Status Work(bool* progress) = 0;
  /// The latest time for the next Work.
  virtual Deadline NextWork() const { return Deadline::max(); }
  void AddTo(std::vector<pollfd>* fds) const { socket_.AddTo(fds); }
  /// Drops what was submitted. libzmq keeps sending what it holds for `linger`.
  virtual void Close(Millis linger, Millis patience);

 protected:
  ZmqProducer(const ZmqSettings& settings, DriverHost& host, const ZmqSocket::Kind& kind)
      : settings_(settings), host_(host), socket_(settings, host.log(), kind) {}

  /// Sets options specific to the kind, between creating and opening the socket.
  virtual Status Prepare() { return {}; }
  const std::vector<std::string_view>& FramesOf(const Message& message);

  const ZmqSettings& settings_;
  DriverHost& host_;
  ZmqSocket socket_;
  bool blocked_ = false;  // a message was not taken
  Status broken_;         // the socket failed: Work reports it

 private:
  std::vector<std::string_view> frames_;
};

/// Done when libzmq has accepted it.
class ZmqPushProducer final : public ZmqProducer {
 public:
  ZmqPushProducer(const ZmqSettings& settings, DriverHost& host);
  Status Submit(const Message& message, Token token) override;
  Status Work(bool* progress) override;
};

/// Done when libzmq has accepted it; counts messages without a subscriber.
class ZmqPubProducer final : public ZmqProducer {
 public:
  ZmqPubProducer(const ZmqSettings& settings, DriverHost& host);
  Status Submit(const Message& message, Token token) override;
  Status Work(bool* progress) override;
  Deadline NextWork() const override;
  void Close(Millis linger, Millis patience) override;

 private:
  Status Prepare() override;
  Status ReadSubscriptions();
  bool HasSubscriber(std::string_view topic) const;

  std::vector<std::string> received_;
  std::set<std::string> subscriptions_;  // beginnings of topics
};

/// One request after the other; done when its reply has come. If a reply does not come in time, the
/// socket is replaced, because a REQ socket cannot ask again.
class ZmqReqProducer final : public ZmqProducer {
 public:
  ZmqReqProducer(const ZmqSettings& settings, DriverHost& host);
  Status Submit(const Message& message, Token token) override;
  Status Work(bool* progress) override;
  Deadline NextWork() const override;
  void Close(Millis linger, Millis patience) override;

 private:
  Status Prepare() override;
  Status Transmit();
  Status TakeReply(bool* got);
  Status AskAgain();

  std::deque<std::pair<Message, Token>> requests_;  // the first one is in flight
  bool asked_ = false;                              // and on its way
  int64_t repeats_ = 0;
  Deadline reply_due_ = Deadline::max();
  std::vector<std::string> reply_;
};

}  // namespace dsmsg::zmq

#endif  // DSMSG_ADAPTORS_ZMQ_PRODUCER_H_
