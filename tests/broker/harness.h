// SPDX-License-Identifier: Apache-2.0
// What the tests of the client library share: fake adaptors, counted callbacks, recorded events and
// log lines. Every wait is for a condition, at most kPatience.
#ifndef DSMSG_TESTS_BROKER_HARNESS_H_
#define DSMSG_TESTS_BROKER_HARNESS_H_

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "fake_adaptor.h"
#include "nvmsgbroker.h"

namespace dsmsg::client_test {

constexpr std::chrono::seconds kPatience{120};

/// A fake adaptor, loaded until the end of the process.
class Fake : public fake::Adaptor {
 public:
  using Adaptor::Adaptor;
  /// Reports a link state to all connections, or delivers a message to all that subscribe.
  void LinkState(DsmsgLinkState state);
  void Deliver(const std::string& topic, const std::string& payload);
};

Fake& Plain();   // a third-party adaptor
Fake& Plain2();  // the same in another library
Fake& Ours();    // with the extensions

/// Counts send callbacks. Outlives the connections it is given to.
class Sends {
 public:
  /// Sends `payload`; returns the answer.
  NvMsgBrokerErrorType Send(NvMsgBrokerClientHandle handle, const std::string& payload,
                            const char* topic = "topic");
  /// Runs inside every callback, on its thread.
  std::function<void(NvMsgBrokerErrorType)> inside;

  /// Every accepted send has had exactly one callback.
  bool WaitAll();
  int accepted() const;
  int ok() const;
  int failed() const;
  bool doubled() const;

 private:
  struct Entry {
    Sends* owner;
    int calls = 0;
    bool accepted = false;
  };
  static void OnSent(void* user_ptr, NvMsgBrokerErrorType status);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Entry> entries_;
  int accepted_ = 0, called_ = 0, ok_ = 0, failed_ = 0;
  bool doubled_ = false;
};

/// States that connect callbacks received, by handle.
void OnConnectEvent(NvMsgBrokerClientHandle handle, NvMsgBrokerErrorType status);
std::vector<NvMsgBrokerErrorType> EventsOf(NvMsgBrokerClientHandle handle);
bool WaitForEvents(NvMsgBrokerClientHandle handle, const std::vector<NvMsgBrokerErrorType>& events);
/// Runs inside every connect callback.
void SetInsideEvent(std::function<void(NvMsgBrokerClientHandle)> inside);

/// Log lines since the last call.
std::vector<std::string> TakeLog();

/// A configuration file that is removed at the end.
class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text);
  ~ConfigFile();
  ConfigFile(const ConfigFile&) = delete;
  ConfigFile& operator=(const ConfigFile&) = delete;
  char* path() { return path_.data(); }

 private:
  std::string path_;
};

NvMsgBrokerClientHandle Connect(Fake& fake, const std::string& conn_str = "host;1",
                                char* config = nullptr);

class ClientTest : public ::testing::Test {
 protected:
  void SetUp() override;
};

}  // namespace dsmsg::client_test

#endif  // DSMSG_TESTS_BROKER_HARNESS_H_
