// SPDX-License-Identifier: Apache-2.0
// Throughput of the Redis adaptor, driven as a host drives it (dlopen, send_async on one thread,
// do_work on another), beside a raw hiredis loop that keeps 1000 commands in the pipeline: same
// server, same run, in turns. Prints JSON; the ratio is the result, the absolute rates belong to
// the machine.
//
// usage: redis_throughput [--lib libnvds_redis_proto.so] [--messages 300000] [--bytes 400]
// [--rounds 3] [--min-ratio R]
#include <arpa/inet.h>
#include <dlfcn.h>
#include <hiredis.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "nvds_msgapi.h"

extern char** environ;

namespace {

using Clock = std::chrono::steady_clock;
constexpr char kStream[] = "dsmsg-bench";
constexpr char kStreamSize[] = "10000";
constexpr int kPipeline = 1000;

double Seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// redis-server on a free loopback port, in a folder of its own; ended by pid.
class Server {
 public:
  Server() {
    folder_ = (std::filesystem::temp_directory_path() / "dsmsg-bench-XXXXXX").string();
    if (mkdtemp(folder_.data()) == nullptr) throw std::runtime_error("no temporary folder");
    for (int attempt = 0; attempt < 5; ++attempt) {
      port_ = FreePort();
      Spawn();
      if (WaitReady()) return;
      Stop();
    }
    throw std::runtime_error("redis-server does not start (apt install redis-server)");
  }
  ~Server() {
    Stop();
    std::filesystem::remove_all(folder_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const { return port_; }
  const std::string& folder() const { return folder_; }

 private:
  static int FreePort() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    const bool ok = bind(fd, generic, size) == 0 && getsockname(fd, generic, &size) == 0;
    close(fd);
    if (!ok) throw std::runtime_error("no free port");
    return ntohs(address.sin_port);
  }

  void Spawn() {
    const std::string port = std::to_string(port_);
    const char* argv[] = {"redis-server",  "--port",       port.c_str(), "--bind",
                          "127.0.0.1",     "--save",       "",           "--dir",
                          folder_.c_str(), "--appendonly", "no",         "--logfile",
                          "server.log",    nullptr};
    if (posix_spawnp(&pid_, argv[0], nullptr, nullptr, const_cast<char**>(argv), environ) != 0) {
      throw std::runtime_error("redis-server is not installed (apt install redis-server)");
    }
  }

  bool WaitReady() {
    const auto deadline = Clock::now() + std::chrono::seconds(10);
    while (Clock::now() < deadline) {
      redisContext* context = redisConnect("127.0.0.1", port_);
      const bool ready = context != nullptr && context->err == 0;
      if (context != nullptr) redisFree(context);
      if (ready) return true;
      if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
        pid_ = -1;
        return false;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  void Stop() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

  std::string folder_;
  int port_ = 0;
  pid_t pid_ = -1;
};

struct Adaptor {
  explicit Adaptor(const std::string& path) {
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) throw std::runtime_error(dlerror());
    const auto load = [&](auto* function, const char* name) {
      *function = reinterpret_cast<std::remove_pointer_t<decltype(function)>>(dlsym(library, name));
      if (*function == nullptr) throw std::runtime_error(path + " has no " + name);
    };
    load(&connect, "nvds_msgapi_connect");
    load(&send_async, "nvds_msgapi_send_async");
    load(&do_work, "nvds_msgapi_do_work");
    load(&disconnect, "nvds_msgapi_disconnect");
  }
  decltype(&nvds_msgapi_connect) connect;
  decltype(&nvds_msgapi_send_async) send_async;
  decltype(&nvds_msgapi_do_work) do_work;
  decltype(&nvds_msgapi_disconnect) disconnect;
};

struct Result {
  double rate = 0;    // messages a second
  double cpu_us = 0;  // of this process, for each message
};

struct Counters {
  std::atomic<size_t> done{0}, failed{0};
};

Result RunAdaptor(const Adaptor& adaptor, const Server& server, const std::string& payload,
                  size_t messages) {
  const std::string config = server.folder() + "/cfg_redis.txt";
  std::ofstream(config) << "[message-broker]\nstreamsize=" << kStreamSize
                        << "\npipeline=" << kPipeline << "\n";
  std::string address = "127.0.0.1;" + std::to_string(server.port());
  NvDsMsgApiHandle handle = adaptor.connect(
      address.data(), [](NvDsMsgApiHandle, NvDsMsgApiEventType) {},
      const_cast<char*>(config.c_str()));
  if (handle == nullptr) throw std::runtime_error("the adaptor does not connect");

  Counters counters;
  std::string topic = kStream;
  const auto start = Clock::now();
  const double cpu = CpuSeconds();
  std::thread work([&] {
    while (counters.done.load(std::memory_order_relaxed) < messages) adaptor.do_work(handle);
  });
  const auto callback = [](void* user_ptr, NvDsMsgApiErrorType status) {
    auto* counted = static_cast<Counters*>(user_ptr);
    if (status != NVDS_MSGAPI_OK) counted->failed.fetch_add(1, std::memory_order_relaxed);
    counted->done.fetch_add(1, std::memory_order_relaxed);
  };
  size_t refused = 0;
  for (size_t i = 0; i < messages; ++i) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(payload.data());
    if (adaptor.send_async(handle, topic.data(), bytes, payload.size(), callback, &counters) !=
        NVDS_MSGAPI_OK) {
      ++refused;
      ++counters.done;
    }
  }
  work.join();
  const auto end = Clock::now();
  const double used = CpuSeconds() - cpu;
  adaptor.disconnect(handle);
  if (refused + counters.failed > 0)
    throw std::runtime_error("some messages were not acknowledged");
  return {static_cast<double>(messages) / Seconds(end - start),
          used * 1e6 / static_cast<double>(messages)};
}

Result RunRaw(const Server& server, const std::string& payload, size_t messages) {
  redisContext* context = redisConnect("127.0.0.1", server.port());
  if (context == nullptr || context->err != 0) throw std::runtime_error("hiredis does not connect");
  const char* argv[] = {"XADD",      kStream, "MAXLEN",   "~",
                        kStreamSize, "*",     "metadata", payload.data()};
  const size_t lengths[] = {4, strlen(kStream), 6, 1, strlen(kStreamSize), 1, 8, payload.size()};
  const auto start = Clock::now();
  const double cpu = CpuSeconds();
  for (size_t sent = 0; sent < messages;) {
    const size_t burst = std::min<size_t>(kPipeline, messages - sent);
    for (size_t i = 0; i < burst; ++i) redisAppendCommandArgv(context, 8, argv, lengths);
    for (size_t i = 0; i < burst; ++i) {
      void* reply = nullptr;
      if (redisGetReply(context, &reply) != REDIS_OK) throw std::runtime_error(context->errstr);
      const bool entry = static_cast<redisReply*>(reply)->type == REDIS_REPLY_STRING;
      freeReplyObject(reply);
      if (!entry) throw std::runtime_error("XADD was refused");
    }
    sent += burst;
  }
  const auto end = Clock::now();
  const double used = CpuSeconds() - cpu;
  redisFree(context);
  return {static_cast<double>(messages) / Seconds(end - start),
          used * 1e6 / static_cast<double>(messages)};
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Arguments {
  std::string library = DSMSG_REDIS_ADAPTOR;
  size_t messages = 300'000, bytes = 400;
  int rounds = 3;
  double min_ratio = 0;
};

Arguments Parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--lib") {
      arguments.library = argv[i + 1];
    } else if (name == "--messages") {
      arguments.messages = std::stoul(argv[i + 1]);
    } else if (name == "--bytes") {
      arguments.bytes = std::stoul(argv[i + 1]);
    } else if (name == "--rounds") {
      arguments.rounds = std::stoi(argv[i + 1]);
    } else if (name == "--min-ratio") {
      arguments.min_ratio = std::stod(argv[i + 1]);
    } else {
      throw std::runtime_error("unknown argument " + name +
                               " (known: --lib --messages --bytes --rounds --min-ratio)");
    }
  }
  return arguments;
}

