// SPDX-License-Identifier: Apache-2.0
// Sends over a connection that the Python side opened, and waits for results without Python's lock.
//
// Threads: every function from any thread with Python's lock held, which is released while the
// adaptor is called and while something is waited for; Work from one thread at a time. Send
// callbacks come on the thread inside do_work or disconnect, without that lock; they only note the
// result. Ownership: the connection outlives it; a message owns its place until it is called back.
#ifndef DSMSG_PYTHON_SENDER_H_
#define DSMSG_PYTHON_SENDER_H_

#include <pybind11/pybind11.h>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adaptor_functions.h"
#include "gate.h"
#include "payload.h"

namespace dsmsg::python {

/// Codes of messages beside NvDsMsgApiErrorType.
inline constexpr uint8_t kRefused = 3, kUnfinished = 4;

class Sender {
 public:
  /// `handle`: what nvds_msgapi_connect returned.
  Sender(const std::string& path, uintptr_t handle)
      : f_(AdaptorFunctions::Load(path)), handle_(reinterpret_cast<NvDsMsgApiHandle>(handle)) {}
  ~Sender();
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  /// Queues one message; `done` is among the results of Work. Returns the adaptor's answer: unless
  /// it is OK, there will be no result.
  int SendAsync(const std::optional<std::string>& topic, pybind11::handle payload,
                pybind11::object done, std::optional<pybind11::object> key,
                const std::vector<std::pair<std::string, std::string>>& headers,
                int64_t timestamp_ms);
  /// Queues all and waits for their results. Returns a byte for each: its code.
  pybind11::bytes SendMany(const std::optional<std::string>& topic, pybind11::handle payloads,
                           std::optional<pybind11::object> keys, double timeout_s);

  /// Calls do_work until there are results for Python, and returns them as pairs of `done` and
  /// code; None after Stop. While nothing was sent it waits.
  pybind11::object Work();
  /// Results that are there.
  pybind11::list Take();
  void Stop();
  /// No call begins any more; waits for those that run, but for Work, which Stop ends.
  void Close();
  size_t pending() const;

 private:
  struct Batch;
  struct Slot;
  struct Call;
  static void OnSent(void* user, NvDsMsgApiErrorType result);
  static void OnSentOfBatch(void* user, NvDsMsgApiErrorType result);
  void Submit(const std::optional<std::string>& topic, const std::vector<Payload>& data,
              const std::vector<Payload>& keys, const std::shared_ptr<Batch>& batch);
  void Began(size_t count);
  void Ended(size_t count);

  const AdaptorFunctions f_;
  const NvDsMsgApiHandle handle_;
  Gate gate_;
  mutable std::mutex mutex_;  // guards the following
  std::condition_variable changed_;
  size_t in_flight_ = 0;
  bool stopped_ = false;
  std::vector<std::pair<PyObject*, int>> results_;  // owned references
};

}  // namespace dsmsg::python

#endif  // DSMSG_PYTHON_SENDER_H_
