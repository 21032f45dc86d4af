// SPDX-License-Identifier: Apache-2.0
// Sends messages as HTTP requests, several at a time (transfers.h). Messages of one key, or topic,
// share a lane, in which one request follows the other: they stay in order. Lanes with messages
// take turns for the slots, each of which has one request.
//
// Threads: the connection's I/O thread only. Settings and host outlive it.
#ifndef DSMSG_ADAPTORS_HTTP_SENDER_H_
#define DSMSG_ADAPTORS_HTTP_SENDER_H_

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "adaptors/http/request.h"
#include "adaptors/http/transfers.h"
#include "core/driver/driver.h"
#include "core/net/send_window.h"
#include "core/net/servers.h"
#include "core/net/stream.h"

namespace dsmsg::http {

class HttpSender {
 public:
  HttpSender(const HttpSettings& settings, DriverHost& host);

  Status Open(Deadline deadline, int cancel_fd);
  Status Submit(const Message& message, Token token);
  Status Poll(Millis budget, int wake_fd);
  /// Nothing that was submitted is touched afterwards.
  void Close();

 private:
  struct Lane {
    std::deque<Item> waiting;
    bool listed = false;  // in ready_, or a slot has it
  };
  struct Slot {
    std::unique_ptr<Request> request;  // made when it is needed
    Lane* lane = nullptr;              // whose messages are under way; null: none
  };

  Status OpenOne(const HostPort& server, Deadline deadline, int cancel_fd);
  Status Dial(Deadline deadline, int cancel_fd);
  Status Probe(Deadline deadline, int cancel_fd);
  Status Check(const Item& item) const;
  void Begin(Slot* slot);
  void BeginAll();
  /// Ends what has an answer. Whether something had.
  bool EndAnswered();
  /// How long Poll may wait for an answer.
  Millis Patience(Deadline until) const;
  void End(Slot* slot, const Verdict& verdict);
  void Settle(Lane* lane, std::vector<Item>* items, const Verdict& verdict);
  void Break(const Verdict& verdict);
  /// What was not sent, and of what was sent all that is not to blame.
  void GiveBack(bool sent);
  /// Whether requests under way have had their time to end.
  bool drained() const;
  /// Whether the server, or the network, ends a connection that nothing was sent on.
  void HearWitness();
  /// Asks the probe when nothing was heard for a while, and takes the answer.
  void Watch();
  void EndProbe(const Verdict& verdict);
  bool idle() const;
  Lane* LaneOf(const Message& message);

  const HttpSettings& settings_;
  DriverHost& host_;
  Servers servers_;
  Site site_;  // outlives the connections of transfers_
  Transfers transfers_;
  std::vector<Slot> slots_;
  std::vector<Lane> lanes_;
  std::deque<Lane*> ready_;  // have messages, and no request
  SendWindow window_;
  size_t held_ = 0;        // messages in lanes
  Deadline resume_{};      // nothing is sent before
  Deadline heard_{};       // when the server last answered
  bool doubtful_ = false;  // a connection ended over messages; kept over Close
  Stream witness_;         // after that, until something is sent
  Deadline witness_until_{};
  std::unique_ptr<Request> probe_;
  bool probing_ = false;
  Status broken_;  // Poll reports it, once what is under way has ended
  bool blameless_ = true;
  Deadline drain_until_{};
};

}  // namespace dsmsg::http

#endif  // DSMSG_ADAPTORS_HTTP_SENDER_H_
