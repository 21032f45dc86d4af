// SPDX-License-Identifier: Apache-2.0
// RedisConnection's opening: Sentinel, dialling, TLS, login.
#include <charconv>
#include <cstdio>

#include "adaptors/redis/connection.h"
#include "adaptors/redis/errors.h"
#include "core/options/login.h"

namespace dsmsg::redis {

Status RedisConnection::Open(Deadline deadline, int cancel_fd) {
  reached_cluster_ = false;
  const Deadline half = Clock::now() + (deadline - Clock::now()) / 2;
  Status status = servers_.Open(
      follows_slot() ? half : deadline,
      [&](const HostPort& host, Deadline share) { return OpenOne(host, share, cancel_fd); },
      [this] { Close(); });
  if (status.ok() && follows_slot()) status = OpenOwner(deadline, cancel_fd);
  if (status.ok()) {
    opening_ = false;
    servers_.Worked(name_);
  }
  return status;
}

Status RedisConnection::OpenAt(const HostPort& host, Deadline deadline, int cancel_fd) {
  Status status = OpenServer(host, deadline, cancel_fd);
  if (status.ok()) {
    opening_ = false;
    servers_.Worked(name_);
  } else {
    Close();
  }
  return status;
}

void RedisConnection::FollowSlot(int slot, std::vector<HostPort> nodes) {
  slot_ = slot;
  seeds_ = std::move(nodes);
  hosts_ = seeds_;
}

Status RedisConnection::OpenOne(const HostPort& host, Deadline deadline, int cancel_fd) {
  cluster_.reset();
  if (settings_.sentinel_master.empty()) {
    if (Status status = OpenServer(host, deadline, cancel_fd); !status.ok()) return status;
    if (settings_.cluster == RedisSettings::Cluster::kNo) return {};
    return AskCluster(deadline, cancel_fd);
  }
  HostPort master;
  const Deadline half = Clock::now() + (deadline - Clock::now()) / 2;
  if (Status status = AskSentinel(host, half, cancel_fd, &master); !status.ok()) return status;
  log_.Info("Sentinel " + host.ToString() + " names " + master.ToString() + " as the master \"" +
            settings_.sentinel_master + "\"");
  Status status = OpenServer(master, deadline, cancel_fd);
  if (status.ok()) status = CheckIsMaster(deadline, cancel_fd);
  if (status.ok() || status.code() == Code::kCancelled) return status;
  return {status.code(), status.message() + " (the server that Sentinel " + host.ToString() +
                             " names as the master \"" + settings_.sentinel_master + "\")"};
}

// Servers that are in no cluster refuse the question, and some do not know it.
Status RedisConnection::AskCluster(Deadline deadline, int cancel_fd) {
  const bool must = settings_.cluster == RedisSettings::Cluster::kYes || follows_slot();
  out_.Command({"CLUSTER", "SLOTS"});
  if (Status status = Call(deadline, cancel_fd, "CLUSTER SLOTS"); !status.ok()) return status;
  if (!reply().is(Reply::Type::kArray)) {
    const Code code = ErrorReplyCode(reply().text());
    if (!must && !Status(code, {}).retryable()) return {};
    return StepError("ask for the nodes of the cluster",
                     code == Code::kAuth ? " (grant the user +cluster|slots)"
                                         : " (cluster=1 is for nodes of a Redis Cluster, which "
                                           "have cluster-enabled yes; leave cluster out)");
  }
  cluster_ = ClusterMap::Read(reply(), address_);
  if (cluster_->empty()) {
    return {Code::kUnavailable,
            name_ +
                " belongs to a Redis Cluster, but knows no node that serves slots (is the "
                "cluster made? redis-cli --cluster create)"};
  }
  hosts_ = cluster_->WithNodes(seeds_);
  reached_cluster_ = true;
  return {};
}

// The connection leads to a node that answers; it may be another one that has the slot.
Status RedisConnection::OpenOwner(Deadline deadline, int cancel_fd) {
  if (slot_ == kAnySlot) return {};
  const HostPort* owner = cluster_->OwnerOf(slot_);
  if (owner == nullptr) {
    return {Code::kUnavailable, "no node of the cluster serves slot " + std::to_string(slot_) +
                                    " (redis-cli --cluster check " + name_ + ")"};
  }
  if (*owner == address_) return {};
  const std::string said_by = name_;
  Status status = OpenServer(*owner, deadline, cancel_fd);
  if (status.ok() || status.code() == Code::kCancelled) return status;
  return {status.code(), status.message() + AnnouncedBy(said_by, status)};
}

Status RedisConnection::OpenAsked(const HostPort& node, Deadline deadline, int cancel_fd) {
  Status status = OpenServer(node, deadline, cancel_fd);
  opening_ = false;
  if (!status.ok()) {
    Close();
    return status;
  }
  out_.SetAsking(true);
  asking_ = skip_reply_ = true;
  return {};
}

Status RedisConnection::Dial(const HostPort& host, Deadline deadline, int cancel_fd) {
  Close();
  address_ = host;
  name_ = host.ToString();
  heard_ = false;
  opening_ = true;
  first_bytes_.clear();
  silence_.Reset();
  return stream_.Open(host, settings_.tls, peer().answered, deadline, cancel_fd);
}

Status RedisConnection::AskSentinel(const HostPort& host, Deadline deadline, int cancel_fd,
                                    HostPort* master) {
  if (Status status = Dial(host, deadline, cancel_fd); !status.ok()) {
    return {status.code(), "Sentinel: " + status.message()};
  }
  const Login login{settings_.sentinel_user, settings_.sentinel_password};
  constexpr const char* kAdvice = " (check sentinel-username and sentinel-password)";
  if (Status status = Authenticate(login, kAdvice, deadline, cancel_fd); !status.ok()) {
    return {status.code(), "Sentinel: " + status.message()};
  }
  out_.Command({"SENTINEL", "get-master-addr-by-name", settings_.sentinel_master});
  if (Status status = Call(deadline, cancel_fd, "SENTINEL"); !status.ok()) return status;
  const Reply& answer = reply();
  if (answer.is(Reply::Type::kError)) {
    const bool no_sentinel = answer.text().starts_with("ERR unknown command");
    return StepError("ask for the master",
                     no_sentinel ? " (is it a Sentinel? with sentinel-master, conn-str "
                                   "names the Sentinels, port 26379 by default)"
                                 : kAdvice);
  }
  servers_.Worked(name_);
  if (answer.count() != 2) {
    return {Code::kRejected, "Sentinel " + name_ + " knows no master \"" +
                                 settings_.sentinel_master +
                                 "\" (check sentinel-master; SENTINEL MASTERS lists the names)"};
  }
  master->host = answer.text(answer.At(0, 0));
  const std::string_view port = answer.text(answer.At(0, 1));
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), master->port);
  if (error == std::errc() && end == port.data() + port.size() && master->port != 0) return {};
  return {Code::kUnavailable, "Sentinel " + name_ + " gives no usable address for the master"};
}

