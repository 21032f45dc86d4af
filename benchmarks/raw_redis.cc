// SPDX-License-Identifier: Apache-2.0
// hiredis, with as many XADD in the pipeline as the adaptor may have, one thread.
#include <hiredis/hiredis.h>

#include <algorithm>
#include <stdexcept>

#include "target.h"

namespace dsmsg::bench {
namespace {

constexpr char kStreamSize[] = "10000";

class RedisClient : public RawClient {
 public:
  RedisClient(const std::string& host, int port) : context_(redisConnect(host.c_str(), port)) {
    if (context_ == nullptr || context_->err != 0) throw std::runtime_error("cannot reach Redis");
  }
  ~RedisClient() override { redisFree(context_); }

  void Send(size_t count, const Payloads& payloads) override {
    for (size_t sent = 0; sent < count;) {
      const size_t burst = std::min(kWindow, count - sent);
      for (size_t i = 0; i < burst; ++i) Append(payloads[(sent + i) % payloads.size()]);
      for (size_t i = 0; i < burst; ++i) ReadReply();
      sent += burst;
    }
  }

 private:
  void Append(const std::string& payload) {
    const char* argv[] = {"XADD",      kTopic, "MAXLEN",   "~",
                          kStreamSize, "*",    "metadata", payload.data()};
    const size_t lengths[] = {4, sizeof kTopic - 1, 6, 1, sizeof kStreamSize - 1, 1,
                              8, payload.size()};
    redisAppendCommandArgv(context_, 8, argv, lengths);
  }

  void ReadReply() {
    void* reply = nullptr;
    if (redisGetReply(context_, &reply) != REDIS_OK) throw std::runtime_error(context_->errstr);
    const bool entry = static_cast<redisReply*>(reply)->type == REDIS_REPLY_STRING;
    freeReplyObject(reply);
    if (!entry) throw std::runtime_error("XADD was refused");
  }

  redisContext* const context_;
};

class RedisTarget : public BrokerTarget {
 public:
  RedisTarget() : BrokerTarget("redis", R"({"config":["appendonly no"]})") {}
  std::string name() const override { return "redis"; }
  std::string adaptor() const override { return "redis"; }
  std::string client() const override {
    return "hiredis " + std::to_string(HIREDIS_MAJOR) + "." + std::to_string(HIREDIS_MINOR);
  }
  std::string terms() const override { return "XADD MAXLEN ~ 10000, pipeline of 1000"; }
  std::vector<std::string> config() const override {
    return {std::string("streamsize=") + kStreamSize, "pipeline=" + std::to_string(kWindow)};
  }
  std::unique_ptr<RawClient> Connect() override {
    return std::make_unique<RedisClient>(host(), port());
  }
};

DSMSG_TARGET(RedisTarget);

}  // namespace
}  // namespace dsmsg::bench
