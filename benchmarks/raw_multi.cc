// SPDX-License-Identifier: Apache-2.0
// The adaptor for several destinations beside the plain one: the raw side is the Redis adaptor by
// itself, driven as the other side drives the multi adaptor, which has the same server as its only
// destination (multi), or two servers (multi-two; the raw side sends to one).
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "adaptor.h"
#include "target.h"

namespace dsmsg::bench {
namespace {

constexpr char kServer[] = R"({"config":["appendonly no"]})";
constexpr char kRedis[] = "/libnvds_redis_proto.so";

/// The plain adaptor, with a thread that does its work.
class PlainClient : public RawClient {
 public:
  explicit PlainClient(const std::string& connection)
      : config_({"streamsize=0"}),
        adaptor_(conformance::Adaptor::Load(std::string(DSMSG_LIB_DIR) + kRedis)),
        link_(conformance::Link::Open(*adaptor_, connection, config_.path(),
                                      [](NvDsMsgApiHandle, NvDsMsgApiEventType) {})) {
    if (!link_.ok()) throw std::runtime_error("the Redis adaptor does not connect");
    work_ = std::thread([this] {
      while (!over_.load(std::memory_order_relaxed)) link_.DoWork();
    });
  }
  ~PlainClient() override {
    over_ = true;
    work_.join();
    link_.Disconnect();
  }

  void Submit(const Letter& letter, Sent* sent) override {
    const auto done = [](void* user, NvDsMsgApiErrorType status) {
      Tracker::Done(static_cast<Sent*>(user), status == NVDS_MSGAPI_OK);
    };
    if (link_.SendAsync(const_cast<char*>(letter.topic.c_str()), letter.payload, done, sent) !=
        NVDS_MSGAPI_OK) {
      Tracker::Done(sent, false);
    }
  }

  void Poll(std::chrono::microseconds wait) override {
    if (wait.count() > 0) std::this_thread::sleep_for(std::min(wait, kLook));
  }

 private:
  static constexpr std::chrono::microseconds kLook{200};

  const ConfigFile config_;
  const std::unique_ptr<conformance::Adaptor> adaptor_;
  const conformance::Link link_;
  std::atomic<bool> over_{false};
  std::thread work_;
};

class MultiTarget : public Target {
 public:
  MultiTarget(std::string name, size_t servers) : name_(std::move(name)), count_(servers) {}
  ~MultiTarget() override {
    if (!path_.empty()) unlink(path_.c_str());
  }
  std::string name() const override { return name_; }
  std::string adaptor() const override { return "multi"; }
  std::string client() const override { return "the Redis adaptor by itself"; }
  std::string terms() const override {
    return "Redis streams without trimming, " + std::to_string(count_) +
           (count_ == 1 ? " destination" : " destinations (the raw side: one), mode=all");
  }
  uint64_t window() const override { return UINT64_MAX; }  // its queue is the bound
  void Start(const Setup&) override {
    servers_.clear();
    std::string handlers;
    for (size_t i = 0; i < count_; ++i) {
      servers_.push_back(std::make_unique<conformance::Server>("redis", kServer));
      servers_.back()->EnsureUp();
      handlers += std::string(handlers.empty() ? "" : ",") + "\"to" + std::to_string(i) +
                  R"(":{"uri":"redis://)" + servers_.back()->host() + ":" +
                  std::to_string(servers_.back()->port()) +
                  R"(","topics":"*","config":{"streamsize":0}})";
    }
    const char* const folder = std::getenv("TMPDIR");
    path_ = std::string(folder != nullptr ? folder : "/tmp") + "/dsmsg-bench-" + name_ + "-" +
            std::to_string(getpid()) + ".json";
    std::ofstream(path_) << R"({"output":{"handlers":{)" << handlers << "}}}";
  }
  std::string connection() const override { return path_; }
  std::vector<std::string> config() const override { return {}; }
  std::unique_ptr<RawClient> Connect() override {
    return std::make_unique<PlainClient>(servers_[0]->host() + ";" +
                                         std::to_string(servers_[0]->port()));
  }
  pid_t server() const override { return servers_[0]->pid(); }

 private:
  const std::string name_;
  const size_t count_;
  std::vector<std::unique_ptr<conformance::Server>> servers_;
  std::string path_;
};

[[maybe_unused]] const bool registered =
    RegisterTarget(std::make_unique<MultiTarget>("multi", 1)) &&
    RegisterTarget(std::make_unique<MultiTarget>("multi-two", 2));

}  // namespace
}  // namespace dsmsg::bench
