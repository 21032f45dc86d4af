// SPDX-License-Identifier: Apache-2.0
#include "core/metrics_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <system_error>
#include <vector>

#include "core/fork.h"
#include "core/guard.h"
#include "core/thread.h"

namespace dsmsg {
namespace {

/// Which connections of this library share a file. While it is locked, none of them goes away.
struct Registry {
  std::mutex mutex;
  std::map<std::string, std::vector<const MetricsFile::Source*>> files;
};
Registry& TheRegistry() {
  static PerProcess<Registry> registry;
  return registry.Get();
}

Status CannotWrite(const std::string& path, int error) {
  return {Code::kInvalidArgument, "metrics-file=" + path + ": cannot be written: " +
                                      std::generic_category().message(error) +
                                      " (does the directory exist, may this user write there?)"};
}

Status Replace(const std::string& path, const std::string& text) {
  const std::string temporary = path + "." + std::to_string(getpid()) + ".tmp";
  const UniqueFd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd.valid()) return CannotWrite(path, errno);
  size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = write(fd.get(), text.data() + written, text.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int error = errno;
      unlink(temporary.c_str());
      return CannotWrite(path, error);
    }
    written += static_cast<size_t>(count);
  }
  if (rename(temporary.c_str(), path.c_str()) == 0) return {};
  const int error = errno;
  unlink(temporary.c_str());
  return CannotWrite(path, error);
}

}  // namespace

Result<std::unique_ptr<MetricsFile>> MetricsFile::Start(const std::string& path, Millis interval,
                                                        Source source, Logger& logger) {
  std::unique_ptr<MetricsFile> file(new MetricsFile(path, interval, std::move(source), logger));
  if (Status status = file->Write(); !status.ok()) return status;
  file->thread_ = StartThread("dsmsg-metrics", [raw = file.get()] { raw->Run(); });
  return file;
}

MetricsFile::MetricsFile(std::string path, Millis interval, Source source, Logger& logger)
    : path_(std::move(path)), interval_(interval), source_(std::move(source)), logger_(logger) {
  Registry& registry = TheRegistry();
  std::lock_guard lock(registry.mutex);
  registry.files[path_].push_back(&source_);
}

MetricsFile::~MetricsFile() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stop_cv_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
    (void)Write();  // the values at the end
  }
  Registry& registry = TheRegistry();
  std::lock_guard lock(registry.mutex);
  auto& sources = registry.files[path_];
  std::erase(sources, &source_);
  if (sources.empty()) registry.files.erase(path_);
}

Status MetricsFile::Write() {
  Registry& registry = TheRegistry();
  std::lock_guard lock(registry.mutex);
  std::vector<MetricsSource> sources;
  for (const Source* source : registry.files[path_]) sources.push_back((*source)());
  return Replace(path_, PrometheusText(sources));
}

void MetricsFile::Run() {
  std::unique_lock lock(mutex_);
  while (!stop_cv_.wait_for(lock, interval_, [this] { return stop_; })) {
    lock.unlock();
    const auto warn = [this](std::string_view text) {
      logger_.Limited(LogLevel::kWarn, "metrics-file", text);
    };
    const auto write = [&] {
      if (const Status status = Write(); !status.ok()) warn(status.message());
    };
    Contained(write, warn);  // the next time is another chance
    lock.lock();
  }
}

}  // namespace dsmsg
