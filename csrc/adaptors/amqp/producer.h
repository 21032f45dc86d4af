// SPDX-License-Identifier: Apache-2.0
// Publishes messages and matches the broker's confirms with them. Up to confirm-window messages are
// in flight at a time; confirms identify them by their number on the channel.
//
// A message that the broker cannot accept closes the channel, without saying which one it was. Then
// everything unconfirmed is sent again on a new channel, one message at a time: messages the broker
// had already accepted arrive twice, and the message that closes the channel on its own is refused
// for good.
//
// A message that ends the whole connection (Broker-J: no right to publish) is refused if it was the
// only unconfirmed one. If there were several, the core sends them again one by one.
//
// A returned message (mandatory) is recognised by its message-id, which holds the token. RabbitMQ
// returns it first and then acknowledges. Broker-J rejects it first (basic.nack) and then returns
// it: so a rejected message waits for the answer to a question sent after the nack. A return comes
// before that answer, or not at all.
//
// Threads: the connection's I/O thread only. Settings, link and host outlive it.
#ifndef DSMSG_ADAPTORS_AMQP_PRODUCER_H_
#define DSMSG_ADAPTORS_AMQP_PRODUCER_H_

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "adaptors/amqp/connection.h"
#include "adaptors/amqp/settings.h"
#include "core/base/time.h"
#include "core/driver/driver.h"
#include "core/net/send_window.h"

namespace dsmsg::amqp {

class AmqpProducer {
 public:
  AmqpProducer(const AmqpSettings& settings, AmqpConnection& link, DriverHost& host);

  /// Call it after the link was opened: declares the exchange and enables confirms.
  Status Start(Deadline deadline, int cancel_fd);
  /// Call it after the link was closed: nothing is unconfirmed then. Tokens not completed stay with
  /// the core.
  void Reset();
  Status Submit(const Message& message, Token token);
  Status Poll(Millis budget, int wake_fd);

 private:
  /// A message in flight. `message` is valid until it is completed.
  struct Slot {
    Token token = 0;
    Message message;
    bool done = false;  // confirmed, but not the oldest
    Status returned;    // ok: not returned
  };
  /// A message that the broker did not accept and may return.
  struct Rejected {
    Slot slot;
    uint64_t question;  // whose answer says that it was not returned
  };
  /// With confirm=0: completed when the link has sent this many bytes.
  struct Written {
    uint64_t end;
    Token token;
  };

  Status Check(const Message& message) const;
  bool room() const;
  /// Appends the message to the unsent bytes; its body in parts, as there is room.
  bool Publish(const Message& message, Token token);
  bool AddHeader(const Message& message, Token token);
  void AddBody();
  void SendAgain();
  /// Asks the broker something that it answers in order, after everything it has said before.
  Status Ask();
  Status AskAboutRejected();
  void OnAnswer();
  /// Ends the link if the broker is silent. A broker that is only slow to confirm (a disk, a lost
  /// quorum) still answers the question that is asked first.
  Status CheckSilence();
  void CompleteWritten();

  Status ReadEvents(bool* got);
  Status OnEvent(const AmqpEvent& event);
  /// Deals with the link and its messages after Next returned the error `status`.
  Status OnConnectionClose(const Status& status);
  void OnReturn(const AmqpEvent& event);
  void OnConfirm(uint64_t tag, bool multiple, bool taken);
  void Confirm(uint64_t tag, bool taken);
  void Refuse(const Slot& slot, Code code, const std::string& why);
  void CompleteReturned(const Slot& slot);
  /// To be sent again.
  void GiveBack(const Slot& slot, const std::string& why);
  void GiveBackRejected();
  Status OnChannelClose(const amqp_channel_close_t& close);
  void Reopen();

  Slot& At(uint64_t tag) { return ring_[tag & (ring_.size() - 1)]; }
  size_t unconfirmed() const { return static_cast<size_t>(next_ - oldest_); }
  bool expecting() const {
    return !connection_.blocked() && (unconfirmed() > 0 || !rejected_.empty() || !ready_ ||
                                      !connection_.out().unsent().empty());
  }

  const AmqpSettings& settings_;
  AmqpConnection& connection_;
  DriverHost& host_;
  const std::string id_prefix_;  // prefix of message-ids, different in every process and connection

  std::vector<Slot> ring_;          // a power of two long
  uint64_t oldest_ = 1, next_ = 1;  // numbers on the channel, starting with 1
  std::deque<Slot> again_;          // to be sent one by one
  std::deque<Rejected> rejected_;
  uint64_t asked_ = 0, answered_ = 0;  // questions on this channel
  std::deque<Written> written_;
  std::string_view body_;  // rest of the last message, not yet added
  bool ready_ = false;     // the channel is open and confirms are on
  SendWindow window_;
  Status broken_;  // a write in Submit failed; Poll reports it
  std::vector<amqp_table_entry_t> headers_;
};

}  // namespace dsmsg::amqp

#endif  // DSMSG_ADAPTORS_AMQP_PRODUCER_H_
