// SPDX-License-Identifier: Apache-2.0
// The ways in which a host drives an adaptor, each as one object: what is sent goes in with its
// Sent, and comes back through the Tracker.
//
// Threads: one thread calls a sender, which has a thread of its own for do_work. Owns its
// connection: Finish ends it.
#ifndef DSMSG_BENCHMARKS_SENDERS_H_
#define DSMSG_BENCHMARKS_SENDERS_H_

#include <memory>
#include <string>
#include <vector>

#include "adaptor.h"
#include "target.h"
#include "tracker.h"

namespace dsmsg::bench {

struct Endpoint {
  const conformance::Adaptor& adaptor;
  std::string connection, config;  // the config file's path
};

class Sender {
 public:
  virtual ~Sender() = default;
  /// False: the adaptor refused it, and calls nothing back.
  virtual bool Send(const Letter& letter, Sent* sent) = 0;
  /// With the synchronous send. False: it failed.
  virtual bool SendAndWait(const Letter&) { return false; }
  /// After the last callback. How many of them said ERR and the tracker was not told.
  virtual uint64_t Finish() = 0;
};

/// send_async on one thread, do_work on another all the time.
std::unique_ptr<Sender> MakeDirect(const Endpoint& endpoint);

/// The hosts of the contract. They prepare their messages before anything is measured: `letters`,
/// which are then sent in this order.
std::unique_ptr<Sender> MakeHostA(const Endpoint& endpoint, const std::vector<Letter>& letters);
std::unique_ptr<Sender> MakeHostB(const Endpoint& endpoint, const std::vector<Letter>& letters);

/// Completes every send at once: what a host costs by itself.
const conformance::Adaptor& NullAdaptor();

}  // namespace dsmsg::bench

#endif  // DSMSG_BENCHMARKS_SENDERS_H_
