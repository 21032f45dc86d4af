// SPDX-License-Identifier: Apache-2.0
// Encodes and stores pictures on a thread of its own, with a bounded queue in front of it. A slow
// store or encoder never holds up who gives it pictures: what finds no room is lost, and says so.
//
// Threads: every function from any thread. The thread `dsmsg-evidence` encodes and stores; it owns
// what it touches, and is left behind where a store does not return.
#ifndef DSMSG_EVIDENCE_RECORDER_H_
#define DSMSG_EVIDENCE_RECORDER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/base/time.h"
#include "evidence/picture_store.h"
#include "evidence/raw_picture.h"
#include "evidence/settings.h"

namespace dsmsg::evidence {

/// What became of a picture.
struct Outcome {
  enum class State { kWaiting, kStored, kLost };
  State state = State::kWaiting;
  std::string uri, digest, reason;
  uint64_t size = 0;
};

struct RecorderCounters {
  uint64_t stored = 0, lost = 0, stored_bytes = 0;
  uint64_t waiting = 0;  // not encoded yet, or not stored
};

class Recorder {
 public:
  class Ticket;  // names a picture that was taken over
  using TicketPtr = std::shared_ptr<Ticket>;

  /// Opens the store. An error says what to change.
  static Result<std::unique_ptr<Recorder>> Start(const EvidenceSettings& settings,
                                                 std::vector<std::string>* warnings);
  /// The same with a store of one's own.
  static Result<std::unique_ptr<Recorder>> Start(const EvidenceSettings& settings,
                                                 std::shared_ptr<PictureStore> store);
  /// What is not stored then is lost; waits for the thread at most two seconds.
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  using PicturePtr = std::shared_ptr<const RawPicture>;
  /// Takes a picture over; never waits. `copy` makes it, and is not called if there is no room for
  /// about `bytes`.
  TicketPtr Take(const std::string& name, size_t bytes,
                 const std::function<Result<PicturePtr>()>& copy);
  /// A picture that could not be taken.
  static TicketPtr Lost(std::string reason);
  /// What is known now.
  Outcome Of(const Ticket& ticket) const;
  bool IsWaiting(const Ticket& ticket) const;
  /// Waits until the picture is stored or lost; at `deadline` it is lost, with that reason, even if
  /// it is stored later.
  Outcome Wait(const Ticket& ticket, Deadline deadline) const;
  /// From now on nothing waits: the pipeline stops.
  void StopWaiting();
  /// No message waits for it any more: if it is not encoded yet, it never will be.
  void GiveUp(Ticket& ticket);
  RecorderCounters counters() const;

 private:
  struct State;
  explicit Recorder(std::shared_ptr<State> state) : state_(std::move(state)) {}

  const std::shared_ptr<State> state_;
};

}  // namespace dsmsg::evidence

#endif  // DSMSG_EVIDENCE_RECORDER_H_
