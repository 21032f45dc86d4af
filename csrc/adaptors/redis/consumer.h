// SPDX-License-Identifier: Apache-2.0
// What all kinds of receiving (streams with and without a group, channels, lists) have in common: a
// list of unanswered commands, and received messages that the core had no room for.
//
// Threads: the connection's I/O thread only. Settings, link and host outlive it.
#ifndef DSMSG_ADAPTORS_REDIS_CONSUMER_H_
#define DSMSG_ADAPTORS_REDIS_CONSUMER_H_

#include <deque>
#include <memory>
#include <span>
#include <string>

#include "adaptors/redis/connection.h"
#include "adaptors/redis/settings.h"
#include "core/base/time.h"
#include "core/driver/driver.h"
#include "core/options/config.h"

namespace dsmsg::redis {

/// Name of a stream entry: milliseconds and sequence, "1700000000000-0".
struct EntryId {
  uint64_t ms = 0, sequence = 0;
  auto operator<=>(const EntryId&) const = default;  // NOLINT(modernize-use-nullptr)
  std::string ToString() const { return std::to_string(ms) + "-" + std::to_string(sequence); }
  static EntryId Parse(std::string_view text);
};

class RedisConsumer {
 public:
  static std::unique_ptr<RedisConsumer> Create(const RedisSettings& settings, RedisConnection& link,
                                               DriverHost& host);
  virtual ~RedisConsumer() = default;

  /// Replaces the topics. If it returns ok, everything sent from now on will be received. On an
  /// error the previous topics are in force again (driver.h).
  Status Subscribe(std::span<const std::string> topics, Deadline deadline, int cancel_fd);
  /// For channels, a topic with *, ? or [ is a pattern.
  static bool Matches(const Config& config, const std::string& filter, const std::string& topic);
  Status Poll(Millis budget, int wake_fd);
  /// Poll in parts, for those who wait for several connections at once: what is done before the
  /// wait, which lasts at most *budget and is for what *want says (WaitResult), and after it.
  Status Prepare(Millis* budget, unsigned* want);
  Status Process(unsigned ready);
  /// Nothing is unanswered, waits for room, or will be acknowledged.
  virtual bool settled() const { return asked_.empty() && pending_.empty(); }
  virtual void Ack(AckToken) noexcept {}
  virtual void Release(AckToken, InMessage&&) noexcept {}
  /// Sends pending acknowledgements before the link is closed.
  virtual void Drain(Deadline, int /*cancel_fd*/) noexcept {}
  /// The link was closed. `keep_tokens`: acknowledgements for messages delivered earlier will still
  /// come.
  virtual void Reset(bool keep_tokens);

 protected:
  enum class Kind { kPing, kRead, kAck, kCreateGroup, kGiveBack };
  struct Asked {
    Kind kind;
    size_t count = 0;  // entries in an acknowledgement
  };
  /// A message that waits for room in the core.
  struct Pending {
    InMessage message;
    const std::string* stream = nullptr;
    EntryId id;
  };

  RedisConsumer(const RedisSettings& settings, RedisConnection& link, DriverHost& host)
      : settings_(settings), connection_(link), host_(host) {}

  /// Makes the server send what arrives on `topics`, all of them or none. If may_interrupt(),
  /// nothing is unanswered when it is called.
  virtual Status Begin(std::span<const std::string> topics, Deadline deadline, int cancel_fd) = 0;
  /// Appends the commands that are due. `room`: the core takes more messages.
  virtual void Ask(bool room) = 0;
  /// A reply to the oldest unanswered command.
  virtual Status Answer(const Asked& asked, const Reply& reply) = 0;
  /// The name under which the core acknowledges the next message, and the notice that it was
  /// accepted.
  virtual AckToken NextToken() { return 1; }
  virtual void Delivered(const Pending&) {}
  /// Handles every reply; channels override it because their messages come unsolicited.
  virtual Status OnReply(const Reply& reply);
  virtual bool reads_when_full() const { return true; }
  /// A pending read may be ended by closing the connection, because the server keeps what it would
  /// have returned.
  virtual bool may_interrupt() const { return true; }

  static bool IsPattern(const std::string& topic);
  static bool MatchesChannel(const std::string& filter, const std::string& topic);
  void Push(Kind kind, size_t count = 0);
  bool reading() const { return reads_ > 0; }
  void AskForMore(bool room);
  /// Reads once and processes the replies.
  Status ReadReplies(bool* got);
  bool DeliverPending();
  /// A stream's entry, from its fields and values.
  InMessage MessageOf(std::string_view stream, const EntryId& id, const Reply& reply,
                      size_t fields) const;
  Status ReplyError(const std::string& what, std::string_view text) const;

  const RedisSettings& settings_;
  RedisConnection& connection_;
  DriverHost& host_;
  std::deque<Asked> asked_;
  size_t reads_ = 0;  // reads among asked_
  /// When the last read was sent, and when the next one may be.
  Deadline read_asked_{}, read_due_{};
  std::deque<Pending> pending_;
  bool room_ = false;  // the core takes more messages, as far as the last Deliver said
  Status broken_;      // Subscribe lost the link; Poll reports it

  // How long the server may block a read when there is nothing to read.
  static constexpr Millis kBlock{1000};
};

}  // namespace dsmsg::redis

#endif  // DSMSG_ADAPTORS_REDIS_CONSUMER_H_
