// SPDX-License-Identifier: Apache-2.0
// An adaptor with a broker of its own in memory, which does what a test tells it. The test and the
// library share one Control, found with dlsym("fake_control").
#ifndef DSMSG_TESTS_BROKER_FAKE_ADAPTOR_H_
#define DSMSG_TESTS_BROKER_FAKE_ADAPTOR_H_

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "dsmsg_ext.h"
#include "nvds_msgapi.h"

namespace fake {

struct Waiting {
  std::string topic, payload;
  nvds_msgapi_send_cb_t callback = nullptr;
  void* user_ptr = nullptr;
  std::chrono::steady_clock::time_point since;
};

struct Link {
  nvds_msgapi_connect_cb_t connect_cb = nullptr;
  nvds_msgapi_subscribe_request_cb_t subscribe_cb = nullptr;
  void* subscribe_ptr = nullptr;
  DsmsgLinkCallback link_cb = nullptr;
  void* link_ptr = nullptr;
  std::vector<std::string> topics;
  std::deque<Waiting> waiting;
};

/// What the adaptor shall do, and what it was asked.
struct State {
  std::string signature;          // answered by connection_signature
  const char* protocol = "FAKE";  // a literal
  bool hold_connects = false;     // connect does not return
  bool event_in_connect = false;  // the next connect tells DISCONNECT before it returns
  int refuse_connects = 0;        // how many of the next ones
  int refuse_sends = 0;           // how many of the next ones, by return value
  int refuse_subscribes = 0;
  bool hold_completions = false;
  bool hold_disconnects = false;
  bool forget = false;  // disconnect drops what waits without a callback (against the contract)
  size_t per_work = SIZE_MAX;            // callbacks for each do_work
  std::chrono::milliseconds latency{0};  // of an acknowledgement
  std::string poison;                    // a payload that the broker refuses
  bool callback_at_once = false;         // inside send_async (against the contract)

  int connects = 0, connects_waiting = 0, refused_connects = 0, disconnects = 0, do_works = 0;
  int subscribes = 0;
  std::map<NvDsMsgApiHandle, std::shared_ptr<Link>> links;
  std::multiset<std::string> received;  // by the broker
  std::set<std::thread::id> callers;    // of send_async, do_work, subscribe
  std::vector<std::pair<std::string, std::string>> connect_arguments;
};

struct Control {
  std::mutex mutex;
  std::condition_variable changed;  // after every call
  State state;                      // guarded by mutex
};

}  // namespace fake

#endif  // DSMSG_TESTS_BROKER_FAKE_ADAPTOR_H_
