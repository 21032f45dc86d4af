// SPDX-License-Identifier: Apache-2.0
// Which release of DeepStream this process uses, if any: its structures change between releases.
// Plain functions and values; any thread.
#ifndef DSMSG_MSGCONV_DEEPSTREAM_RELEASE_H_
#define DSMSG_MSGCONV_DEEPSTREAM_RELEASE_H_

#include <compare>
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
  bool present = false;            // its metadata libraries are loaded
  std::optional<Release> release;  // where it can be told
  std::string how;                 // how it was told, for messages
};

/// "7.0", "8.0.1"; nullopt if it is not a version.
std::optional<Release> ParseRelease(std::string_view text);
/// The release in the path of a library: ".../deepstream-7.0/lib/libnvds_meta.so".
std::optional<Release> ReleaseInPath(std::string_view path);

/// Looks at the environment variable DSMSG_DEEPSTREAM_VERSION and at the libraries of the process.
/// Libraries may be loaded later, so ask when it matters and keep the answer.
DeepStream FindDeepStream();

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_DEEPSTREAM_RELEASE_H_
