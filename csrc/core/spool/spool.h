// SPDX-License-Identifier: Apache-2.0
// The spool (store and forward) of one connection: messages on disk that memory cannot hold or must
// not lose. What OnSpooled named survives kill -9 at any instruction (with sync_full a power cut
// too) and stays until MarkDelivered; a process that dies between the broker's acknowledgement and
// the delete delivers it again after the restart: duplicates, never a loss.
//
// Threads: every function from any thread; only Flush and Close wait, and not past their deadline.
// The spool's own thread does all disk work, so a slow or hanging disk blocks no other thread; when
// it hangs past Close, the thread is left behind and touches neither listener nor logger any more.
//
// Memory: bounded whatever the disk does. Messages wait for their commit in at most pending_bytes,
// and about prefetch_bytes are ready for Fetch.
#ifndef DSMSG_CORE_SPOOL_SPOOL_H_
#define DSMSG_CORE_SPOOL_SPOOL_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/log.h"
#include "core/base/status.h"
#include "core/base/time.h"
#include "core/spool/spool_message.h"

namespace dsmsg {

struct SpoolOptions {
  std::string dir;       // spool-dir
  std::string name;      // spool-name
  std::string protocol;  // "KAFKA"
  std::string endpoint;  // no secrets: it is written into the file
  uint64_t max_bytes = uint64_t{1} << 30;
  bool evict = false;
  bool sync_full = false;
  bool tell_evicted = false;  // OnEvicted is called
  size_t pending_bytes = size_t{32} << 20;
  size_t prefetch_bytes = size_t{4} << 20;
  Millis retry_pause{1000};   // between trials of a disk that failed
  const char* vfs = nullptr;  // SQLite's; tests put a failing disk in
};

/// The caller's name for a message until it is on disk.
using SpoolTicket = uint64_t;

/// Called on the spool's thread (OnSpoolFailed on that of Close too) with no lock held. May call
/// everything but Flush and Close.
class SpoolListener {
 public:
  /// These are durable and belong to the spool now. Called before Fetch hands out any of them.
  virtual void OnSpooled(std::span<const SpoolTicket> tickets) noexcept = 0;
  /// These are not in the spool: kUnavailable (disk), kWouldBlock (full after all), kCancelled
  /// (Close). Their keys have a backlog until after the call, so that what comes later can still
  /// be kept behind them.
  virtual void OnSpoolFailed(std::span<const SpoolTicket> tickets,
                             const Status& status) noexcept = 0;
  /// These were deleted undelivered, to make room (with SpoolOptions::tell_evicted).
  virtual void OnEvicted(std::span<const SpoolMessage> /*messages*/) noexcept {}
  /// Something is ready again, after a Fetch that emptied what was ready.
  virtual void OnSpoolReady() noexcept = 0;

 protected:
  ~SpoolListener() = default;
};

struct SpoolStats {
  uint64_t rows = 0;     // on disk or on the way there, delivered ones not yet deleted included
  uint64_t bytes = 0;    // what they (and a log that a reader holds) count against max_bytes
  uint64_t backlog = 0;  // rows not marked delivered
  uint64_t evicted = 0;  // deleted undelivered, to make room
  uint64_t lost = 0;     // undelivered ones that a damaged file took along
  uint64_t failed = 0;   // reported to OnSpoolFailed
  bool failing = false;  // the disk refused the last group
};

class SpoolCore;

class Spool {
 public:
  /// Takes a file (and the leftovers of earlier processes), opens it and counts its messages.
  /// Waits for the disk. kUnavailable: no directory, no permission, disk full.
  static Result<std::unique_ptr<Spool>> Open(const SpoolOptions& options, Logger& logger);
  ~Spool();  // closes within a second if Close was not called
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  /// Starts the thread; the listener outlives Close. Once. kInternal: no thread can be started.
  Status Start(SpoolListener* listener);

  /// Copies the message and has it written with all others that wait. Ok: OnSpooled or
  /// OnSpoolFailed will name `ticket`, once. Else nothing was taken: kWouldBlock (max_bytes
  /// reached, or the disk does not keep up), kTooLarge (would not even fit into an empty spool),
  /// kUnavailable (the disk failed lately), kCancelled (closed), kInternal (no memory).
  /// `accepted_ms`: since the epoch.
  Status Append(const Message& message, int64_t accepted_ms, SpoolTicket ticket);
  /// Like the other Append, but also returns kUnavailable if messages were returned through
  /// OnSpoolFailed since the caller read failures(): its view of which keys have a backlog may be
  /// stale.
  Status Append(const Message& message, int64_t accepted_ms, SpoolTicket ticket, uint64_t failures);
  /// How often messages were returned through OnSpoolFailed; has changed by the time that
  /// OnSpoolFailed returns. No lock.
  uint64_t failures() const;

  /// The next `count` messages of Append are older than all that this process has in the file, and
  /// the next process delivers them first. Nothing may be fetched after this call. Where there is
  /// no room before the others (a file of an earlier version), they come last.
  void BeginFront(size_t count);

  /// A disk that failed is tried again with the next Append, without waiting for retry_pause.
  void RetryNow();

  /// Hands out messages in the order of their Append, what earlier processes left first. Appends up
  /// to `max_messages` and `max_bytes` to `out`, and always at least one if any is ready. Each
  /// stays "handed out" until MarkDelivered or Release, or the end of the process. When nothing is
  /// left ready, OnSpoolReady follows as soon as something is (so the first OnSpoolReady comes
  /// without a Fetch).
  size_t Fetch(size_t max_messages, size_t max_bytes, std::vector<SpoolMessage>* out);

  /// The broker has them (or refused them for good): deleted soon. A late one, after
  /// Release, counts too; unknown ids are ignored.
  void MarkDelivered(std::span<const uint64_t> ids);
  /// These are to be handed out again, before everything that came after them.
  void Release(std::span<const uint64_t> ids);

  /// Whether a message of that key ("" for none) is in the spool, on its way there or handed out.
  /// May be true for a key that shares a counter with another; never false wrongly. No lock.
  bool HasBacklog(std::string_view key) const;
  /// Changes whenever HasBacklog may have become false for some key. No lock.
  uint64_t removals() const;
  /// Messages not yet delivered. No lock.
  uint64_t backlog() const;
  /// Messages deleted undelivered (evicted) or gone with a damaged file (lost). No lock.
  uint64_t losses() const;
  SpoolStats Stats() const;
  /// The database that new messages go to.
  const std::string& path() const;

  /// Everything appended before is committed or failed, and where the disk works what was marked
  /// delivered is deleted. False at the deadline.
  bool Flush(Deadline deadline);

  /// Takes no more, writes what waits, closes the file. What is not on disk at the deadline is
  /// reported as failed (kCancelled), even if it gets there later. No listener call comes after it.
  void Close(Deadline deadline);

 private:
  explicit Spool(std::shared_ptr<SpoolCore> core);
  const std::shared_ptr<SpoolCore> core_;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_SPOOL_SPOOL_H_
