// SPDX-License-Identifier: Apache-2.0
// What the tests of the Redis driver stand on: a real server on a free loopback port, a host that
// only records, and a driver configured from text.
#ifndef DSMSG_ADAPTORS_REDIS_TEST_FIXTURE_H_
#define DSMSG_ADAPTORS_REDIS_TEST_FIXTURE_H_

#include <gtest/gtest.h>
#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "adaptors/redis/driver.h"
#include "core/base/fd.h"

struct redisContext;
struct redisReply;

namespace dsmsg::redis {

/// redis-server as a child process; killed (by pid) when the object or the test program ends.
class RedisServer {
 public:
  /// Starts it and waits until it answers. `arguments` are further options such as
  /// {"--requirepass", "x"}.
  explicit RedisServer(std::vector<std::string> arguments = {});
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  uint16_t port() const { return port_; }
  pid_t pid() const { return pid_; }
  void Kill();     // SIGKILL
  void Restart();  // on the same port, without data
  void Freeze();   // SIGSTOP
  void Thaw();     // SIGCONT

 private:
  bool Spawn();

  std::vector<std::string> arguments_;
  std::string folder_;
  uint16_t port_ = 0;
  pid_t pid_ = -1;
};

/// A plain client beside the driver.
class Client {
 public:
  explicit Client(uint16_t port);
  ~Client();
  using Reply = std::unique_ptr<redisReply, void (*)(void*)>;
  Reply Run(const std::vector<std::string>& arguments);
  int64_t Integer(const std::vector<std::string>& arguments);
  std::string Text(const std::vector<std::string>& arguments);

 private:
  redisContext* context_;
};

/// Field names and values of all entries of a stream.
using Entry = std::vector<std::pair<std::string, std::string>>;
std::vector<Entry> Entries(Client& client, const std::string& stream);

class FakeHost final : public DriverHost {
 public:
  void Complete(Token token, const Status& status) noexcept override;
  Status Deliver(InMessage&& message, AckToken token) noexcept override;
  void LinkUp() noexcept override {
    ADD_FAILURE() << "only library-retried drivers report the link";
  }
  void LinkDown(const Status&) noexcept override { ADD_FAILURE() << "LinkDown"; }
  Logger& log() noexcept override { return logger_; }

  std::map<Token, Status> completed;
  size_t ok = 0, twice = 0;
  std::vector<InMessage> delivered;
  std::vector<AckToken> tokens;
  size_t room = SIZE_MAX;

 private:
  Logger logger_{"REDIS"};
};

/// A driver with its host and wake-ups.
class Connection {
 public:
  explicit Connection(const std::string& server, const std::string& config = "");
  ~Connection() { driver.Close(Millis(0), -1); }

  Status Open(Role role = Role::kProducer, Millis timeout = Millis(5000));
  Status Subscribe(const std::vector<std::string>& topics, Millis limit = Millis(5000)) {
    return driver.Subscribe(topics, Clock::now() + limit);
  }
  /// Polls until `done` or an error or the time is over; kTimeout in the last case.
  Status PumpUntil(const std::function<bool()>& done, Millis timeout = Millis(10000));
  /// Submits (polling while there is no room); the token is the number of the message, from 1.
  Status Send(const std::string& topic, std::string payload);
  Status Send(const Message& message);
  Status WaitCompleted(size_t count);
  void AckAll();

  FakeHost host;
  RedisDriver driver{host};
  Status configured;
  WakeFd wake, cancel;
  std::vector<std::unique_ptr<std::string>> kept;  // messages stay valid until completed
  Token last_token = 0;
};

std::string AddressOf(const RedisServer& server);

/// Runs the driver until so many messages were delivered in all.
inline Status PumpDelivered(Connection& connection, size_t count) {
  return connection.PumpUntil([&] { return connection.host.delivered.size() >= count; });
}

inline constexpr char kLimited[] = "\nusername=limited\npassword=limited";

}  // namespace dsmsg::redis

#endif  // DSMSG_ADAPTORS_REDIS_TEST_FIXTURE_H_
