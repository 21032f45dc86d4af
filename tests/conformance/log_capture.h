// SPDX-License-Identifier: Apache-2.0
// Everything the process writes to stderr goes to a file, so that tests can read what an adaptor
// logged and prove that a secret is nowhere. Sanitizers' reports still go to the real stderr.
//
// Threads: Begin once, before threads start; the rest from any thread.
#ifndef DSMSG_CONFORMANCE_LOG_CAPTURE_H_
#define DSMSG_CONFORMANCE_LOG_CAPTURE_H_

#include <cstddef>
#include <string>

namespace dsmsg::conformance {

class LogCapture {
 public:
  static void Begin();
  /// The position after what was written so far.
  static size_t Mark();
  static std::string Since(size_t mark);
  /// A copy of the descriptor that was stderr.
  static int RealStderr();
};

}  // namespace dsmsg::conformance

#endif  // DSMSG_CONFORMANCE_LOG_CAPTURE_H_
