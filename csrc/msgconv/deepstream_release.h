// SPDX-License-Identifier: Apache-2.0
// Which DeepStream this process uses, if any: its structures change between releases. Its library
// is asked for the sizes of its structures, so that no setting can be wrong. Plain functions and
// values; any thread.
#ifndef DSMSG_MSGCONV_DEEPSTREAM_RELEASE_H_
#define DSMSG_MSGCONV_DEEPSTREAM_RELEASE_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dsmsg::msgconv {

struct Release {
  unsigned major = 0, minor = 0;
  friend auto operator<=>(const Release&,
                          const Release&) = default;  // NOLINT(modernize-use-nullptr)
};

struct DeepStream {
  bool present = false;                    // its metadata libraries are loaded
  size_t frame_size = 0, object_size = 0;  // of their structures; 0: the library cannot be asked
  std::optional<Release> release;          // where it can be told
  std::string how;                         // the library, for messages
  // Types of user metadata that it gave to analytics (before 8.0), where it can be asked.
  std::optional<int32_t> frame_analytics = {}, object_analytics = {};
};

/// "7.0", "8.0.1"; nullopt if it is not a version.
std::optional<Release> ParseRelease(std::string_view text);
/// The release in the path of a library: ".../deepstream-7.0/lib/libnvds_meta.so".
std::optional<Release> ReleaseInPath(std::string_view path);

/// "7.0".
std::string Text(Release release);

/// Looks at the libraries of the process. Libraries may be loaded later, so ask when it matters and
/// keep the answer.
DeepStream FindDeepStream();

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_DEEPSTREAM_RELEASE_H_
