// SPDX-License-Identifier: Apache-2.0
// An adaptor without a broker: records every call and behaves as a test tells it to. The test and
// the library share one FakeControl, found with dlsym("fake_control").
#ifndef DSMSG_TESTS_GST_FAKE_ADAPTOR_H_
#define DSMSG_TESTS_GST_FAKE_ADAPTOR_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "nvds_msgapi.h"

struct FakeMessage {
  bool has_topic = false;
  std::string topic, payload, key;
  int64_t timestamp_ms = 0;
};

/// Threads: `mutex` guards all of it; `changed` is notified after every call of the adaptor.
struct FakeControl {
  std::mutex mutex;
  std::condition_variable changed;

  // What the adaptor shall do.
  std::string protocol = "FAKE";
  bool refuse_connect = false;
  NvDsMsgApiErrorType send_result = NVDS_MSGAPI_OK;  // of send_async
  NvDsMsgApiErrorType completion = NVDS_MSGAPI_OK;   // of the callbacks
  bool hold_sends = false;                           // send_async does not return
  bool hold_completions = false;                     // messages stay pending, also in do_work
  bool forget =
      false;  // disconnect drops what is pending without a callback (against the contract)
  std::string stats =
      "{\"acknowledged\": 3, \"queue\": {\"depth\": 4}, \"link\": \"up\", \"load\": 0.5}";
  std::string last_error = "fake: the broker said no";
  std::string signature;     // of connections; "": not shared
  bool needs_topic = false;  // refuses what comes without

  // What was called.
  std::vector<FakeMessage> messages;
  std::deque<std::pair<nvds_msgapi_send_cb_t, void*>> pending;
  std::string conn_str, config;
  int connects = 0, disconnects = 0, do_works = 0, sends_waiting = 0;
  NvDsMsgApiHandle handle = nullptr;
  nvds_msgapi_connect_cb_t connect_cb = nullptr;
};

#endif  // DSMSG_TESTS_GST_FAKE_ADAPTOR_H_
