// SPDX-License-Identifier: Apache-2.0
#include "senders.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "hosts.h"
#include "ledger.h"

namespace dsmsg::bench {
namespace {

using conformance::HostA;
using conformance::HostB;
using conformance::Ledger;
using conformance::Link;
using conformance::Record;

constexpr char kNoHandle[] = "the adaptor does not connect (its log says why)";

class Direct final : public Sender {
 public:
  explicit Direct(const Endpoint& endpoint)
      : link_(Link::Open(endpoint.adaptor, endpoint.connection, endpoint.config,
                         [](NvDsMsgApiHandle, NvDsMsgApiEventType) {})) {
    if (!link_.ok()) throw std::runtime_error(kNoHandle);
    work_ = std::thread([this] {
      while (!over_.load(std::memory_order_relaxed)) link_.DoWork();
    });
  }
  ~Direct() override { (void)Finish(); }

  bool Send(const Letter& letter, Sent* sent) override {
    return link_.SendAsync(const_cast<char*>(letter.topic.c_str()), letter.payload, OnSent, sent) ==
           NVDS_MSGAPI_OK;
  }

  bool SendAndWait(const Letter& letter) override {
    return link_.Send(letter.topic, letter.payload) == NVDS_MSGAPI_OK;
  }

  uint64_t Finish() override {
    if (!work_.joinable()) return 0;
    over_ = true;
    work_.join();
    link_.Disconnect();
    return 0;
  }

 private:
  static void OnSent(void* user, NvDsMsgApiErrorType status) {
    Tracker::Done(static_cast<Sent*>(user), status == NVDS_MSGAPI_OK);
  }

  const Link link_;
  std::atomic<bool> over_{false};
  std::thread work_;
};

/// The books of a host, which knows its messages as records.
class Books {
 public:
  explicit Books(const std::vector<Letter>& letters) {
    for (const Letter& letter : letters) ledger_.Add(letter.topic, letter.key, letter.payload);
    sents_.resize(letters.size());
  }
  /// Call it once the host has set its own.
  void WatchCallbacks() {
    const auto host = ledger_.on_callback;
    ledger_.on_callback = [this, host](Record& record) {
      Tracker::Done(sents_[record.id], true);  // the record's flag is set after this
      host(record);
    };
  }
  Record& Next(Sent* sent) {
    sents_[next_] = sent;
    return ledger_[next_++];
  }
  Ledger& ledger() { return ledger_; }
  uint64_t failed() const { return next_ - ledger_.Count(NVDS_MSGAPI_OK); }

 private:
  Ledger ledger_;
  std::vector<Sent*> sents_;
  size_t next_ = 0;
};

bool IsMqtt(const Endpoint& endpoint) {
  return endpoint.adaptor.path().ends_with("libnvds_mqtt_proto.so");
}

class SenderA final : public Sender {
 public:
  SenderA(const Endpoint& endpoint, const std::vector<Letter>& letters)
      : books_(letters),
        link_(Link::Open(endpoint.adaptor, endpoint.connection, endpoint.config)),
        host_(link_, books_.ledger(), {.endless = IsMqtt(endpoint)}) {
    if (!link_.ok()) throw std::runtime_error(kNoHandle);
    books_.WatchCallbacks();
    host_.Start();
  }
  bool Send(const Letter&, Sent* sent) override { return host_.Render(books_.Next(sent)); }
  uint64_t Finish() override {
    host_.Stop();
    return books_.failed();
  }

 private:
  Books books_;
  const Link link_;
  HostA host_;
};

class SenderB final : public Sender {
 public:
  SenderB(const Endpoint& endpoint, const std::vector<Letter>& letters)
      : books_(letters),
        host_(HostB::Connect(endpoint.adaptor, endpoint.connection, endpoint.config,
                             books_.ledger(), {.endless = IsMqtt(endpoint)})) {
    if (host_ == nullptr) throw std::runtime_error(kNoHandle);
    books_.WatchCallbacks();
  }
  bool Send(const Letter&, Sent* sent) override {
    return host_->Send(books_.Next(sent)) == HostB::Sent::kOk;
  }
  uint64_t Finish() override {
    host_->Disconnect();
    return books_.failed();
  }

 private:
  Books books_;
  const std::shared_ptr<HostB> host_;
};

/// do_work finds a completion or waits for one, as rule 4 asks of an adaptor.
class Null {
 public:
  static conformance::AdaptorFunctions Functions() {
    conformance::AdaptorFunctions functions;
    functions.connect = [](char*, nvds_msgapi_connect_cb_t, char*) -> NvDsMsgApiHandle {
      return &The();
    };
    functions.send_async = [](NvDsMsgApiHandle, char*, const uint8_t*, size_t,
                              nvds_msgapi_send_cb_t callback, void* user) {
      const std::lock_guard lock(The().mutex_);
      The().ready_.emplace_back(callback, user);
      The().changed_.notify_one();
      return NVDS_MSGAPI_OK;
    };
    functions.do_work = [](NvDsMsgApiHandle) { The().Work(); };
    functions.disconnect = [](NvDsMsgApiHandle) { return NVDS_MSGAPI_OK; };
    return functions;
  }

 private:
  static Null& The() {
    static Null adaptor;
    return adaptor;
  }
  void Work() {
    std::deque<std::pair<nvds_msgapi_send_cb_t, void*>> batch;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, std::chrono::milliseconds(50), [this] { return !ready_.empty(); });
      batch.swap(ready_);
    }
    for (const auto& [callback, user] : batch) callback(user, NVDS_MSGAPI_OK);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<nvds_msgapi_send_cb_t, void*>> ready_;
};

}  // namespace

std::unique_ptr<Sender> MakeDirect(const Endpoint& endpoint) {
  return std::make_unique<Direct>(endpoint);
}

std::unique_ptr<Sender> MakeHostA(const Endpoint& endpoint, const std::vector<Letter>& letters) {
  return std::make_unique<SenderA>(endpoint, letters);
}

std::unique_ptr<Sender> MakeHostB(const Endpoint& endpoint, const std::vector<Letter>& letters) {
  return std::make_unique<SenderB>(endpoint, letters);
}

const conformance::Adaptor& NullAdaptor() {
  static const conformance::Adaptor adaptor(Null::Functions());
  return adaptor;
}

}  // namespace dsmsg::bench
