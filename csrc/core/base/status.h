// SPDX-License-Identifier: Apache-2.0
// Outcome of an operation: a code and, when not ok, a message a person can act on.
// Values; no thread may change one while another reads it.
#ifndef DSMSG_CORE_BASE_STATUS_H_
#define DSMSG_CORE_BASE_STATUS_H_

#include <cassert>
#include <optional>
#include <string>
#include <utility>

namespace dsmsg {

enum class Code {
  kOk,
  kInvalidArgument,  // the caller's or the configuration's fault
  kUnknownTopic,     // the broker does not know the topic
  kUnavailable,      // broker or network away: try again
  kWouldBlock,       // no room now: offer it again
  kTimeout,          // no answer in time: try again
  kRejected,         // the broker refused this message for good
  kAuth,             // credentials or certificates refused
  kTooLarge,         // larger than allowed
  kNotSupported,     // this protocol or this build cannot
  kCancelled,        // interrupted by disconnect
  kInternal,         // a bug or an exhausted resource
};

/// Short lower-case name of a code, as used in metrics ("unavailable", "auth", ...).
const char* CodeName(Code code) noexcept;

/// What a code means, in words, for a status that was given no text.
const std::string& DefaultMessage(Code code) noexcept;

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  /// Never empty when not ok: without a text of its own it says what the code means.
  const std::string& message() const {
    return message_.empty() && !ok() ? DefaultMessage(code_) : message_;
  }

  /// The same attempt may succeed later without any change.
  bool retryable() const {
    return code_ == Code::kUnavailable || code_ == Code::kTimeout || code_ == Code::kWouldBlock;
  }
  /// A change of the configuration, the credentials or the message is needed.
  bool permanent() const { return !ok() && !retryable() && code_ != Code::kCancelled; }

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

/// A value or the reason why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}  // NOLINT(*-explicit-*)
  // NOLINTNEXTLINE(*-explicit-*)
  Result(Status status) : status_(std::move(status)) { assert(!status_.ok()); }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  T& value() { return *value_; }
  const T& value() const { return *value_; }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_BASE_STATUS_H_
