// SPDX-License-Identifier: Apache-2.0
// One sink, two destinations: a real Redis and a web server. A message counts as received when both
// have it; each is read as in the demo of its adaptor.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <unordered_set>

#include "consumer.h"

namespace dsmsg_demo {
namespace {

using dsmsg::Code;
using dsmsg::Status;

class MultiConsumer : public Consumer {
 public:
  ~MultiConsumer() override {
    if (!path_.empty()) unlink(path_.c_str());
  }

  Status Begin(Target& target, const std::string& topic) {
    Target redis, web;
    redis.adaptor = "redis";
    redis.host = target.host;
    redis.port = target.port;
    web.adaptor = "http";
    for (Target* each : {&redis, &web}) {
      auto reader = OpenConsumer(*each, topic);
      if (!reader.ok()) return reader.status();
      readers_.push_back(std::move(reader.value()));
    }
    target.title = "two destinations: Redis at " + target.address() + ", and " + web.connection;
    if (Status status = WriteHandlers("redis://" + redis.address(), web.connection); !status.ok()) {
      return status;
    }
    target.connection = path_;
    return {};
  }

  Status Poll(std::chrono::milliseconds budget, const OnMessage& on_message) override {
    const auto at_one = [&](std::string_view payload) {
      const auto [known, first] = at_one_.emplace(payload);
      if (first) return;
      at_one_.erase(known);  // and now at the other
      on_message(payload);
    };
    for (const auto& reader : readers_) {
      Status status = reader->Poll(budget / 2, at_one);
      if (!status.ok()) return status;
    }
    return {};
  }

 private:
  Status WriteHandlers(const std::string& redis, const std::string& web) {
    std::string path = "/tmp/dsmsg-demo-XXXXXX.json";
    const int fd = mkstemps(path.data(), 5);
    std::FILE* const file = fd < 0 ? nullptr : fdopen(fd, "w");
    if (file == nullptr) return {Code::kInternal, "cannot write " + path};
    path_ = path;
    std::fprintf(file,
                 R"({"output": {"handlers": {
  "redis": {"uri": "%s", "topics": "*"},
  "web": {"uri": "%s", "topics": "*"}
}}})",
                 redis.c_str(), web.c_str());
    return std::fclose(file) == 0 ? Status() : Status(Code::kInternal, "cannot write " + path);
  }

  std::vector<std::unique_ptr<Consumer>> readers_;
  std::unordered_set<std::string> at_one_;  // payloads
  std::string path_;
};

dsmsg::Result<std::unique_ptr<Consumer>> Open(Target& target, const std::string& topic) {
  auto consumer = std::make_unique<MultiConsumer>();
  Status status = consumer->Begin(target, topic);
  if (!status.ok()) return status;
  return std::unique_ptr<Consumer>(std::move(consumer));
}

[[maybe_unused]] const bool registered =
    RegisterConsumer("multi", &Open, {.kind = "redis", .title = "a real Redis"});

}  // namespace
}  // namespace dsmsg_demo
