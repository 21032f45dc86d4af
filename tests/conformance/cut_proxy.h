// SPDX-License-Identifier: Apache-2.0
// A TCP proxy in front of a server, with the faults of a network: connections cut, stalled, slow,
// or dead without notice to either end. In front of a server that loses at SIGKILL what it
// acknowledged, Cut stands for the server's death.
//
// Threads: any; a change of mode waits until it is done.
#ifndef DSMSG_CONFORMANCE_CUT_PROXY_H_
#define DSMSG_CONFORMANCE_CUT_PROXY_H_

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace dsmsg::conformance {

class CutProxy {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Mode {
    kOpen,    // bytes pass
    kCut,     // connections were reset with whatever is under way, and the port refuses
    kReset,   // connections were reset, and each new one is reset as soon as it is made
    kStall,   // connections stay and are made, and no byte moves until another mode
    kVanish,  // as kStall, but for the client they never come back, and the server sees them end:
              // a peer that lost its power or its address
  };

  /// Listens on a free port of 127.0.0.1 (or on `port`), and leads to `target` of the same machine.
  explicit CutProxy(uint16_t target, uint16_t port = 0);
  ~CutProxy();
  CutProxy(const CutProxy&) = delete;
  CutProxy& operator=(const CutProxy&) = delete;

  uint16_t port() const { return port_; }
  void Cut() { Become(Mode::kCut); }
  void Restore() { Become(Mode::kOpen); }
  void Become(Mode mode);
  /// While open: each way holds bytes back for `delay`, like a long line, which takes more
  /// meanwhile; and passes at most so many of them a second (0: no limit), taking no more before
  /// they are gone.
  void SlowDown(std::chrono::milliseconds delay, size_t bytes_per_second);
  /// While open: a connection ends, for both sides, as soon as the client's bytes hold `marker`.
  void EndConnectionsAt(std::string marker);
  /// When connections came, oldest first; those that a cut port refused are not seen.
  std::vector<Clock::time_point> Attempts() const;

 private:
  /// What was read from one socket and not yet written to the other.
  struct Way {
    struct Part {
      std::string bytes;
      Clock::time_point due;
    };
    int from = -1, to = -1;
    std::deque<Part> parts;
    bool ended = false;  // nothing more comes: what is under way still goes out
    std::string before;  // the last bytes that were read earlier, where a marker may have begun
    Clock::time_point not_before{};  // of the next write
    Clock::time_point due() const { return std::max(not_before, parts.front().due); }
  };
  struct Pair {
    Way up, down;  // up.to is -1 once the server's side is gone
  };
  struct Wanted {
    Mode mode = Mode::kOpen;
    std::chrono::milliseconds delay{0};
    size_t bytes_per_second = 0;
    std::string marker;
    bool end = false;
  };

  void Ask(const Wanted& wanted);
  void Run();
  void Apply();
  void ResetAll();
  void Vanish();
  void Accept();
  void ConnectPair(int client);
  int Wait(std::vector<pollfd>* fds);
  void MoveAll(const std::vector<pollfd>& fds);
  bool Move(Way* way, short from_events, short to_events) const;
  bool LongLine() const { return now_.delay.count() > 0 && now_.bytes_per_second == 0; }
  bool Takes(const Way& way) const;
  bool HoldsMarker(Way* way, const std::string& bytes) const;
  short Interest(const Way& in, const Way& out) const;

  const uint16_t target_;
  uint16_t port_ = 0;
  int listener_ = -1;  // bound all the time, listening except while cut
  const int signal_;   // eventfd
  std::list<Pair> pairs_;
  Wanted now_;                // of the proxy's thread
  mutable std::mutex mutex_;  // guards the following
  std::condition_variable changed_;
  Wanted wanted_;
  uint64_t asked_ = 0, done_ = 0;
  std::vector<Clock::time_point> attempts_;
  std::thread thread_;
};

}  // namespace dsmsg::conformance

#endif  // DSMSG_CONFORMANCE_CUT_PROXY_H_
