// SPDX-License-Identifier: Apache-2.0
// What the tests of the Redis driver share: a real server on a free loopback port, and a second
// client.
#ifndef DSMSG_ADAPTORS_REDIS_TEST_FIXTURE_H_
#define DSMSG_ADAPTORS_REDIS_TEST_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "adaptors/redis/driver.h"
#include "support/driver_harness.h"
#include "support/server_process.h"

struct redisContext;
struct redisReply;

namespace dsmsg::redis {

using Connection = testing::DriverHarness<RedisDriver>;
using testing::Environment;

/// redis-server as a child process.
class RedisServer {
 public:
  /// Starts it and waits until it answers. `arguments` are further options such as
  /// {"--requirepass", "x"}.
  explicit RedisServer(std::vector<std::string> arguments = {});

  uint16_t port() const { return port_; }
  void Kill() { process_.Kill(); }
  void Restart();  // on the same port, without data
  void Freeze() { process_.Freeze(); }
  void Thaw() { process_.Thaw(); }

 private:
  bool Spawn();

  const std::vector<std::string> arguments_;
  const testing::TemporaryFolder folder_;
  uint16_t port_ = 0;
  testing::ServerProcess process_;
};

/// A plain client, independent of the driver.
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

std::string AddressOf(const RedisServer& server);

inline constexpr char kLimited[] = "\nusername=limited\npassword=limited";

}  // namespace dsmsg::redis

#endif  // DSMSG_ADAPTORS_REDIS_TEST_FIXTURE_H_
