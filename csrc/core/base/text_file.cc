// SPDX-License-Identifier: Apache-2.0
#include "core/base/text_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/base/fd.h"
#include "core/base/limits.h"

namespace dsmsg {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

std::string ErrnoText(int error) { return std::generic_category().message(error); }

}  // namespace

std::string_view WithoutByteOrderMark(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  return text;
}

bool BeginsWithByteOrderMark(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  char begin[kByteOrderMark.size()];
  return file.valid() && ::read(file.get(), begin, sizeof begin) == sizeof begin &&
         std::string_view(begin, sizeof begin) == kByteOrderMark;
}

Result<std::string> ReadTextFile(const std::string& path, size_t limit) {
  const auto fail = [](const std::string& why) { return Status(Code::kInvalidArgument, why); };
  // Non-blocking: opening a named pipe would otherwise wait for a writer.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.valid()) {
    const int error = errno;
    std::string advice(LimitAdvice(error));
    if (advice.empty()) {
      advice = error == EACCES ? " (may this user read it?)" : " (check the path)";
    }
    return fail("cannot be opened: " + ErrnoText(error) + advice);
  }
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) return fail("cannot be read: " + ErrnoText(errno));
  if (S_ISDIR(facts.st_mode)) return fail("is a directory (name a file in it)");
  if (!S_ISREG(facts.st_mode) && !S_ISCHR(facts.st_mode)) return fail("is not a regular file");
  std::string text;
  char block[16384];
  for (;;) {
    const ssize_t count = ::read(file.get(), block, sizeof block);
    if (count == 0) break;
    if (count < 0) {
      if (errno == EINTR) continue;
      return fail("cannot be read: " + ErrnoText(errno));
    }
    text.append(block, static_cast<size_t>(count));
    if (text.size() > limit) {
      return fail("is larger than " + std::to_string(limit) + " bytes (is it the right file?)");
    }
  }
  text.erase(0, text.size() - WithoutByteOrderMark(text).size());
  return text;
}

}  // namespace dsmsg
