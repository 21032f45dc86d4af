// SPDX-License-Identifier: Apache-2.0
#include "target.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>

#include "cut_proxy.h"

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

// The full form of a message, in parts; what follows it are objects as in the minimal form.
constexpr size_t kFullSize = 960;
constexpr char kFullBegin[] =
    R"({"mdsversion":"1.0","@timestamp":"2026-01-02T03:04:05.678Z","place":{"id":"1","name":"HWY_20",)"
    R"("type":"intersection","location":{"lat":30.32,"lon":-40.55,"alt":100.0},"aisle":{"id":"walsh",)"
    R"("name":"lane1","level":"P2","coordinate":{"x":1.0,"y":2.0,"z":3.0}}},"messageid":"44ad-)";
constexpr char kFullSensor[] =
    R"(","type":"Camera","description":"Entrance of the garage","location":{"lat":45.29,"lon":-75.83,)"
    R"("alt":48.15},"coordinate":{"x":5.2,"y":10.1,"z":11.2}},"analyticsModule":{"id":"XYZ",)"
    R"("description":"Vehicle detection and licence plates","source":"OpenALR","version":"1.0"},)"
    R"("object":{"id":")";
constexpr char kFullObject[] =
    R"(","speed":0.0,"direction":0.0,"orientation":0.0,"vehicle":{"type":"sedan","make":"Bugatti",)"
    R"("model":"M","color":"blue","licenseState":"CA","license":"XX1234","confidence":0.9},)"
    R"("bbox":{"topleftx":)";
constexpr char kFullEnd[] =
    R"(.0}},"event":{"id":"8b-20","type":"moving"},"videoPath":"","objects":[)";

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

double CpuSeconds(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string text;
  std::getline(file, text);
  // After the name in parentheses: eleven fields, then the two times.
  std::istringstream fields(text.substr(std::min(text.size(), text.rfind(')') + 1)));
  std::string skipped;
  for (int i = 0; i < 12; ++i) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

bool Readable(int fd, std::chrono::microseconds wait) {
  pollfd waiting{fd, POLLIN, 0};
  const timespec time{wait.count() / 1'000'000, wait.count() % 1'000'000 * 1000};
  return ppoll(&waiting, 1, &time, nullptr) > 0;
}

Helper::Helper(const std::function<void(int)>& body) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("no pipe");
  child_ = fork();
  if (child_ < 0) throw std::runtime_error("cannot fork");
  if (child_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // Not to hold open what other parts of the program have, such as the pipe to a server.
    for (int fd = STDERR_FILENO + 1; fd < 1024; ++fd) {
      if (fd != ends[1]) close(fd);
    }
    body(ends[1]);
    _exit(1);
  }
  close(ends[1]);
  char byte = 0;
  while (read(ends[0], &byte, 1) == 1 && byte != '\n') text_ += byte;
  close(ends[0]);
  if (byte != '\n') throw std::runtime_error("a helper process did not start");
}

Helper::~Helper() {
  if (child_ <= 0) return;
  kill(child_, SIGKILL);
  waitpid(child_, nullptr, 0);
}

std::unique_ptr<Helper> MakeProxy(uint16_t target, uint16_t port,
                                  std::chrono::milliseconds round_trip) {
  return std::make_unique<Helper>([&](int answer) {
    conformance::CutProxy proxy(target, port);
    proxy.SlowDown(round_trip / 2, 0);
    dprintf(answer, "%d\n", proxy.port());
    for (;;) pause();
  });
}

void BrokerTarget::Start(const Setup& setup) {
  proxy_.reset();
  const bool far = setup.round_trip.count() > 0;
  if (far) proxy_port_ = conformance::ClosedPort().port();
  server_ = std::make_unique<conformance::Server>(kind_, ServerArgs(setup, far ? proxy_port_ : 0));
  server_->EnsureUp();
  if (far) proxy_ = MakeProxy(server_->port(), proxy_port_, setup.round_trip);
}

std::string Payload(size_t number, size_t size, const std::string& camera) {
  std::minstd_rand random(static_cast<unsigned>(number) + 1);
  const std::string id = std::to_string(number);
  const auto coordinate = [&random] { return std::to_string(random() % 19200 / 10); };
  std::string text;
  if (size < kFullSize) {
    text = R"({"version":"4.0","id":")" + id + R"(","sensorId":")" + camera +
           R"(","sensor":{"id":")" + camera + R"("},"objects":[)";
  } else {
    text = kFullBegin + id + R"(","sensor":{"id":")" + camera + kFullSensor + id + kFullObject +
           coordinate() + R"(.0,"toplefty":)" + coordinate() + R"(.0,"bottomrightx":)" +
           coordinate() + R"(.0,"bottomrighty":)" + coordinate() + kFullEnd;
  }
  for (const char* comma = ""; text.size() + 40 < size; comma = ",") {
    text += std::string(comma) + "\"";
    for (int i = 0; i < 5; ++i) text += coordinate() + "|";
    text += "Person\"";
  }
  return text + "]}";
}

}  // namespace dsmsg::bench
