// SPDX-License-Identifier: Apache-2.0
// MQTT has no history: a recorder, libmosquitto with a persistent session and a direct connection,
// writes down everything that a Mosquitto passes on from the first test on.
//
// Threads: Of by one thread at a time, while the server is up; the other thread is the library's.
#ifndef DSMSG_CONFORMANCE_MOSQUITTO_RECORDER_H_
#define DSMSG_CONFORMANCE_MOSQUITTO_RECORDER_H_

#include <mosquitto.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ledger.h"

namespace dsmsg::conformance {

constexpr char kRecorder[] = "recorder";  // user and password that every server knows
constexpr std::chrono::seconds kRecorderPatience{240};

[[noreturn]] inline void Fail(const std::string& what) {
  throw std::runtime_error("mosquitto: " + what);
}

struct DestroyClient {
  void operator()(mosquitto* object) const { mosquitto_destroy(object); }
};

/// mosquitto_new ignores SIGPIPE for the whole process, and the suite checks that no adaptor does.
inline std::unique_ptr<mosquitto, DestroyClient> NewClient(const std::string& id, bool clean,
                                                           void* user) {
  static const int initialised = mosquitto_lib_init();
  struct sigaction before {};
  sigaction(SIGPIPE, nullptr, &before);
  std::unique_ptr<mosquitto, DestroyClient> client(mosquitto_new(id.c_str(), clean, user));
  sigaction(SIGPIPE, &before, nullptr);
  if (!client || initialised != MOSQ_ERR_SUCCESS) Fail("no client");
  return client;
}

class MosquittoRecorder {
 public:
  /// What a message on the wire is: topic and content.
  using Read = std::pair<std::string, Received> (*)(const std::string& topic, std::string payload);

  MosquittoRecorder(const std::string& host, uint16_t port, Read read)
      : read_(read), client_(NewClient("recorder-" + std::to_string(port), false, this)) {
    mosquitto_username_pw_set(client_.get(), kRecorder, kRecorder);
    mosquitto_connect_with_flags_callback_set(
        client_.get(), [](mosquitto*, void* self, int code, int flags) {
          if (code == 0) static_cast<MosquittoRecorder*>(self)->OnConnected((flags & 1) != 0);
        });
    mosquitto_subscribe_callback_set(client_.get(),
                                     [](mosquitto*, void* self, int, int, const int*) {
                                       auto* recorder = static_cast<MosquittoRecorder*>(self);
                                       std::lock_guard lock(recorder->mutex_);
                                       recorder->ready_ = true;
                                       recorder->changed_.notify_all();
                                     });
    mosquitto_message_callback_set(client_.get(),
                                   [](mosquitto*, void* self, const mosquitto_message* message) {
                                     static_cast<MosquittoRecorder*>(self)->OnMessage(*message);
                                   });
    // Signals belong to the test: the thread inherits the mask.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool begun =
        mosquitto_connect(client_.get(), host.c_str(), port, 600) == MOSQ_ERR_SUCCESS &&
        mosquitto_loop_start(client_.get()) == MOSQ_ERR_SUCCESS;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (!begun) Fail("the recorder cannot connect");
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kRecorderPatience, [this] { return ready_; })) {
      Fail("the recorder is not subscribed");
    }
  }

  ~MosquittoRecorder() { mosquitto_loop_stop(client_.get(), true); }

  /// Everything that was published to the topic before this call. Throws when messages may have
  /// been missed.
  std::vector<Received> Of(const std::string& topic) {
    // The server keeps the order: when a mark sent now has come back, everything before it is here.
    // Marks are repeated, because one may be lost with a connection.
    std::unique_lock lock(mutex_);
    const int first = marks_ + 1;
    size_t heard = heard_;
    auto deadline = Clock::now() + kRecorderPatience;
    while (last_mark_ < first && !lost_session_) {
      if (heard_ > heard) deadline = Clock::now() + kRecorderPatience;
      heard = heard_;
      if (Clock::now() > deadline) Fail("the recorder hears nothing");
      const std::string mark = std::to_string(++marks_);
      lock.unlock();  // callbacks may run inside
      mosquitto_publish(client_.get(), nullptr, kMarks, static_cast<int>(mark.size()), mark.data(),
                        1, false);
      lock.lock();
      changed_.wait_for(lock, kNextMark, [&] { return last_mark_ >= first || lost_session_; });
    }
    if (lost_session_) Fail("the recorder lost its session, and messages with it");
    return topics_[topic];
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr char kMarks[] = "recorder/mark";
  static constexpr std::chrono::seconds kNextMark{5};

  void OnConnected(bool session_present) {
    {
      std::lock_guard lock(mutex_);
      lost_session_ = lost_session_ || (ready_ && !session_present);
      changed_.notify_all();
    }
    mosquitto_subscribe(client_.get(), nullptr, "#", 1);
  }

  void OnMessage(const mosquitto_message& message) {
    std::string payload(static_cast<const char*>(message.payload),
                        static_cast<size_t>(message.payloadlen));
    std::lock_guard lock(mutex_);
    ++heard_;
    if (std::string_view(message.topic) == kMarks) {
      last_mark_ = std::max(last_mark_, std::atoi(payload.c_str()));
      changed_.notify_all();
    } else {
      auto [topic, received] = read_(message.topic, std::move(payload));
      topics_[topic].push_back(std::move(received));
    }
  }

  const Read read_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::vector<Received>> topics_;
  int marks_ = 0, last_mark_ = 0;  // published, heard
  size_t heard_ = 0;
  bool ready_ = false, lost_session_ = false;
  std::unique_ptr<mosquitto, DestroyClient> client_;  // last: its thread uses the rest
};

}  // namespace dsmsg::conformance

#endif  // DSMSG_CONFORMANCE_MOSQUITTO_RECORDER_H_
