// SPDX-License-Identifier: Apache-2.0
#include "adaptors/redis/errors.h"

namespace dsmsg::redis {
namespace {

struct KnownError {
  std::string_view name;
  Code code;
  std::string_view advice;
};

// Where a cluster is followed these are not an error.
constexpr std::string_view kCluster =
    " (this server is a node of a Redis Cluster: leave cluster at auto or set cluster=1, and allow "
    "the user +cluster|slots)";

constexpr KnownError kKnown[] = {
    {"OOM", Code::kUnavailable,
     " (the server's memory is full: raise maxmemory or lower streamsize; the message is kept)"},
    {"LOADING", Code::kUnavailable, " (the server is still reading its data from disk)"},
    {"READONLY", Code::kUnavailable, " (this server is a replica: connect to the master)"},
    {"MASTERDOWN", Code::kUnavailable, " (this replica has lost its master)"},
    {"NOREPLICAS", Code::kUnavailable, " (min-replicas-to-write is not met)"},
    {"BUSY", Code::kUnavailable, " (a script is running on the server)"},
    {"TRYAGAIN", Code::kUnavailable, " (a slot moves from node to node)"},
    {"CLUSTERDOWN", Code::kUnavailable,
     " (the cluster waits for nodes that are away: redis-cli --cluster check shows it; the message "
     "is kept)"},
    // Retried like OOM: writes are refused until the disk has room again.
    {"MISCONF", Code::kUnavailable,
     " (the server cannot write its data to disk; the message is kept)"},
    {"NOAUTH", Code::kAuth, " (set PASSWORD_REDIS, and USER_REDIS for an ACL user)"},
    {"WRONGPASS", Code::kAuth, ""},
    {"NOPERM", Code::kAuth, " (grant the user the permission with ACL SETUSER)"},
    {"DENIED", Code::kAuth,
     " (its protected mode accepts local connections only: set a password on the server, or "
     "protected-mode no)"},
    {"WRONGTYPE", Code::kRejected,
     " (a key of that name holds another type: choose another topic or delete the key)"},
    {"MOVED", Code::kRejected, kCluster},
    {"ASK", Code::kRejected, kCluster},
    {"CROSSSLOT", Code::kRejected, kCluster},
};

// Replies that begin with ERR differ in what follows.
constexpr KnownError kGeneral[] = {
    {"ERR Protocol error: invalid bulk length", Code::kTooLarge,
     " (the server's proto-max-bulk-len is the limit)"},
    {"ERR max number of clients reached", Code::kUnavailable,
     " (raise maxclients of the server, or close other connections)"},
    {"ERR invalid password", Code::kAuth, ""},
    {"ERR wrong number of arguments for 'auth'", Code::kAuth,
     " (before version 6 Redis has no user names: set only PASSWORD_REDIS)"},
    {"ERR SELECT is not allowed in cluster mode", Code::kRejected,
     " (a Redis Cluster has only database 0: leave database out)"},
    {"ERR DB index is out of range", Code::kRejected,
     " (check database: the server's setting databases limits it)"},
};

const KnownError* FindKnown(std::string_view reply) {
  for (const KnownError& known : kGeneral) {
    if (reply.starts_with(known.name)) return &known;
  }
  const std::string_view name = ErrorReplyName(reply);
  for (const KnownError& known : kKnown) {
    if (known.name == name) return &known;
  }
  return nullptr;
}

}  // namespace

std::string_view ErrorReplyName(std::string_view reply) { return reply.substr(0, reply.find(' ')); }

Code ErrorReplyCode(std::string_view reply) {
  if (const KnownError* known = FindKnown(reply)) return known->code;
  return Code::kRejected;
}

bool IsLoginLost(std::string_view reply) {
  return ErrorReplyName(reply) == "NOAUTH" || ErrorReplyName(reply) == "DENIED";
}

bool IsRedirect(std::string_view reply) {
  return ErrorReplyName(reply) == "MOVED" || ErrorReplyName(reply) == "ASK";
}

std::string AnnouncedBy(const std::string& node, const Status& failure) {
  std::string text = " (this is the address that " + node + " gives for it";
  if (failure.retryable()) {
    text +=
        ": if the node is alive, it must be reachable from here at that address; see "
        "cluster-announce-ip, cluster-announce-port and cluster-announce-hostname of the servers";
  }
  return text + ")";
}

std::string_view ErrorReplyAdvice(std::string_view reply) {
  const KnownError* known = FindKnown(reply);
  return known == nullptr ? std::string_view() : known->advice;
}

}  // namespace dsmsg::redis