int Run(const Arguments& arguments) {
  const Adaptor adaptor(arguments.library);
  const Server server;
  const std::string payload(arguments.bytes, 'x');
  std::vector<double> adaptor_rates, raw_rates, ratios, adaptor_cpu, raw_cpu;
  RunRaw(server, payload, 50'000);  // the server's memory and the caches are warm for both
  for (int round = 0; round < arguments.rounds; ++round) {
    const Result ours = RunAdaptor(adaptor, server, payload, arguments.messages);
    const Result raw = RunRaw(server, payload, arguments.messages);
    std::fprintf(stderr, "round %d: adaptor %.0f/s, raw hiredis %.0f/s, ratio %.2f\n", round + 1,
                 ours.rate, raw.rate, ours.rate / raw.rate);
    adaptor_rates.push_back(ours.rate);
    raw_rates.push_back(raw.rate);
    ratios.push_back(ours.rate / raw.rate);
    adaptor_cpu.push_back(ours.cpu_us);
    raw_cpu.push_back(raw.cpu_us);
  }
  const double ratio = Median(ratios);
  std::printf(
      "{\"benchmark\": \"redis_throughput\", \"messages\": %zu, \"payload_bytes\": %zu, "
      "\"rounds\": %d, "
      "\"pipeline\": %d, \"adaptor_per_s\": %.0f, \"hiredis_per_s\": %.0f, \"ratio\": %.3f, "
      "\"adaptor_cpu_us\": %.3f, \"hiredis_cpu_us\": %.3f}\n",
      arguments.messages, arguments.bytes, arguments.rounds, kPipeline, Median(adaptor_rates),
      Median(raw_rates), ratio, Median(adaptor_cpu), Median(raw_cpu));
  return ratio >= arguments.min_ratio ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Run(Parse(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "redis_throughput: %s\n", error.what());
    return 2;
  }
}
