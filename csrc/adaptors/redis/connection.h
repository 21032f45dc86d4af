// SPDX-License-Identifier: Apache-2.0
// One connection to a Redis server: dialling and login, output buffer, replies, and detecting a
// silent server. It does not know what the commands mean; producer and consumers keep their own
// list of sent commands, because replies come in order.
//
// Threads: the connection's I/O thread only. Settings outlive it.
#ifndef DSMSG_ADAPTORS_REDIS_CONNECTION_H_
#define DSMSG_ADAPTORS_REDIS_CONNECTION_H_

#include <poll.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adaptors/redis/cluster_map.h"
#include "adaptors/redis/reply.h"
#include "adaptors/redis/resp_writer.h"
#include "adaptors/redis/settings.h"
#include "core/base/log.h"
#include "core/base/time.h"
#include "core/net/hints.h"
#include "core/net/servers.h"
#include "core/net/silence.h"
#include "core/net/stream.h"
#include "core/options/login.h"

namespace dsmsg::redis {

class RedisConnection {
 public:
  RedisConnection(const RedisSettings& settings, Logger& log);

  /// Tries the servers in turn, beginning with the one after the last that worked and then failed:
  /// dial, TLS, AUTH, SELECT, PING. Each gets its share of the time. With sentinel-master the
  /// servers are Sentinels, and each is asked for the master.
  ///
  /// A server that turns out to be a node of a Redis Cluster (cluster=auto or 1) is asked for the
  /// other nodes, and from then on these are tried too.
  Status Open(Deadline deadline, int cancel_fd);
  /// This server only.
  Status OpenAt(const HostPort& host, Deadline deadline, int cancel_fd);
  /// From now on Open asks the nodes of a cluster, beginning with these, who has the slot, and
  /// opens that one. kAnySlot: any node.
  void FollowSlot(int slot, std::vector<HostPort> nodes);
  /// The node to which an ASK error sent a command since the last call, if it follows a slot.
  std::optional<HostPort> TakeAsk() { return std::exchange(ask_, std::nullopt); }
  /// Opens that node. Until Close, ASKING precedes each command, and its reply is dropped.
  Status OpenAsked(const HostPort& node, Deadline deadline, int cancel_fd);
  bool asked() const { return asking_; }
  static constexpr int kNoSlot = -1, kAnySlot = -2;
  bool follows_slot() const { return slot_ != kNoSlot; }
  /// The last Open found a node that answers, even if the one with the slot did not.
  bool reached_cluster() const { return reached_cluster_; }
  /// What the last server that Open opened knows about its cluster; null: it is in none.
  const ClusterMap* cluster() const { return cluster_ ? &*cluster_ : nullptr; }
  /// The servers that Open tries.
  const std::vector<HostPort>& hosts() const { return hosts_; }
  bool open() const { return stream_.open(); }
  void Close();
  /// The next Open starts with another server (this one turned out to be a replica, or
  /// disappeared).
  void PreferNextServer() { servers_.PreferNext(); }
  /// "localhost:6379": the server in use.
  const std::string& name() const { return name_; }
  const HostPort& address() const { return address_; }

  /// Commands to be sent; Flush sends them.
  RespWriter& out() { return out_; }
  /// Writes what the socket takes now. Also ok if some is left, or if the server has closed the
  /// connection and there is still something to read, which may say why.
  Status Flush();

  enum WaitResult : unsigned { kReadable = 1, kWoken = 2, kWritable = 4 };
  /// Waits for replies, for room to write if something is unsent (each as far as `want` says), and
  /// for wake_fd
  /// (-1: none).
  unsigned Wait(Millis budget, int wake_fd, unsigned want = kReadable | kWritable);
  /// The same in parts, for those who wait for several connections at once: what to give to poll(),
  /// what it found, and whether there is something to read without it.
  pollfd WaitsFor(unsigned want) const;
  unsigned Found(const pollfd& fd, unsigned want) const;
  bool buffered() const { return received_begin_ != received_end_ || stream_.buffered(); }

  /// Reads once, without waiting. *got: something came.
  Status Receive(bool* got);
  /// *have: reply() is the next reply. An error means that the other side does not speak RESP.
  Status NextReply(bool* have);
  const Reply& reply() const { return reader_.reply(); }

  /// Sends what out() holds and waits for one reply. Only while nothing else is unanswered.
  Status Call(Deadline deadline, int cancel_fd, const char* step);

  /// Call it when the first command after a pause is sent.
  void BeginExpecting() { silence_.BeginExpecting(); }
  /// See SilenceWatch::Check. Call after Receive found nothing.
  Status CheckSilence(Millis grace = Millis(0)) {
    return silence_.Check(stream_.fd(), name_, grace);
  }
  /// Nothing has been sent or received for so long that a PING is due.
  bool PingDue() const { return Clock::now() - silence_.heard() > kPingInterval; }

  static constexpr Millis kPingInterval{15000};

 private:
  Status OpenOne(const HostPort& host, Deadline deadline, int cancel_fd);
  Status AskCluster(Deadline deadline, int cancel_fd);
  Status OpenOwner(Deadline deadline, int cancel_fd);
  Status AskSentinel(const HostPort& host, Deadline deadline, int cancel_fd, HostPort* master);
  Status CheckIsMaster(Deadline deadline, int cancel_fd);
  Status OpenServer(const HostPort& host, Deadline deadline, int cancel_fd);
  Status Dial(const HostPort& host, Deadline deadline, int cancel_fd);
  /// `advice` may be null: then the error's own advice is used.
  Status Authenticate(const Login& login, const char* advice, Deadline deadline, int cancel_fd);
  Status CheckVersion(Deadline deadline, int cancel_fd);
  Status StepError(const char* step, const char* advice = nullptr) const;
  /// What is known about the server, for advice.
  Peer peer() const;
  Status Lost(const std::string& why) const;
  Status Broken() const;
  bool SomethingToRead();
  void NoteAsk();

  const RedisSettings& settings_;
  Logger& log_;
  Stream stream_;
  std::vector<HostPort> seeds_;  // those of the settings, or of FollowSlot
  std::vector<HostPort> hosts_;  // and the other nodes of the cluster
  Servers servers_;
  SilenceWatch silence_;
  RespWriter out_;
  ReplyReader reader_;
  std::string name_;
  HostPort address_;
  int slot_ = kNoSlot;
  std::optional<ClusterMap> cluster_;
  bool reached_cluster_ = false;
  std::optional<HostPort> ask_;
  bool asking_ = false, skip_reply_ = false;  // the next reply is that to ASKING
  static constexpr size_t kReceiveSize = size_t{64} << 10;
  std::unique_ptr<char[]> received_;
  size_t received_begin_ = 0, received_end_ = 0;
  bool opening_ = false;  // until the login is done
  bool heard_ = false;    // the server has answered on this connection
  static constexpr size_t kFirstBytes = 16;
  std::string first_bytes_;  // of the connection, until it has answered
};

}  // namespace dsmsg::redis

#endif  // DSMSG_ADAPTORS_REDIS_CONNECTION_H_
