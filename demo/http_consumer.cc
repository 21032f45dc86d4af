// SPDX-License-Identifier: Apache-2.0
#include <microhttpd.h>
#include <netinet/in.h>

#include <condition_variable>
#include <deque>
#include <mutex>

#include "consumer.h"

namespace dsmsg_demo {
namespace {

using dsmsg::Code;
using dsmsg::Status;

/// A web server. There is no broker: the adaptor posts to it.
class HttpConsumer : public Consumer {
 public:
  ~HttpConsumer() override {
    if (daemon_ != nullptr) MHD_stop_daemon(daemon_);
  }

  Status Listen(Target& target) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    daemon_ = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, nullptr, nullptr, &OnRequest, this,
                               MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_NOTIFY_COMPLETED, &OnEnd,
                               nullptr, MHD_OPTION_END);
    if (daemon_ == nullptr)
      return {Code::kUnavailable, "the demo's consumer cannot start a web server"};
    const unsigned port = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_BIND_PORT)->port;
    target.connection = "http://127.0.0.1:" + std::to_string(port);
    target.title = "HTTP without a broker, POST to a web server at " + target.connection;
    return {};
  }

  Status Poll(std::chrono::milliseconds budget, const OnMessage& on_message) override {
    std::deque<std::string> found;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, budget, [this] { return !bodies_.empty(); });
      found.swap(bodies_);
    }
    for (const std::string& body : found) on_message(body);
    return {};
  }

 private:
  // On the server's thread.
  static MHD_Result OnRequest(void* self, MHD_Connection* connection, const char*, const char*,
                              const char*, const char* data, size_t* size, void** state) {
    if (*state == nullptr) {
      *state = new std::string;
      return MHD_YES;
    }
    auto* const body = static_cast<std::string*>(*state);
    if (*size > 0) {
      body->append(data, *size);
      *size = 0;
      return MHD_YES;
    }
    auto* const consumer = static_cast<HttpConsumer*>(self);
    {
      const std::lock_guard lock(consumer->mutex_);
      consumer->bodies_.push_back(std::move(*body));
    }
    consumer->changed_.notify_one();
    MHD_Response* const response =
        MHD_create_response_from_buffer(0, nullptr, MHD_RESPMEM_PERSISTENT);
    const MHD_Result queued = MHD_queue_response(connection, MHD_HTTP_NO_CONTENT, response);
    MHD_destroy_response(response);
    return queued;
  }

  static void OnEnd(void*, MHD_Connection*, void** state, MHD_RequestTerminationCode) {
    delete static_cast<std::string*>(*state);
    *state = nullptr;
  }

  MHD_Daemon* daemon_ = nullptr;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> bodies_;
};

dsmsg::Result<std::unique_ptr<Consumer>> Open(Target& target, const std::string&) {
  auto consumer = std::make_unique<HttpConsumer>();
  Status status = consumer->Listen(target);
  if (!status.ok()) return status;
  return std::unique_ptr<Consumer>(std::move(consumer));
}

[[maybe_unused]] const bool registered = RegisterConsumer("http", &Open, {});

}  // namespace
}  // namespace dsmsg_demo
