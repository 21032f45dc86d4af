// SPDX-License-Identifier: Apache-2.0
// Receives over a connection that the Python side opened: the adaptor's callback copies messages
// into a queue without Python's lock, and Take hands them out together. With manual
// acknowledgement the adaptor's bound on unacknowledged messages bounds the queue.
//
// Threads: every function from any thread with Python's lock held, which is released while the
// adaptor is called and while something is waited for. Ownership: it must live until the connection
// is disconnected, because a callback may be running; the connection outlives its last call.
#ifndef DSMSG_PYTHON_RECEIVER_H_
#define DSMSG_PYTHON_RECEIVER_H_

#include <pybind11/pybind11.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "adaptor_functions.h"
#include "gate.h"

namespace dsmsg::python {

class Receiver {
 public:
  /// `make`: is called with the fields of a message as dsmsg.Message takes them.
  Receiver(const std::string& path, uintptr_t handle, pybind11::object make)
      : f_(AdaptorFunctions::Load(path)),
        handle_(reinterpret_cast<NvDsMsgApiHandle>(handle)),
        make_(std::move(make)),
        ok_(pybind11::module_::import("dsmsg.errors").attr("Result").attr("OK")) {}
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  /// Subscribes; messages are acknowledged with Ack. Returns the adaptor's answer.
  int Subscribe(const std::vector<std::string>& topics);
  /// Waits for messages for `timeout_s` seconds (negative: for ever), and returns at most `most`;
  /// an empty list after the time-out, None after Close.
  pybind11::object Take(size_t most, double timeout_s);
  /// Returns the adaptor's answer.
  int Ack(uint64_t number);
  /// Ends waiting; what waits here is not acknowledged. No call of the adaptor begins any more.
  void Close();

 private:
  struct Item {
    std::string topic, payload, key, id;
    bool has_key = false, redelivered = false;
    std::vector<std::pair<std::string, std::string>> headers;
    int64_t timestamp_ms = -1, offset = -1;
    int32_t partition = -1;
    uint64_t ack = 0;
  };
  static void OnMessage(const DsmsgReceived* message, void* self);
  pybind11::object Make(const Item& item);

  const AdaptorFunctions f_;
  const NvDsMsgApiHandle handle_;
  const pybind11::object make_, ok_;
  Gate gate_;
  std::mutex mutex_;  // guards the following
  std::condition_variable changed_;
  std::deque<Item> items_;
  bool closed_ = false;
  // Of the last message, with Python's lock: the next one mostly has the same.
  std::string topic_name_;
  pybind11::object topic_;
};

}  // namespace dsmsg::python

#endif  // DSMSG_PYTHON_RECEIVER_H_
