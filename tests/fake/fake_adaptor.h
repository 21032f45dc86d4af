// SPDX-License-Identifier: Apache-2.0
// An adaptor with its own broker in memory, which behaves as a test says and records the calls. The
// test and the library share one Control, found with dlsym("fake_control").
#ifndef DSMSG_TESTS_FAKE_FAKE_ADAPTOR_H_
#define DSMSG_TESTS_FAKE_FAKE_ADAPTOR_H_

#include <dlfcn.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "dsmsg_ext.h"
#include "nvds_msgapi.h"

namespace fake {

struct Message {
  bool has_topic = false;
  std::string topic, payload, key;
  int64_t timestamp_ms = 0;
};

struct Waiting {
  std::string payload;
  nvds_msgapi_send_cb_t callback = nullptr;
  void* user_ptr = nullptr;
  std::chrono::steady_clock::time_point since;
};

struct Connection {
  nvds_msgapi_connect_cb_t connect_cb = nullptr;
  nvds_msgapi_subscribe_request_cb_t subscribe_cb = nullptr;
  void* subscribe_ptr = nullptr;
  DsmsgLinkCallback link_cb = nullptr;
  void* link_ptr = nullptr;
  std::vector<std::string> topics;
  std::deque<Waiting> waiting;  // sent, not called back
};

/// How the adaptor is to behave, and which calls it has seen.
struct State {
  std::string signature;  // answered by connection_signature, with the connection string
  std::string protocol = "FAKE";
  std::string stats =
      "{\"acknowledged\": 3, \"queue\": {\"depth\": 4}, \"link\": \"up\", \"load\": 0.5}";
  std::string last_error = "fake: the broker said no";
  bool needs_topic = false;       // check_topic refuses ""
  bool hold_connects = false;     // connect does not return
  bool event_in_connect = false;  // the next connect tells DISCONNECT before it returns
  int refuse_connects = 0;        // how many of the next ones
  bool hold_sends = false;        // send_async does not return
  int refuse_sends = 0;           // how many of the next ones, by return value
  int refuse_subscribes = 0;
  bool hold_subscribes = false;                     // subscribe does not return
  bool hold_completions = false;                    // messages stay pending, also in do_work
  NvDsMsgApiErrorType completion = NVDS_MSGAPI_OK;  // of the callbacks
  bool hold_disconnects = false;
  bool forget = false;  // disconnect drops what waits without a callback (against the contract)
  size_t per_work = SIZE_MAX;            // callbacks for each do_work
  std::chrono::milliseconds latency{0};  // of an acknowledgement
  std::string poison;                    // a payload that the broker refuses
  bool callback_at_once = false;         // inside send_async (against the contract)
  bool tells_link = false;               // set_link_callback is told `link_up` at once
  bool link_up = true;

  int connects = 0, connects_waiting = 0, refused_connects = 0, disconnects = 0, do_works = 0;
  int subscribes = 0, sends_waiting = 0;
  NvDsMsgApiHandle handle = nullptr;  // of the last connect
  std::map<NvDsMsgApiHandle, std::shared_ptr<Connection>> connections;
  std::vector<Message> messages;        // taken by send_async or dsmsg_send_message
  std::multiset<std::string> received;  // payloads that the broker has acknowledged
  std::set<std::thread::id> callers;    // of send_async, do_work, subscribe
  std::vector<std::pair<std::string, std::string>> connect_arguments;
};

struct Control {
  std::mutex mutex;
  std::condition_variable changed;  // after every call
  State state;                      // guarded by mutex
};

#ifdef DSMSG_TEST_FAKE_DIR  // in a test program

inline std::string Path(const std::string& name) {
  return std::string(DSMSG_TEST_FAKE_DIR) + "/libnvds_" + name + "_proto.so";
}

/// The fake adaptor `name`, loaded until the end of the process. Thread-safe.
class Adaptor {
 public:
  explicit Adaptor(const std::string& name) : path_(Path(name)) {
    void* library = dlopen(path_.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) throw std::runtime_error(dlerror());
    control_ = reinterpret_cast<Control* (*)()>(dlsym(library, "fake_control"))();
  }
  /// Changes or reads the state under its lock.
  template <class Body>
  auto With(Body body) {
    const std::lock_guard lock(control_->mutex);
    control_->changed.notify_all();
    return body(control_->state);
  }
  void Reset() {
    With([](State& state) { state = State(); });
  }
  /// False: `condition` did not hold within 30 s.
  bool WaitFor(const std::function<bool(const State&)>& condition) {
    std::unique_lock lock(control_->mutex);
    return control_->changed.wait_for(lock, std::chrono::seconds(120),
                                      [&] { return condition(control_->state); });
  }
  /// Reports an event to all connections, on the calling thread.
  void Event(NvDsMsgApiEventType event) {
    const auto connections = With([](State& state) { return state.connections; });
    for (const auto& [handle, connection] : connections) connection->connect_cb(handle, event);
  }
  /// Reports the state of the link to all connections, and to those to come.
  void Link(bool up) {
    const auto connections = With([&](State& state) {
      state.tells_link = true;
      state.link_up = up;
      return state.connections;
    });
    for (const auto& [handle, connection] : connections)
      connection->link_cb(connection->link_ptr, up ? DSMSG_LINK_UP : DSMSG_LINK_DOWN, "told");
  }
  char* path() { return path_.data(); }  // the client library's is not const

 private:
  std::string path_;
  Control* control_ = nullptr;
};

#endif

}  // namespace fake

#endif  // DSMSG_TESTS_FAKE_FAKE_ADAPTOR_H_
