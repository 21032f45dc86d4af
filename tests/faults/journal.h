// SPDX-License-Identifier: Apache-2.0
// The books of a sender in a file that is mapped and shared, so that they survive the sender's
// SIGKILL: four bytes for each message, by its number.
//
// Threads: of one message, Attempt and Answered come from the sending thread, Called from those
// that run callbacks. Ownership: the object owns the mapping; the file stays.
#ifndef DSMSG_FAULTS_JOURNAL_H_
#define DSMSG_FAULTS_JOURNAL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "nvds_msgapi.h"

namespace dsmsg::faults {

class Journal {
 public:
  enum Answer : uint8_t { kNever = 0, kAttempted = 1, kAccepted = 2, kRefused = 3 };
  struct Entry {
    std::atomic<uint8_t> answer;
    std::atomic<uint8_t> calls;  // of the callback
    std::atomic<uint8_t> flag;   // 1 + what the callback was told last; 0: not called
    uint8_t unused;
  };
  static_assert(sizeof(Entry) == 4);

  struct Counts {
    uint64_t attempted = 0, accepted = 0, refused = 0, called = 0, doubled = 0;
    uint64_t ok = 0, err = 0, unknown_topic = 0;
  };

  /// Maps the file, made with room for `messages` if it is not there. Throws std::runtime_error.
  Journal(const std::string& path, size_t messages);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  size_t size() const { return size_; }
  /// One after the last message that was ever attempted.
  size_t End() const;
  void Attempt(size_t number) { entries_[number].answer = kAttempted; }
  void Answered(size_t number, NvDsMsgApiErrorType answer) {
    entries_[number].answer = answer == NVDS_MSGAPI_OK ? kAccepted : kRefused;
  }
  Entry* At(size_t number) { return &entries_[number]; }
  /// Notes a callback; true if it is the message's first.
  static bool Called(Entry* entry, NvDsMsgApiErrorType flag) {
    entry->flag = static_cast<uint8_t>(1 + flag);
    return entry->calls++ == 0;
  }
  /// Of the messages from `first` up to `end`.
  Counts Count(size_t first, size_t end) const;

 private:
  size_t size_ = 0;
  Entry* entries_ = nullptr;
};

}  // namespace dsmsg::faults

#endif  // DSMSG_FAULTS_JOURNAL_H_
