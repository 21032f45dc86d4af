// SPDX-License-Identifier: Apache-2.0
#include "adaptors/redis/errors.h"

namespace dsmsg::redis {
namespace {

struct KnownError {
  std::string_view name;
  Code code;
  std::string_view advice;
};

constexpr KnownError kKnown[] = {
    {"OOM", Code::kUnavailable,
     " (the server's memory is full: raise maxmemory or lower streamsize; the message is kept)"},
    {"LOADING", Code::kUnavailable, " (the server is still reading its data from disk)"},
    {"READONLY", Code::kUnavailable, " (this server is a replica: connect to the master)"},
    {"MASTERDOWN", Code::kUnavailable, " (this replica has lost its master)"},
    {"NOREPLICAS", Code::kUnavailable, " (min-replicas-to-write is not met)"},
    {"BUSY", Code::kUnavailable, " (a script is running on the server)"},
    {"TRYAGAIN", Code::kUnavailable, ""},
    {"CLUSTERDOWN", Code::kUnavailable, ""},
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
    {"MOVED", Code::kRejected,
     " (Redis Cluster is not supported: the key belongs to another node)"},
    {"ASK", Code::kRejected, " (Redis Cluster is not supported: the key belongs to another node)"},
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

std::string_view ErrorReplyAdvice(std::string_view reply) {
  const KnownError* known = FindKnown(reply);
  return known == nullptr ? std::string_view() : known->advice;
}

}  // namespace dsmsg::redis
