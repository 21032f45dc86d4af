// SPDX-License-Identifier: Apache-2.0
// Who uses a connection: a client of the client library, or a sink.
#ifndef DSMSG_HOST_USER_H_
#define DSMSG_HOST_USER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dsmsg_ext.h"
#include "nvmsgbroker.h"

namespace dsmsg::host {

/// kDown: the connection gave up, or was refused permanently.
enum class ConnectionState { kUp, kReconnecting, kDown };

/// What became of a message; from kFull on, why it was not taken.
enum class SendResult {
  kOk,
  kUnknownTopic,
  kFailed,        // the adaptor's callback said so
  kRefused,       // the return value of the adaptor's function said so
  kUnanswered,    // the connection ended before the adaptor called back
  kGivenUp,       // there was no connection within max-retry-limit
  kFull,          // the queue in front of the adaptor stayed full
  kReconnecting,  // that queue is full, and the connection is being re-established
  kTooLarge,      // the message is larger than that queue
  kClosed,        // the user has left
};

/// A message of a user; everything is borrowed.
struct MessageView {
  char* topic = nullptr;  // null: the adaptor's default
  const uint8_t* payload = nullptr;
  size_t size = 0;
  std::string_view key;                    // "": the adaptor's own key option decides
  int64_t timestamp_ms = 0;                // 0: now
  std::span<const DsmsgHeader> headers{};  // third-party adaptors have none
};

/// What a user wants to be given back with the result of a message.
struct Ticket {
  nv_msgbroker_send_cb_t callback = nullptr;
  void* user_ptr = nullptr;
};

/// Topics and the receiver of their messages.
struct Interest {
  std::vector<std::string> topics;
  nv_msgbroker_subscribe_cb_t callback = nullptr;
  void* user_ptr = nullptr;
};

/// Threads: OnState and OnSent on any. `pending` is atomic; the rest of the data is the
/// connection's, guarded by its mutex.
class User {
 public:
  User() = default;
  virtual ~User() = default;
  User(const User&) = delete;
  User& operator=(const User&) = delete;

  /// The state of the connection: called when the user joins and when something happens, even if
  /// the state is the same as before. Under the connection's mutex: returns at once and calls
  /// nothing of the connection.
  virtual void OnState(ConnectionState state) = 0;
  /// The end of a message that was taken, exactly once for each. No lock is held.
  virtual void OnSent(const Ticket& ticket, SendResult result) = 0;

  std::atomic<size_t> pending{0};  // taken messages whose OnSent has not returned

  uint64_t connection = 0;  // its id; constant from the first OnState on
  bool closed = false;
  std::shared_ptr<const Interest> interest = std::make_shared<const Interest>();  // in force
  // Null, or being tried: part of the connection's topic set with this number.
  std::shared_ptr<const Interest> wanted;
  uint64_t wanted_in = 0;
  size_t receiving = 0;  // subscribe callbacks that run now
};

/// Marks the calling thread as being inside a user's callback of the connection with this id. Ids
/// are never used again.
class CallbackScope {
 public:
  explicit CallbackScope(uint64_t connection) : connection_(connection), outer_(innermost_) {
    innermost_ = this;
  }
  ~CallbackScope() { innermost_ = outer_; }
  CallbackScope(const CallbackScope&) = delete;
  CallbackScope& operator=(const CallbackScope&) = delete;
  static bool Inside(uint64_t connection) {
    const CallbackScope* scope = innermost_;
    while (scope != nullptr && scope->connection_ != connection) scope = scope->outer_;
    return scope != nullptr;
  }

 private:
  static inline thread_local const CallbackScope* innermost_ = nullptr;
  const uint64_t connection_;
  const CallbackScope* const outer_;
};

}  // namespace dsmsg::host

#endif  // DSMSG_HOST_USER_H_
