// SPDX-License-Identifier: Apache-2.0
// What the tests of a session share: a session on the fake driver, with its outcomes, events and
// received messages counted.
#ifndef DSMSG_TESTS_UNIT_SESSION_FIXTURE_H_
#define DSMSG_TESTS_UNIT_SESSION_FIXTURE_H_

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/time.h"
#include "core/session/session.h"
#include "unit/fake_driver.h"

namespace dsmsg {

using testing::FakeBroker;
using testing::FakeDriver;

struct Counts {
  std::atomic<int> ok{0}, failed{0}, unknown_topic{0};
  int total() const { return ok + failed + unknown_topic; }
};

inline void CountOutcome(void* user_ptr, NvDsMsgApiErrorType outcome) {
  auto* counts = static_cast<Counts*>(user_ptr);
  ++(outcome == NVDS_MSGAPI_OK    ? counts->ok
     : outcome == NVDS_MSGAPI_ERR ? counts->failed
                                  : counts->unknown_topic);
}

inline std::vector<std::pair<NvDsMsgApiHandle, NvDsMsgApiEventType>> events;
inline std::mutex events_mutex;
inline void CollectEvent(NvDsMsgApiHandle handle, NvDsMsgApiEventType event) {
  std::lock_guard lock(events_mutex);
  events.emplace_back(handle, event);
}

class SessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    FakeBroker::Get().Reset();
    std::lock_guard lock(events_mutex);
    events.clear();
  }

  std::shared_ptr<Session> Open(const std::string& options,
                                const DriverFactory& factory = FakeDriver::Factory()) {
    const std::string path = ::testing::TempDir() + "session_" +
                             ::testing::UnitTest::GetInstance()->current_test_info()->name() +
                             ".txt";
    std::ofstream(path) << "[message-broker]\nreconnect-interval=1ms\nreconnect-max-interval=5ms\n"
                        << options;
    auto session = Session::Connect(factory, "localhost;1", path, &CollectEvent, &handle_);
    if (!session.ok()) {
      connect_error_ = session.status();
      return nullptr;
    }
    session.value()->notifier().ConnectReturning();
    return session.value();
  }

  static SendRequest Request(std::string_view payload, std::string_view topic = "t") {
    SendRequest request;
    request.topic = topic;
    request.payload = payload;
    return request;
  }

  template <class Condition>
  static bool WaitFor(Condition condition) {
    const Deadline deadline = Clock::now() + std::chrono::seconds(120);
    while (!condition()) {
      if (Clock::now() > deadline) return false;
      std::this_thread::sleep_for(Millis(1));  // between two looks
    }
    return true;
  }

  int handle_ = 0;
  Status connect_error_;
  Counts counts_;
};

struct Received {
  std::mutex mutex;
  std::vector<std::string> messages;
  Session* session = nullptr;
  Status disconnect_status;
};
inline void CollectMessage(NvDsMsgApiErrorType, void* message, int size, char* topic,
                           void* user_ptr) {
  auto* received = static_cast<Received*>(user_ptr);
  Status status;
  if (received->session != nullptr) status = received->session->Disconnect();
  std::lock_guard lock(received->mutex);
  received->messages.push_back(std::string(topic) + "|" +
                               std::string(static_cast<char*>(message), static_cast<size_t>(size)));
  received->disconnect_status = status;
}

inline std::string NewFolder() {
  std::string folder = ::testing::TempDir() + "session_XXXXXX";
  return mkdtemp(folder.data()) == nullptr ? "" : folder;
}

}  // namespace dsmsg

#endif  // DSMSG_TESTS_UNIT_SESSION_FIXTURE_H_
