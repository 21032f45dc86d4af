// SPDX-License-Identifier: Apache-2.0
// A file of rules that is read again when it changes. Created, asked and destroyed by any thread,
// one at a time; the file is read by a thread of this class.
#ifndef DSMSG_SPACE_WATCHED_RULES_H_
#define DSMSG_SPACE_WATCHED_RULES_H_

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core/base/file_watch.h"
#include "core/base/status.h"
#include "space/rules.h"

namespace dsmsg::space {

class WatchedRules {
 public:
  using Read = Result<std::shared_ptr<const Rules>>;
  /// How often it looks at the file. A change counts once two looks saw the same.
  static constexpr Millis kInterval{500};

  /// The error is that of Rules::Load.
  static Result<std::unique_ptr<WatchedRules>> Open(const std::string& path);
  explicit WatchedRules(std::string path);

  /// What the file says since the last call: new rules, or why they cannot be used. nullopt: it is
  /// as it was, which costs next to nothing.
  std::optional<Read> Take();

 private:
  const std::string path_;
  std::atomic<bool> is_new_{false};
  std::mutex mutex_;  // guards the next
  std::optional<Read> last_;
  FileWatch watch_;  // last: its thread uses the others
};

}  // namespace dsmsg::space

#endif  // DSMSG_SPACE_WATCHED_RULES_H_
