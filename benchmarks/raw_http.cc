// SPDX-License-Identifier: Apache-2.0
// libcurl's multi interface, one thread: as many POST at a time as the adaptor may have, each with
// an Idempotency-Key. The server is libmicrohttpd in a process of its own, which reads a body and
// answers 204.
#include <curl/curl.h>
#include <microhttpd.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>

#include "target.h"

namespace dsmsg::bench {
namespace {

constexpr size_t kAtATime = 8;

MHD_Result OnRequest(void*, MHD_Connection* connection, const char*, const char*, const char*,
                     const char*, size_t* size, void** state) {
  static int begun;
  if (*state == nullptr || *size > 0) {
    *state = &begun;
    *size = 0;
    return MHD_YES;
  }
  MHD_Response* const response =
      MHD_create_response_from_buffer(0, nullptr, MHD_RESPMEM_PERSISTENT);
  const MHD_Result queued = MHD_queue_response(connection, MHD_HTTP_NO_CONTENT, response);
  MHD_destroy_response(response);
  return queued;
}

void Serve(int answer) {
  MHD_Daemon* const daemon =
      MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, nullptr, nullptr, &OnRequest, nullptr,
                       MHD_OPTION_LISTEN_BACKLOG_SIZE, 128U, MHD_OPTION_END);
  if (daemon == nullptr) return;
  const unsigned port = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
  if (dprintf(answer, "%u\n", port) < 0) return;
  close(answer);
  while (true) pause();
}

class CurlClient : public RawClient {
 public:
  explicit CurlClient(std::string base) : base_(std::move(base)), multi_(curl_multi_init()) {
    for (Slot& slot : slots_) slot.easy = curl_easy_init();
  }
  ~CurlClient() override {
    for (const Slot& slot : slots_) {
      curl_multi_remove_handle(multi_, slot.easy);
      curl_easy_cleanup(slot.easy);
      curl_slist_free_all(slot.headers);
    }
    curl_multi_cleanup(multi_);
  }
  CurlClient(const CurlClient&) = delete;
  CurlClient& operator=(const CurlClient&) = delete;

  void Submit(const Letter& letter, Sent* sent) override { waiting_.push_back({letter, sent}); }

  void Poll(std::chrono::microseconds wait) override {
    Begin();
    if (Work() || wait.count() == 0) return Begin();
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(wait);
    curl_multi_poll(multi_, nullptr, 0, static_cast<int>(ms.count()), nullptr);
    Work();
    Begin();
  }

 private:
  struct Waiting {
    Letter letter;
    Sent* sent;
  };
  struct Slot {
    CURL* easy = nullptr;
    curl_slist* headers = nullptr;
    Sent* sent = nullptr;  // null: free
  };

  void Begin() {
    for (Slot& slot : slots_) {
      if (slot.sent != nullptr || waiting_.empty()) continue;
      const auto& [letter, sent] = waiting_.front();
      slot.sent = sent;
      const std::string id = "Idempotency-Key: raw-" + std::to_string(++id_);
      curl_slist_free_all(slot.headers);
      slot.headers = curl_slist_append(nullptr, "Content-Type: application/json");
      slot.headers = curl_slist_append(slot.headers, "Expect:");
      slot.headers = curl_slist_append(slot.headers, id.c_str());
      curl_easy_setopt(slot.easy, CURLOPT_NOSIGNAL, 1L);
      curl_easy_setopt(slot.easy, CURLOPT_PROXY, "");
      curl_easy_setopt(slot.easy, CURLOPT_TCP_NODELAY, 1L);
      curl_easy_setopt(slot.easy, CURLOPT_PRIVATE, &slot);
      curl_easy_setopt(slot.easy, CURLOPT_URL, (base_ + letter.topic).c_str());
      curl_easy_setopt(slot.easy, CURLOPT_POSTFIELDSIZE_LARGE,
                       static_cast<curl_off_t>(letter.payload.size()));
      curl_easy_setopt(slot.easy, CURLOPT_POSTFIELDS, letter.payload.data());
      curl_easy_setopt(slot.easy, CURLOPT_HTTPHEADER, slot.headers);
      curl_multi_add_handle(multi_, slot.easy);
      waiting_.pop_front();
    }
  }

  bool Work() {
    int running = 0, left = 0;
    curl_multi_perform(multi_, &running);
    bool any = false;
    while (const CURLMsg* const message = curl_multi_info_read(multi_, &left)) {
      const CURLcode code = message->data.result;
      CURL* const easy = message->easy_handle;
      Slot* slot = nullptr;
      long status = 0;
      curl_easy_getinfo(easy, CURLINFO_PRIVATE, &slot);
      curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
      curl_multi_remove_handle(multi_, easy);
      if (code != CURLE_OK) throw std::runtime_error(curl_easy_strerror(code));
      Sent* const sent = std::exchange(slot->sent, nullptr);
      Tracker::Done(sent, status == 204);
      any = true;
    }
    return any;
  }

  const std::string base_;
  CURLM* const multi_;
  std::array<Slot, kAtATime> slots_;
  std::deque<Waiting> waiting_;
  uint64_t id_ = 0;
};

class HttpTarget : public Target {
 public:
  std::string name() const override { return "http"; }
  std::string adaptor() const override { return "http"; }
  std::string client() const override {
    return std::string("libcurl ") + curl_version_info(CURLVERSION_NOW)->version;
  }
  std::string terms() const override {
    return "POST with Idempotency-Key, HTTP/1.1, 8 requests at a time";
  }
  void Start(const Setup& setup) override {
    proxy_.reset();
    server_ = std::make_unique<Helper>(&Serve);
    if (setup.round_trip.count() > 0)
      proxy_ = MakeProxy(static_cast<uint16_t>(std::stoul(server_->text())), 0, setup.round_trip);
  }
  std::string connection() const override { return "http://127.0.0.1:" + port(); }
  std::vector<std::string> config() const override {
    // A short queue: a run ends with the last message of it.
    return {"max-inflight=" + std::to_string(kAtATime), "key=${sensor.id}", "queue-size=2000"};
  }
  std::unique_ptr<RawClient> Connect() override {
    return std::make_unique<CurlClient>("http://127.0.0.1:" + port() + "/");
  }
  pid_t server() const override { return server_->pid(); }

 private:
  std::string port() const { return proxy_ != nullptr ? proxy_->text() : server_->text(); }

  std::unique_ptr<Helper> server_, proxy_;
};

DSMSG_TARGET(HttpTarget);

}  // namespace
}  // namespace dsmsg::bench
