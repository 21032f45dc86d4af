// SPDX-License-Identifier: Apache-2.0
#include <hiredis/hiredis.h>

#include <cstring>
#include <thread>

#include "consumer.h"

namespace dsmsg_demo {
namespace {

using dsmsg::Code;
using dsmsg::Status;

constexpr timeval kConnectTimeout = {5, 0};
constexpr char kPayloadField[] = "metadata";  // the adaptor's default payloadkey

struct ReplyDelete {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, ReplyDelete>;

struct ContextDelete {
  void operator()(redisContext* context) const { redisFree(context); }
};
using Context = std::unique_ptr<redisContext, ContextDelete>;

class RedisConsumer : public Consumer {
 public:
  RedisConsumer(Context context, std::string stream)
      : context_(std::move(context)), stream_(std::move(stream)) {}

  Status Poll(std::chrono::milliseconds budget, const OnMessage& on_message) override {
    const Reply reply(static_cast<redisReply*>(
        redisCommand(context_.get(), "XREAD COUNT 1000 BLOCK %d STREAMS %s %s",
                     static_cast<int>(budget.count()), stream_.c_str(), last_id_.c_str())));
    if (reply == nullptr) {  // it is away: go on behind the last entry once it is back
      std::this_thread::sleep_for(budget);
      redisReconnect(context_.get());
      return {};
    }
    if (reply->type == REDIS_REPLY_ERROR)
      return Status(Code::kRejected, std::string("redis: ") + reply->str);
    // [[stream, [[id, [field, value, ...]], ...]]], or nil when nothing came
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1) return {};
    const redisReply& entries = *reply->element[0]->element[1];
    for (size_t i = 0; i < entries.elements; ++i) {
      const redisReply& entry = *entries.element[i];
      last_id_.assign(entry.element[0]->str, entry.element[0]->len);
      const redisReply& fields = *entry.element[1];
      for (size_t f = 0; f + 1 < fields.elements; f += 2) {
        const redisReply& value = *fields.element[f + 1];
        if (std::strcmp(fields.element[f]->str, kPayloadField) == 0)
          on_message({value.str, value.len});
      }
    }
    return {};
  }

 private:
  const Context context_;
  const std::string stream_;
  std::string last_id_ = "0";
};

/// Reads the stream from its beginning.
dsmsg::Result<std::unique_ptr<Consumer>> Open(Target& target, const std::string& stream) {
  Context context(redisConnectWithTimeout(target.host.c_str(), target.port, kConnectTimeout));
  if (context == nullptr) return Status(Code::kInternal, "out of memory");
  if (context->err != 0) {
    return Status(Code::kUnavailable, "the demo's consumer cannot reach Redis at " +
                                          target.address() + ": " + context->errstr);
  }
  return std::unique_ptr<Consumer>(std::make_unique<RedisConsumer>(std::move(context), stream));
}

[[maybe_unused]] const bool registered =
    RegisterConsumer("redis", &Open, {.kind = "redis", .title = "a real Redis", .goes_on = true});

}  // namespace
}  // namespace dsmsg_demo
