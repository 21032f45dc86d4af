// SPDX-License-Identifier: Apache-2.0
// Appends each payload to a file, one a line (docs/adding-an-adaptor.md). Threads: as Driver.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/fd.h"
#include "core/driver/driver.h"
#include "core/export/export.h"

namespace dsmsg::file {

constexpr OptionSpec kOptions[] = {
    {"fsync", "bool", "0", "1: a message is OK once it is on disk; 0: once the kernel has it"},
};

class FileDriver final : public Driver {
 public:
  static const DriverInfo& Info() {
    static constexpr std::string_view kSchemes[] = {"file"};
    static const DriverInfo info = {
        .protocol = "FILE",
        .env_suffix = "FILE",
        .delivery = "OK: the message is in the file (fsync=1: on disk)",
        .library = "the C library",
        .options = kOptions,
        .conn_rules = {.protocol = "file", .schemes = kSchemes, .path = true},
        .separate_roles = false};  // it only sends
    return info;
  }
  explicit FileDriver(DriverHost& host) : host_(host) {}

  Status Configure(const Endpoints& endpoints, const Config& config) override {
    path_ = endpoints.address;
    fsync_ = config.GetBool("fsync");
    return {};
  }

  Status Open(Role, Deadline, int) override {
    const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | (fsync_ ? O_DSYNC : 0);
    file_ = UniqueFd(open(path_.c_str(), flags, 0644));
    return file_.valid() ? Status() : Failed(Code::kInvalidArgument, "open");
  }

  Status Submit(const Message& message, Token token) override {
    if (message.payload.find('\n') != std::string_view::npos)
      return {Code::kRejected, "a payload with a line break is not one line"};
    lines_.append(message.payload).append("\n");
    tokens_.push_back(token);
    return {};
  }

  Status Poll(Millis budget, int wake_fd) override {
    pollfd wake = {wake_fd, POLLIN, 0};
    if (tokens_.empty()) poll(&wake, 1, static_cast<int>(budget.count()));
    struct stat now = {};
    if (fstat(file_.get(), &now) != 0 || now.st_nlink == 0)
      return {Code::kUnavailable, path_ + " was deleted"};  // opened anew, all submitted again
    Status written = Write();
    // Half a line would spoil the next one. The error is retryable: the core submits all again.
    if (!written.ok() && ftruncate(file_.get(), now.st_size) != 0) return written;
    for (const Token token : tokens_) host_.Complete(token, written);
    Forget();
    return {};
  }

  void Close(Millis, int) noexcept override {
    file_.Reset();
    Forget();
  }

 private:
  void Forget() { lines_.clear(), tokens_.clear(); }
  Status Write() {
    for (size_t done = 0; done < lines_.size();) {
      const ssize_t size = write(file_.get(), &lines_[done], lines_.size() - done);
      if (size < 0 && errno != EINTR) return Failed(Code::kUnavailable, "write to");
      if (size > 0) done += static_cast<size_t>(size);
    }
    return {};
  }
  Status Failed(Code code, const std::string& step) const {
    return {code, "cannot " + step + " " + path_ + ": " + std::strerror(errno)};
  }

  DriverHost& host_;
  std::string path_, lines_;   // submitted, not yet written
  std::vector<Token> tokens_;  // of the lines
  bool fsync_ = false;
  UniqueFd file_;
};

}  // namespace dsmsg::file

DSMSG_DEFINE_ADAPTOR(dsmsg::file::FileDriver);
