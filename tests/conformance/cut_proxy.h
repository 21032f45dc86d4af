// SPDX-License-Identifier: Apache-2.0
// A TCP proxy in front of a server that loses at SIGKILL what it acknowledged: an outage is then
// one of the connections, which are reset with whatever is under way, and the port refuses.
//
// Threads: any; Cut and Restore wait until they are done.
#ifndef DSMSG_CONFORMANCE_CUT_PROXY_H_
#define DSMSG_CONFORMANCE_CUT_PROXY_H_

#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <thread>

namespace dsmsg::conformance {

class CutProxy {
 public:
  /// Listens on a free port of 127.0.0.1, and leads to `target` of the same machine.
  explicit CutProxy(uint16_t target);
  ~CutProxy();
  CutProxy(const CutProxy&) = delete;
  CutProxy& operator=(const CutProxy&) = delete;

  uint16_t port() const { return port_; }
  void Cut() { Become(State::kCut); }
  void Restore() { Become(State::kOpen); }

 private:
  enum class State { kOpen, kCut, kEnd };
  /// What was read from one socket and not yet written to the other.
  struct Way {
    int from = -1, to = -1;
    std::string bytes;
  };
  struct Pair {
    Way up, down;
  };

  void Become(State state);
  void Run();
  void Apply(State state);
  void Accept();
  static bool Move(Way* way, short from_events, short to_events);

  const uint16_t target_;
  uint16_t port_ = 0;
  int listener_ = -1;  // bound all the time, listening while open
  const int signal_;   // eventfd
  std::list<Pair> pairs_;
  std::mutex mutex_;  // guards the following
  std::condition_variable changed_;
  State wanted_ = State::kOpen, current_ = State::kCut;
  std::thread thread_;
};

}  // namespace dsmsg::conformance

#endif  // DSMSG_CONFORMANCE_CUT_PROXY_H_
