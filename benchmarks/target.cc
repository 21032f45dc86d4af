// SPDX-License-Identifier: Apache-2.0
#include "target.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <stdexcept>

namespace dsmsg::bench {
namespace {

std::vector<std::unique_ptr<Target>>& Owned() {
  static std::vector<std::unique_ptr<Target>> targets;
  return targets;
}

std::vector<Target*>& Sorted() {
  static std::vector<Target*> targets;
  return targets;
}

}  // namespace

const std::vector<Target*>& Targets() { return Sorted(); }

bool RegisterTarget(std::unique_ptr<Target> target) {
  Sorted().push_back(target.get());
  Owned().push_back(std::move(target));
  std::sort(Sorted().begin(), Sorted().end(),
            [](const Target* a, const Target* b) { return a->name() < b->name(); });
  return true;
}

Target* FindTarget(const std::string& name) {
  for (Target* target : Sorted()) {
    if (target->name() == name) return target;
  }
  return nullptr;
}

std::string TargetNames() {
  std::string names;
  for (const Target* target : Sorted()) names += (names.empty() ? "" : ", ") + target->name();
  return names;
}

void CloseTargets() {
  Sorted().clear();
  Owned().clear();
}

std::string LibraryOf(const Target& target) {
  return std::string(DSMSG_LIB_DIR) + "/libnvds_" + target.adaptor() + "_proto.so";
}

ConfigFile::ConfigFile(const std::vector<std::string>& lines) {
  const char* folder = std::getenv("TMPDIR");
  path_ = std::string(folder != nullptr ? folder : "/tmp") + "/dsmsg-bench-XXXXXX";
  const int fd = mkostemp(path_.data(), O_CLOEXEC);
  if (fd < 0) throw std::runtime_error("cannot make the config file " + path_);
  std::string text = "[message-broker]\n";
  for (const std::string& line : lines) text += line + "\n";
  const ssize_t written = write(fd, text.data(), text.size());
  close(fd);
  if (written != static_cast<ssize_t>(text.size())) {
    throw std::runtime_error("cannot write the config file " + path_);
  }
}

ConfigFile::~ConfigFile() { unlink(path_.c_str()); }

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::string Camera(size_t number) { return "cam" + std::to_string(number % 30); }

std::string Payload(size_t number, size_t size) {
  const std::string camera = Camera(number);
  std::string text = R"({"version":"4.0","id":")" + std::to_string(number) + R"(","sensorId":")" +
                     camera + R"(","sensor":{"id":")" + camera + R"("},"objects":[)";
  std::minstd_rand random(static_cast<unsigned>(number) + 1);
  bool first = true;
  while (text.size() + 40 < size) {
    text += first ? "\"" : ",\"";
    first = false;
    for (int i = 0; i < 5; ++i) text += std::to_string(random() % 19200 / 10) + "|";
    text += "Person\"";
  }
  return text + "]}";
}

}  // namespace dsmsg::bench
