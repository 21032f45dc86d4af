// SPDX-License-Identifier: Apache-2.0
// An accepted message on its way through the core: its bytes and what is owed to the host for it.
// Values: owned by one thread or by the queue at a time.
#ifndef DSMSG_CORE_QUEUE_OUTGOING_H_
#define DSMSG_CORE_QUEUE_OUTGOING_H_

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/buffer.h"
#include "core/base/status.h"
#include "core/base/time.h"
#include "core/driver/message.h"
#include "core/observe/books.h"
#include "core/observe/ledger.h"
#include "nvds_msgapi.h"

namespace dsmsg {

/// Where a synchronous send waits. Shared by the sender and the queue; thread-safe.
class SyncWaiter {
 public:
  void Finish(Status status);
  /// False when `deadline` passed first.
  bool WaitUntil(Deadline deadline);
  Status status() const;  // after WaitUntil returned true

 private:
  mutable std::mutex mutex_;
  std::condition_variable done_cv_;
  bool done_ = false;
  Status status_;
};

/// To whom the outcome of a message is told: a callback (may be null) or a waiting sender.
struct Recipient {
  nvds_msgapi_send_cb_t callback = nullptr;
  void* user_ptr = nullptr;
  std::shared_ptr<SyncWaiter> waiter;
};

struct Outgoing {
  Buffer buffer;  // payload, topic, NUL, key, headers: the views of `message` point into it
  Recipient recipient;
  Clock::time_point accepted_at;
  uint64_t spool_id = 0;        // not 0: came from the spool and has no recipient
  uint64_t sequence = 0;        // its place among the queue's messages; 0: at the end
  bool behind_spool = false;    // older messages of its key are in the spool: it waits for those
  Place place = Place::kHost;   // where the books have it
  bool dead_letter = false;     // a copy of a refused message, on its way to dead-letter-topic
  uint8_t losses = 0;           // connections that ended with it in flight
  uint8_t blames = 0;           // of these: alone in flight, and the server was back at once
  Clock::duration leniency{0};  // the queue's, when it was accepted
  Message message;              // without attempt
  std::vector<Header> headers;
  // Where its number goes when it is accepted; null: it gets none.
  Ledger::Source* ledger_source = nullptr;
  char* ledger_mark = nullptr;

  /// It may be what ends the connections: it goes alone.
  bool suspect() const { return losses >= 2 || blames > 0; }

  size_t bytes() const { return buffer.size(); }
  std::string_view order_key() const { return message.has_key ? message.key : std::string_view(); }
  Ledger::Carrier carrier() const { return {headers, message.payload}; }
};

/// An outcome to tell.
struct Finished {
  Recipient recipient;
  Status status;
  uint64_t spool_id = 0;                       // of a message that came from the spool
  bool dropped = false;                        // ended by the core, not by the broker's answer
  std::unique_ptr<Outgoing> letter = nullptr;  // a dead letter that will not reach its topic
};

/// The end of a message that the core gives up on; a dead letter's bytes go along.
inline Finished GiveUp(Outgoing&& outgoing, Status status) {
  Finished finished{std::move(outgoing.recipient), std::move(status), outgoing.spool_id, true};
  if (outgoing.dead_letter) {
    finished.letter = std::make_unique<Outgoing>(std::move(outgoing));
    finished.letter->message.headers = finished.letter->headers;  // it may never have been queued
  }
  return finished;
}

}  // namespace dsmsg

#endif  // DSMSG_CORE_QUEUE_OUTGOING_H_
