// SPDX-License-Identifier: Apache-2.0
// The books of a run: what was sent, what the adaptor answered, how often each message was called
// back and with what; and the comparison with what an independent consumer found at the broker.
//
// Threads: any thread may add, send and be called back; call the checks after the run.
// Ownership: a ledger must outlive the connection that its records were sent through.
#ifndef DSMSG_CONFORMANCE_LEDGER_H_
#define DSMSG_CONFORMANCE_LEDGER_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "nvds_msgapi.h"

namespace dsmsg::conformance {

class Ledger;

/// One message. `answer` and `flag` are -1 until known.
struct Record {
  Ledger* ledger = nullptr;
  size_t id = 0;
  std::string topic, key, payload;
  std::atomic<int> answer{-1};  // what send_async returned
  std::atomic<int> calls{0};    // of the callback
  std::atomic<int> flag{-1};    // what the callback was told
};

/// One message as an independent consumer found it at the broker.
struct Received {
  std::string key, payload;
  bool has_key = false;
};

struct DeliveryRules {
  bool duplicates = false;  // allowed
  bool keys = false;        // the broker keeps keys: they must be those sent
};

class Ledger {
 public:
  /// Called in every callback, before it is counted as done.
  std::function<void(Record&)> on_callback;

  Record& Add(std::string topic, std::string key, std::string payload);
  /// A message whose payload names its key (as sensor.id) and its place in the run.
  Record& Add(const std::string& topic, const std::string& key);
  Record& operator[](size_t id) { return records_[id]; }
  size_t size() const;

  void Answered(Record& record, NvDsMsgApiErrorType answer);
  /// The send callback; `user` is the Record.
  static void OnSent(void* user, NvDsMsgApiErrorType flag);

  size_t accepted() const { return accepted_.load(); }
  size_t completed() const { return completed_.load(); }
  size_t Count(NvDsMsgApiErrorType flag) const;
  /// Waits, without calling do_work, until everything accepted is called back.
  bool WaitCompleted(std::chrono::milliseconds timeout);

  /// Exactly one callback for each accepted message, none for a refused one. "" or what is wrong.
  std::string CheckCallbacks() const;
  /// Compares with the broker's content: it has everything called back with OK and nothing that was
  /// not sent, bytes are equal, and first occurrences keep their order within each key. "" or what
  /// is wrong.
  std::string CheckDelivery(const std::vector<Received>& found, const DeliveryRules& rules) const;

 private:
  mutable std::mutex mutex_;  // guards the structure of records_
  std::condition_variable changed_;
  std::deque<Record> records_;  // addresses stay
  std::atomic<size_t> accepted_{0}, completed_{0};
};

/// Gives up once no message was called back for `time`: a busy machine is slow, but not silent.
/// For one waiting thread.
class Patience {
 public:
  Patience(const Ledger& ledger, std::chrono::milliseconds time) : ledger_(ledger), time_(time) {}
  bool over() {
    const auto now = std::chrono::steady_clock::now();
    const size_t completed = ledger_.completed();
    if (completed != completed_) begin_ = now;
    completed_ = completed;
    return now - begin_ > time_;
  }

 private:
  const Ledger& ledger_;
  const std::chrono::milliseconds time_;
  size_t completed_ = 0;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace dsmsg::conformance

#endif  // DSMSG_CONFORMANCE_LEDGER_H_
