// SPDX-License-Identifier: Apache-2.0
// One libzmq socket with its monitor: opened at an address, its peers counted, closed in bounded
// time. It knows frames, not what they mean.
//
// Threads: one thread at a time, the connection's I/O thread. Settings outlive it.
#ifndef DSMSG_ADAPTORS_ZMQ_SOCKET_H_
#define DSMSG_ADAPTORS_ZMQ_SOCKET_H_

#include <poll.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "adaptors/zmq/context.h"
#include "adaptors/zmq/settings.h"
#include "core/base/log.h"
#include "core/base/status.h"
#include "core/base/time.h"
#include "core/net/hints.h"

namespace dsmsg::zmq {

/// One event of a socket's monitor.
struct ZmqEvent {
  int id = 0;
  unsigned value = 0;
  std::string address;
};
/// False: no event is waiting (with `wait`: the monitor has ended).
bool ReadZmqEvent(void* monitor, bool wait, ZmqEvent* event);
/// A duration in the form of libzmq's options.
int ZmqMillis(Millis time);

class ZmqSocket {
 public:
  /// `type` is a ZMQ_ constant, `name` and `peer` are for messages: "PUSH", "PULL". `keeps`:
  /// received messages must outlive the connection that delivered them.
  struct Kind {
    int type;
    const char* name;
    const char* peer;
    bool keeps;
  };

  ZmqSocket(const ZmqSettings& settings, Logger& log, const Kind& kind)
      : settings_(settings), log_(log), kind_(kind) {}
  ~ZmqSocket() { Close(Millis(0), Millis(0)); }
  ZmqSocket(const ZmqSocket&) = delete;
  ZmqSocket& operator=(const ZmqSocket&) = delete;

  /// Creates the socket; set its own options between Create and Open.
  Status Create();
  Status SetInt(int option, int value);
  Status SetBytes(int option, std::string_view value);
  /// Binds, or starts to connect after checking that the other side is there (`probe`).
  /// `persistent`: libzmq itself reconnects after a loss.
  Status Open(const ZmqTarget& target, bool persistent, bool probe, Deadline deadline,
              int cancel_fd);
  /// If connecting: waits for the first handshake.
  Status WaitForPeer(Deadline deadline, int cancel_fd);
  /// Ends the socket. Unsent messages are sent for `linger`; waits for that at most `patience`.
  void Close(Millis linger, Millis patience);
  bool open() const { return socket_ != nullptr; }

  /// True if all frames were taken, false if there is no room (EAGAIN) and none was.
  Result<bool> Send(const std::vector<std::string_view>& frames);
  /// False when nothing is there.
  Result<bool> Receive(std::vector<std::string>* frames);
  /// ZMQ_POLLIN and ZMQ_POLLOUT. The descriptor signals only changes: check here after every
  /// operation on the socket and before every wait.
  int Events() const;
  /// Adds the descriptors to wait for.
  void AddTo(std::vector<pollfd>* fds) const;

  /// Reads the events of socket and monitor; call it before every wait. Not ok: connecting, not
  /// persistent, and the last peer is gone.
  Status CheckPeers();
  bool connected() const { return !up_.empty(); }
  const std::string& address() const { return address_; }

 private:
  Status StartMonitor();
  Status SetCommon(bool persistent, bool bind);
  Status SetSecurity(bool bind);
  Status Bind(const ZmqAddress& address);
  Status Connect(const ZmqAddress& address, bool probe, Deadline deadline, int cancel_fd);
  void Note(const ZmqEvent& event);
  /// Whether an earlier handshake with the address succeeded.
  Answered AnsweredAt(const ZmqAddress& address) const;
  Peer peer() const;
  Status HandshakeError() const;
  Status CheckInproc();
  Status Failed(const char* what) const;

  const ZmqSettings& settings_;
  Logger& log_;
  const Kind kind_;
  std::shared_ptr<ZmqContext> context_;
  void* socket_ = nullptr;
  void* monitor_ = nullptr;
  std::string address_;  // for messages
  bool bound_ = false, persistent_ = false;
  size_t targets_ = 0;
  std::map<std::string, std::string> answered_;     // what the last probe found, by address
  std::vector<std::string> inproc_bound_;           // names
  std::map<std::string, uint64_t> inproc_binders_;  // names we are connected to
  std::set<std::string> up_;                        // peers after their handshake
  std::set<std::string> worked_;                    // peers with which a handshake succeeded once
  size_t lost_ = 0;                                 // connections that ended
  std::string reason_;                              // of the last failed handshake
  bool refused_ = false;                            // it was about keys or passwords
  bool silent_ = false;                             // it was no answer
  bool greets_ = false;                             // the other side speaks ZeroMQ's protocol
  const char* advice_ = nullptr;  // for the reason; null: the advice for a lost connection
};

}  // namespace dsmsg::zmq

#endif  // DSMSG_ADAPTORS_ZMQ_SOCKET_H_
