// SPDX-License-Identifier: Apache-2.0
// Where messages go that the broker refuses for good (too large, not authorised, bad topic): a
// topic of their own, or a directory. Their callbacks have been told ERR; what is kept here is a
// copy for people, with the reason and the original bytes.
//
// The directory gets one file a day and process, dead-letters-<protocol>-<date>-<pid>.jsonl, a
// JSON object a line: time, reason, code, topic, key, headers, timestamp_ms, and the payload as
// "payload" where it is UTF-8, else as "payload_base64" (key likewise).
//
// Threads: every function from any thread; Prepare before the others.
#ifndef DSMSG_CORE_QUEUE_DEAD_LETTERS_H_
#define DSMSG_CORE_QUEUE_DEAD_LETTERS_H_

#include <memory>
#include <string>
#include <vector>

#include "core/base/buffer.h"
#include "core/base/log.h"
#include "core/observe/metrics.h"
#include "core/options/settings.h"
#include "core/queue/letter_folder.h"
#include "core/queue/outgoing.h"

namespace dsmsg {

class DeadLetters {
 public:
  DeadLetters(const Settings& settings, const char* protocol, Metrics& metrics, Logger& logger);

  /// Creates the directory if it does not exist; an error names the option.
  Status Prepare();
  bool enabled() const { return !topic_.empty() || !folder_.empty(); }

  /// What is to be sent to dead-letter-topic for a refused message, with the headers
  /// dsmsg-dead-letter-reason and dsmsg-dead-letter-topic and the present time. False when no dead
  /// letter can be sent: there is no dead-letter-topic, or the refused message is a dead letter
  /// itself.
  bool MakeLetter(const Outgoing& refused, const Status& reason, Outgoing* letter);
  /// Writes the message to dead-letter-dir, where set; counts it as kept or lost.
  void Keep(const Message& message, const Status& reason);

 private:
  Status Append(const std::string& line);

  const std::string topic_, folder_, protocol_;
  const uint64_t max_bytes_;
  Metrics& metrics_;
  Logger& logger_;
  BufferPool pool_;
  std::shared_ptr<LetterFolder> files_;  // of folder_, since Prepare
};

}  // namespace dsmsg

#endif  // DSMSG_CORE_QUEUE_DEAD_LETTERS_H_
