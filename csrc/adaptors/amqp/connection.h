// SPDX-License-Identifier: Apache-2.0
// One connection to a broker, with one channel, and a second one for calls that may be refused
// without harm to the first: dialling and login, frames out and in, heartbeats, connection.blocked,
// and detecting a silent broker. Producer and consumer decide what is published and consumed over
// it. It never blocks: rabbitmq-c encodes and decodes (frames.h), the socket is read and written
// here, without waiting.
//
// Threads: the connection's I/O thread only. Settings and log outlive it.
#ifndef DSMSG_ADAPTORS_AMQP_CONNECTION_H_
#define DSMSG_ADAPTORS_AMQP_CONNECTION_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "adaptors/amqp/frames.h"
#include "adaptors/amqp/settings.h"
#include "core/base/log.h"
#include "core/base/time.h"
#include "core/net/hints.h"
#include "core/net/servers.h"
#include "core/net/silence.h"
#include "core/net/stream.h"

namespace dsmsg::amqp {

/// A method of a channel, with its content where it has one.
struct AmqpEvent {
  uint16_t channel = 0;
  amqp_method_number_t id = 0;
  const void* method = nullptr;  // without content: valid until the next call of Next
  // basic.deliver and basic.return:
  uint64_t delivery_tag = 0;
  uint16_t reply_code = 0;
  std::string reply_text, routing_key, message_id, body;
  // basic.deliver:
  bool redelivered = false;
  int64_t timestamp_ms = -1;                                 // -1: none
  std::vector<std::pair<std::string, std::string>> headers;  // those with a text or a number
};

class AmqpConnection {
 public:
  AmqpConnection(const AmqpSettings& settings, Logger& log)
      : settings_(settings),
        log_(log),
        servers_(settings.hosts, "brokers"),
        silence_(settings.silence_limit) {}

  /// Tries the brokers in turn, beginning with the one after the last that worked and then failed:
  /// dial, TLS, login, vhost, channel. Each gets its share of the time. `role` becomes part of the
  /// connection's name that the broker shows.
  Status Open(const std::string& role, Deadline deadline, int cancel_fd);
  bool open() const { return stream_.open(); }
  /// With a deadline: says goodbye and waits for the answer until then.
  void Close();
  void Close(Deadline deadline, int cancel_fd);
  void PreferNextBroker() { servers_.PreferNext(); }
  /// "localhost:5672": the broker in use.
  const std::string& name() const { return name_; }

  // Sending. Flush writes as much of what was added as the socket takes now.
  FrameWriter& out() { return out_; }
  static constexpr uint16_t kChannel = 1;
  /// Opened by OpenSide. A refusal on it closes nothing else.
  static constexpr uint16_t kSideChannel = 2;
  /// A method on a channel.
  Status Send(amqp_method_number_t id, const void* method, uint16_t channel = kChannel);
  Status Flush();
  /// All bytes added so far, and how many of them the socket took.
  uint64_t added() const { return sent_ + out_.unsent().size(); }
  uint64_t sent() const { return sent_; }

  enum WaitResult : unsigned { kReadable = 1, kWoken = 2, kWritable = 4 };
  /// Waits for something to read (or returns at once when Next has something), for room to write if
  /// something is unsent, for wake_fd (-1: none), and not longer than until the next heartbeat is
  /// due.
  unsigned Wait(Millis budget, int wake_fd);
  /// Reads once, without waiting. *got: something came, or the connection has ended and earlier
  /// data must still be processed.
  Status Receive(bool* got);
  /// The next completely received method of a channel. A channel.close has already been answered.
  /// An error: the broker ends the connection, and close_code() says why.
  Status Next(AmqpEvent* event, bool* have);
  /// The reply code with which the broker ended the connection; 0: it did not.
  uint16_t close_code() const { return close_code_; }

  /// Handles methods that come while Call waits for its own.
  using OtherEvents = std::function<void(AmqpEvent&)>;
  /// Sends a method on a channel and waits for `answer`. `what`: "declare the exchange \"x\"",
  /// for errors. When the broker refuses, the channel is closed.
  Status Call(amqp_method_number_t id, const void* method, amqp_method_number_t answer,
              const std::string& what, Deadline deadline, int cancel_fd,
              const OtherEvents& others = {}, uint16_t channel = kChannel);
  /// The same without sending; also returns the answer.
  Status WaitFor(amqp_method_number_t answer, const std::string& what, Deadline deadline,
                 int cancel_fd, AmqpEvent* event, const OtherEvents& others = {},
                 uint16_t channel = kChannel);
  /// Opens kSideChannel unless it is open. Returns the channel for calls that may be refused:
  /// kChannel if the broker allows no second one.
  Result<uint16_t> OpenSide(Deadline deadline, int cancel_fd, const OtherEvents& others);
  bool has_side() const { return channel_max_ != 1; }
  /// Declares settings.exchange if exchange-type is set.
  Status DeclareExchange(Deadline deadline, int cancel_fd);

  /// The broker accepts no messages: it is out of memory or disk.
  bool blocked() const { return blocked_; }

  /// Sends a heartbeat when one is due; kTimeout when the broker's have not come. Call it in every
  /// turn.
  Status ServeHeartbeat();
  /// Call it when an answer becomes due that was not before.
  void BeginExpecting() { silence_.BeginExpecting(); }
  /// kTimeout if for the silence limit nothing was received and the socket took nothing that it had
  /// refused before. Call it after Receive found nothing. *quiet (may be null): half of that time
  /// has passed, for the first time since something came.
  Status CheckSilence(bool* quiet = nullptr);

 private:
  Status OpenOne(const HostPort& host, const std::string& role, Deadline deadline, int cancel_fd);
  Status LogIn(const std::string& role, Deadline deadline, int cancel_fd);
  Status SendStartOk(const std::string& role, std::string_view mechanisms);
  Status Tune(const amqp_connection_tune_t& tune);
  Status OnConnectionMethod(const AmqpFrame& frame, AmqpEvent* event, bool* have);
  Status OnConnectionClose(const amqp_connection_close_t& close);
  bool OnContent(const AmqpFrame& frame, AmqpEvent* event);
  /// What is known about the broker, for advice.
  Peer peer() const;
  Status Lost(const std::string& why) const;
  Status NotAmqp() const;
  std::string LoginRefusedAdvice() const;

  const AmqpSettings& settings_;
  Logger& log_;
  Stream stream_;
  Servers servers_;
  SilenceWatch silence_;
  FrameWriter out_;
  FrameReader in_;
  std::string name_;

  AmqpEvent content_;  // being received
  uint64_t body_left_ = 0;
  bool has_header_ = false;

  bool greeted_ = false;  // the broker has begun the login
  bool opened_ = false;   // the channel is open
  bool side_open_ = false;
  uint16_t channel_max_ = 0;  // agreed; 0: no limit
  bool logged_in_ = false, blocked_ = false, broken_ = false;
  uint16_t close_code_ = 0;
  Millis heartbeat_{0};  // agreed; 0: none
  uint64_t sent_ = 0;
  Deadline last_send_{};
  bool unread_ = false;  // data was received that Next has not examined
  bool quiet_ = false;   // what CheckSilence reported
};

}  // namespace dsmsg::amqp

#endif  // DSMSG_ADAPTORS_AMQP_CONNECTION_H_
