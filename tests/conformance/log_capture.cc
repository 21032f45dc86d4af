// SPDX-License-Identifier: Apache-2.0
#include "log_capture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>

#ifdef DSMSG_SANITIZED
extern "C" void __sanitizer_set_report_fd(void* fd);
#endif

namespace dsmsg::conformance {
namespace {
int real_stderr = STDERR_FILENO;
int capture = -1;
}  // namespace

void LogCapture::Begin() {
  const char* folder = std::getenv("TMPDIR");
  std::string path = std::string(folder != nullptr ? folder : "/tmp") + "/dsmsg-log-XXXXXX";
  capture = mkostemp(path.data(), O_CLOEXEC | O_APPEND);
  if (capture < 0) throw std::runtime_error("cannot make the log file " + path);
  unlink(path.c_str());
  real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  dup2(capture, STDERR_FILENO);
#ifdef DSMSG_SANITIZED
  __sanitizer_set_report_fd(reinterpret_cast<void*>(static_cast<intptr_t>(real_stderr)));
#endif
}

size_t LogCapture::Mark() {
  struct stat status {};
  fstat(capture, &status);
  return static_cast<size_t>(status.st_size);
}

std::string LogCapture::Since(size_t mark) {
  std::string text(Mark() - mark, '\0');
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t got =
        pread(capture, text.data() + done, text.size() - done, static_cast<off_t>(mark + done));
    if (got <= 0) break;
    done += static_cast<size_t>(got);
  }
  text.resize(done);
  return text;
}

int LogCapture::RealStderr() { return real_stderr; }

}  // namespace dsmsg::conformance