// For a while after a failover, a Sentinel may still name the old master.
Status RedisConnection::CheckIsMaster(Deadline deadline, int cancel_fd) {
  out_.Command({"ROLE"});
  if (Status status = Call(deadline, cancel_fd, "ROLE"); !status.ok()) return status;
  const Reply& answer = reply();
  // The user may not ask; a replica will refuse to write.
  if (answer.count() == 0 || answer.text(answer.At(0, 0)) == "master") return {};
  return {Code::kUnavailable, name_ + " is a " + std::string(answer.text(answer.At(0, 0))) +
                                  ", not the master (is a failover under way?)"};
}

Status RedisConnection::OpenServer(const HostPort& host, Deadline deadline, int cancel_fd) {
  if (Status status = Dial(host, deadline, cancel_fd); !status.ok()) return status;
  const Login login{settings_.user, settings_.password};
  if (Status status = Authenticate(login, nullptr, deadline, cancel_fd); !status.ok()) {
    return status;
  }
  if (settings_.database != 0) {
    out_.Command({"SELECT", std::to_string(settings_.database)});
    if (Status status = Call(deadline, cancel_fd, "SELECT"); !status.ok()) return status;
    if (reply().is(Reply::Type::kError)) return StepError("select the database");
  }
  out_.Command({"PING"});
  if (Status status = Call(deadline, cancel_fd, "PING"); !status.ok()) return status;
  // A user without permission for PING is logged in nevertheless.
  if (reply().is(Reply::Type::kError) && ErrorReplyName(reply().text()) != "NOPERM") {
    return StepError("get an answer to PING");
  }
  return settings_.stream_max_age.count() > 0 ? CheckVersion(deadline, cancel_fd) : Status();
}

Status RedisConnection::Authenticate(const Login& login, const char* advice, Deadline deadline,
                                     int cancel_fd) {
  if (login.user.empty() && login.password.empty()) return {};
  if (login.user.empty()) {
    out_.Command({"AUTH", login.password});
  } else {
    out_.Command({"AUTH", login.user, login.password});
  }
  if (Status status = Call(deadline, cancel_fd, "AUTH"); !status.ok()) return status;
  if (!reply().is(Reply::Type::kError)) return {};
  const std::string_view text = reply().text();
  const bool none_wanted = text.find("no password is set") != text.npos ||
                           text.find("without any password configured") != text.npos;
  if (none_wanted && login.user.empty()) {
    log_.Limited(LogLevel::kWarn, "auth-unwanted",
                 name_ + " requires no password although one is set; continuing without it");
    return {};
  }
  Code code = ErrorReplyCode(text);
  // Before Redis 6: "ERR wrong number of arguments for 'auth' command" for a user name.
  if (!Status(code, {}).retryable()) code = Code::kAuth;
  std::string what_to_do(advice != nullptr ? advice : ErrorReplyAdvice(text));
  if (what_to_do.empty()) what_to_do = LoginAdvice(login, "REDIS");
  return LoginRefused(code, name_, login, text, what_to_do);
}

// To an older server, MINID is a syntax error, and it would refuse every message for good.
Status RedisConnection::CheckVersion(Deadline deadline, int cancel_fd) {
  out_.Command({"INFO", "server"});
  if (Status status = Call(deadline, cancel_fd, "INFO"); !status.ok()) return status;
  const std::string text(reply().text());
  const size_t at = text.find("redis_version:");
  int major = 0;
  int minor = 0;
  if (at == text.npos ||
      std::sscanf(text.c_str() + at, "redis_version:%d.%d", &major, &minor) != 2) {
    return {};  // INFO may be forbidden; XADD will tell
  }
  if (major > 6 || (major == 6 && minor >= 2)) return {};
  return {Code::kNotSupported, "stream-max-age needs Redis 6.2 or newer, and " + name_ + " is " +
                                   std::to_string(major) + "." + std::to_string(minor) +
                                   " (use streamsize instead)"};
}

Status RedisConnection::StepError(const char* step, const char* advice) const {
  const std::string_view text = reply().text();
  const std::string own_advice(advice != nullptr ? advice : ErrorReplyAdvice(text));
  return {ErrorReplyCode(text),
          "cannot " + std::string(step) + " at " + name_ + ": " + std::string(text) + own_advice};
}

}  // namespace dsmsg::redis
