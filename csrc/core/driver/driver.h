// SPDX-License-Identifier: Apache-2.0
// What an adaptor implements (Driver) and what it gets from the core (DriverHost). A driver maps
// one client library's calls and error codes; queueing, retries, reconnecting, timeouts, callbacks
// and metrics are the session's.
//
// Threads: Configure runs first, on the thread that connects, subscribes or reloads. Everything
// else runs on one I/O thread of the core, one call at a time, with SIGPIPE blocked.
//
// The core implements the option `linger` (DriverInfo.linger_option), a driver only declares it:
// messages are submitted together, the first of them at most `linger` after it was accepted. At a
// few hundred messages a second the cost is in waking threads; a burst shares each wake-up.
#ifndef DSMSG_CORE_DRIVER_DRIVER_H_
#define DSMSG_CORE_DRIVER_DRIVER_H_

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/base/log.h"
#include "core/base/status.h"
#include "core/base/time.h"
#include "core/driver/message.h"
#include "core/options/config.h"
#include "core/options/conn_string.h"
#include "core/options/driver_info.h"

namespace dsmsg {

/// What a connection is for. Drivers with separate roles get one instance (and I/O thread) for
/// each.
enum class Role { kProducer, kConsumer, kBoth };

/// Given to the driver's constructor; outlives it. Every function may be called from any thread,
/// including from inside Submit, Poll and Open, never blocks and takes no lock that a driver could
/// hold.
class DriverHost {
 public:
  /// Ends a submitted message: ok = acknowledged. A retryable status gives it back to the queue (to
  /// be submitted again, after a pause); any other ends it with an error. A second call for a token
  /// is ignored.
  virtual void Complete(Token token, const Status& status) noexcept = 0;
  /// Hands over a received message. kWouldBlock: there is no room, `message` is unchanged; stop
  /// reading and offer it again in a later Poll (the wake descriptor becomes readable when there is
  /// room).
  virtual Status Deliver(InMessage&& message, AckToken token) noexcept = 0;
  /// For RetryOwner::kLibrary: the broker is reachable again / no broker can be reached (once per
  /// failed attempt; the core counts attempts). Core-retried drivers only return a status from
  /// Poll.
  virtual void LinkUp() noexcept = 0;
  virtual void LinkDown(const Status& reason) noexcept = 0;
  /// For RetryOwner::kLibrary, before Poll returns an error: the broker ends connections over
  /// messages that are in flight. Without this call the core does not suspect them.
  virtual void LostOverMessages() noexcept {}
  /// Owns the memory of every message that was submitted and is not completed, until the last copy
  /// is gone: for a library that may read it after Close. null: no memory for that, so the driver
  /// has to wait.
  virtual std::shared_ptr<const void> HoldInFlight() noexcept { return nullptr; }
  /// A message was taken although it has no receiver (stats: no_receiver). It still needs its
  /// Complete.
  virtual void CountUnheard() noexcept {}
  virtual Logger& log() noexcept = 0;

 protected:
  ~DriverHost() = default;
};

class Driver {
 public:
  virtual ~Driver() = default;

  /// Checks and keeps the settings; no I/O. An error makes connect() fail in every connect mode.
  virtual Status Configure(const Endpoints& endpoints, const Config& config) = 0;

  /// One attempt to get a working link (name, TCP, TLS, authentication, first answer of the
  /// broker), ended by `deadline` (kTimeout) or by cancel_fd becoming readable (kCancelled). The
  /// error names the step that failed. kAuth and other permanent codes mean that trying again soon
  /// is pointless. May be called again after Close.
  virtual Status Open(Role role, Deadline deadline, int cancel_fd) = 0;

  /// Takes one message. Never blocks. kWouldBlock: not taken, offered again after the next Poll.
  /// Any other error ends this message only (as Complete would). Ok: the driver will call Complete
  /// once, perhaps inside Submit.
  virtual Status Submit(const Message& message, Token token) = 0;

  /// Does I/O: writes out what was submitted, reads, completes. Waits at most `budget` for
  /// something to do and returns early when wake_fd is readable (the core drains it). An error
  /// means that the link is lost and the core is to Close and Open again.
  virtual Status Poll(Millis budget, int wake_fd) = 0;

  /// The link works but is to be made anew, because its login will expire: nothing more is
  /// submitted, and once nothing is in flight the core closes and opens it at once, which is no
  /// outage.
  virtual bool WantsReopen() const noexcept { return false; }

  /// Makes `topics` (none: nothing) the set whose messages are delivered, by `deadline` (kTimeout)
  /// or until Open's cancel_fd is readable (kCancelled). Called after every Open of a consumer role
  /// while there is a subscription, and whenever the host replaces it.
  ///
  /// All or nothing: on an error what was subscribed before is in force again. If the broker
  /// accepted some of the topics, the driver gives them up again, and no message that waits for the
  /// previous set is lost. If that is impossible (the link is lost, the broker does not answer),
  /// the next Poll fails, and the core reopens the link and subscribes to the previous set.
  ///
  /// It delivers nothing. Messages read meanwhile are kept and delivered later, if the set then in
  /// force has their topic. After ok, nothing of a topic no longer subscribed to is delivered.
  ///
  /// A driver that only sends leaves Subscribe, Ack and Release out and sets
  /// DriverInfo.separate_roles to false: subscribe then answers ERR with this text, and sending
  /// continues.
  virtual Status Subscribe(std::span<const std::string> topics, Deadline /*deadline*/) {
    if (topics.empty()) return {};
    return {Code::kNotSupported, "this adaptor only sends: nothing can be received with it"};
  }

  /// The host's callback for a delivered message has returned.
  virtual void Ack(AckToken /*token*/) noexcept {}
  /// No callback will see this delivered message: its topic was given up. It is not acknowledged,
  /// and goes back where the protocol can do that. kNoToken: it came before the last Open.
  virtual void Release(AckToken /*token*/, InMessage&& /*message*/) noexcept {}

  /// Ends the link. Waits at most `drain` for acknowledgements of the consumer side to get out;
  /// bounded otherwise by 400 ms whatever the broker does. Afterwards the driver touches no
  /// submitted message whose memory it does not hold (HoldInFlight). Tokens not completed by then
  /// stay with the core. May be called when not open.
  virtual void Close(Millis drain, int cancel_fd) noexcept = 0;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_DRIVER_DRIVER_H_
