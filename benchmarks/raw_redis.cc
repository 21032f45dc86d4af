// SPDX-License-Identifier: Apache-2.0
// hiredis, with as many XADD in the pipeline as the adaptor may have, one thread. Nothing is
// trimmed: what was sent is removed after each run.
#include <hiredis/hiredis.h>

#include <deque>
#include <stdexcept>

#include "target.h"

namespace dsmsg::bench {
namespace {

class RedisClient : public RawClient {
 public:
  RedisClient(const std::string& host, int port) : context_(redisConnect(host.c_str(), port)) {
    if (context_ == nullptr || context_->err != 0) throw std::runtime_error("cannot reach Redis");
  }
  ~RedisClient() override { redisFree(context_); }

  void Submit(const Letter& letter, Sent* sent) override {
    const char* argv[] = {"XADD", letter.topic.data(), "*", "metadata", letter.payload.data()};
    const size_t lengths[] = {4, letter.topic.size(), 1, 8, letter.payload.size()};
    redisAppendCommandArgv(context_, 5, argv, lengths);
    waiting_.push_back(sent);
  }

  void Poll(std::chrono::microseconds wait) override {
    for (int done = 0; done == 0;) Check(redisBufferWrite(context_, &done));
    if (!Readable(context_->fd, wait)) return;
    Check(redisBufferRead(context_));
    for (void* reply = nullptr;;) {
      Check(redisReaderGetReply(context_->reader, &reply));
      if (reply == nullptr) return;
      const bool entry = static_cast<redisReply*>(reply)->type == REDIS_REPLY_STRING;
      freeReplyObject(reply);
      Tracker::Done(waiting_.front(), entry);
      waiting_.pop_front();
    }
  }

  void Clear(const std::string& pattern) {
    auto* keys = static_cast<redisReply*>(redisCommand(context_, "KEYS %s", pattern.c_str()));
    for (size_t i = 0; keys != nullptr && i < keys->elements; ++i) {
      freeReplyObject(redisCommand(context_, "DEL %s", keys->element[i]->str));
    }
    freeReplyObject(keys);
  }

 private:
  void Check(int code) const {
    if (code != REDIS_OK) throw std::runtime_error(context_->errstr);
  }

  redisContext* const context_;
  std::deque<Sent*> waiting_;
};

class RedisTarget : public BrokerTarget {
 public:
  RedisTarget() : BrokerTarget("redis") {}
  std::string name() const override { return "redis"; }
  std::string adaptor() const override { return "redis"; }
  std::string client() const override {
    return "hiredis " + std::to_string(HIREDIS_MAJOR) + "." + std::to_string(HIREDIS_MINOR);
  }
  std::string terms() const override {
    return "XADD without trimming, pipeline of 1000; tuned: the server has a second thread for I/O";
  }
  std::vector<std::string> config() const override {
    return {"streamsize=0", "pipeline=" + std::to_string(kWindow)};
  }
  std::unique_ptr<RawClient> Connect() override {
    return std::make_unique<RedisClient>(host(), port());
  }
  void Clear() override { RedisClient(host(), port()).Clear(std::string(kTopic) + "*"); }

 protected:
  std::string ServerArgs(const Setup& setup, uint16_t /*proxy*/) const override {
    return setup.tuned ? R"({"config":["appendonly no","io-threads 2"]})"
                       : R"({"config":["appendonly no"]})";
  }
};

DSMSG_TARGET(RedisTarget);

}  // namespace
}  // namespace dsmsg::bench
