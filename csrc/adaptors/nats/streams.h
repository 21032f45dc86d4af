// SPDX-License-Identifier: Apache-2.0
// Which stream has a subject, and what its configuration means for a publisher. Asked for once for
// each subject of a connection, before the first message: a stream that discards old messages
// acknowledges one that is larger than itself, and keeps nothing.
//
// Threads: the connection's I/O thread only. Settings, connection and logger outlive it.
#ifndef DSMSG_ADAPTORS_NATS_STREAMS_H_
#define DSMSG_ADAPTORS_NATS_STREAMS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "adaptors/nats/api.h"
#include "adaptors/nats/connection.h"
#include "core/base/time.h"

namespace dsmsg::nats {

/// What is known of a subject.
struct Route {
  enum class State {
    kAsked,    // not yet
    kFound,    // `stream` has it
    kNone,     // no stream has it
    kUnknown,  // JetStream's API may not be asked: the answer to the message will say
    kSilent,   // the API does not answer now: are the servers electing a leader?
  };
  State state = State::kAsked;
  StreamFacts stream;
  Deadline asked_at{};
};

class Streams {
 public:
  Streams(const NatsSettings& settings, NatsConnection& connection, Logger& log)
      : settings_(settings), connection_(connection), log_(log) {}

  /// A new connection.
  void Reset();
  /// nullptr: the server is being asked; try again after Answered. The result is valid until
  /// Forget or Reset.
  const Route* Find(std::string_view subject);
  /// It may have changed.
  void Forget(std::string_view subject);

  /// A message to a subject under inbox(), without that prefix ("s12"): false, if it is not ours.
  bool TakeAnswer(std::string_view name, const Op& op);
  void TakeForbidden(std::string_view subject);
  /// Something was answered since the last call.
  bool Answered() { return std::exchange(answered_, false); }
  bool asking() const { return !asked_.empty(); }

 private:
  using Routes = std::map<std::string, Route, std::less<>>;
  void AskNames(Routes::iterator route);
  void AskFacts(Routes::iterator route, const std::string& stream);
  void Finish(Routes::iterator route, Route::State state);
  void Explain(const StreamFacts& stream);
  void Ask(Routes::iterator route, const std::string& what, const std::string& body);

  const NatsSettings& settings_;
  NatsConnection& connection_;
  Logger& log_;
  Routes routes_;
  std::map<std::string, Routes::iterator, std::less<>> asked_;  // by the name of the answer
  std::set<std::string> explained_;
  uint64_t number_ = 0;
  bool forbidden_ = false, answered_ = false;
};

}  // namespace dsmsg::nats

#endif  // DSMSG_ADAPTORS_NATS_STREAMS_H_
