// SPDX-License-Identifier: Apache-2.0
// libzmq: PUSH to a PULL socket, and REQ to a REP socket, in a process of their own, whose work is
// not counted. PUSH acknowledges what libzmq took, so that both wait until everything arrived.
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <atomic>
#include <chrono>
#include <new>
#include <stdexcept>
#include <thread>

#include "target.h"

namespace dsmsg::bench {
namespace {

constexpr std::chrono::seconds kArrival{10};
using Counter = std::atomic<uint64_t>;
static_assert(Counter::is_always_lock_free, "shared between processes");

/// The other side: receives (and answers), in a child process.
class Peer {
 public:
  explicit Peer(int socket_type) {
    void* memory =
        mmap(nullptr, sizeof(Counter), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("no shared memory");
    received_ = new (memory) Counter(0);
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
      Serve(socket_type, ends[1]);
      _exit(1);
    }
    close(ends[1]);
    std::array<char, 256> text{};
    const ssize_t size = read(ends[0], text.data(), text.size());
    close(ends[0]);
    if (size <= 0) throw std::runtime_error("the receiving process did not start");
    endpoint_.assign(text.data(), static_cast<size_t>(size));
  }
  ~Peer() {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
    munmap(received_, sizeof(Counter));
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  const std::string& endpoint() const { return endpoint_; }

  void Wait(uint64_t total) const {
    const auto deadline = std::chrono::steady_clock::now() + kArrival;
    while (received_->load() < total) {
      if (std::chrono::steady_clock::now() > deadline) {
        throw std::runtime_error(std::to_string(total - received_->load()) +
                                 " messages did not arrive");
      }
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  }

 private:
  void Serve(int socket_type, int answer) {
    void* context = zmq_ctx_new();
    void* socket = zmq_socket(context, socket_type);
    std::array<char, 256> text{};
    size_t size = text.size();
    if (zmq_bind(socket, "tcp://127.0.0.1:*") != 0 ||
        zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, text.data(), &size) != 0 ||
        write(answer, text.data(), size - 1) < 0) {
      return;
    }
    close(answer);
    zmq_msg_t message;
    zmq_msg_init(&message);
    while (zmq_msg_recv(&message, socket, 0) >= 0) {
      const bool more = zmq_msg_more(&message) != 0;
      if (!more) received_->fetch_add(1, std::memory_order_relaxed);
      if (!more && socket_type == ZMQ_REP && zmq_send(socket, "OK", 2, 0) < 0) return;
    }
  }

  Counter* received_ = nullptr;
  pid_t child_ = -1;
  std::string endpoint_;
};

class ZmqClient : public RawClient {
 public:
  ZmqClient(const std::string& endpoint, int socket_type)
      : context_(zmq_ctx_new()), socket_(zmq_socket(context_, socket_type)), type_(socket_type) {
    if (zmq_connect(socket_, endpoint.c_str()) != 0) throw std::runtime_error("zmq_connect failed");
  }
  ~ZmqClient() override {
    zmq_close(socket_);
    zmq_ctx_term(context_);
  }

  void Send(size_t count, const Payloads& payloads) override {
    std::array<char, 64> reply{};
    for (size_t i = 0; i < count; ++i) {
      const std::string& payload = payloads[i % payloads.size()];
      if (zmq_send(socket_, payload.data(), payload.size(), 0) < 0 ||
          (type_ == ZMQ_REQ && zmq_recv(socket_, reply.data(), reply.size(), 0) < 0)) {
        throw std::runtime_error(zmq_strerror(zmq_errno()));
      }
    }
  }

 private:
  void* const context_;
  void* const socket_;
  const int type_;
};

class ZmqTarget : public Target {
 public:
  ZmqTarget(int socket_type, int peer_type) : type_(socket_type), peer_type_(peer_type) {}
  std::string adaptor() const override { return "zmq"; }
  std::string client() const override {
    int major = 0, minor = 0, patch = 0;
    zmq_version(&major, &minor, &patch);
    return "libzmq " + std::to_string(major) + "." + std::to_string(minor) + "." +
           std::to_string(patch);
  }
  void Start() override { peer_ = std::make_unique<Peer>(peer_type_); }
  std::string connection() const override { return peer_->endpoint(); }
  std::unique_ptr<RawClient> Connect() override {
    return std::make_unique<ZmqClient>(peer_->endpoint(), type_);
  }
  void WaitReceived(size_t total) override { peer_->Wait(total); }

 private:
  const int type_, peer_type_;
  std::unique_ptr<Peer> peer_;
};

class PushTarget : public ZmqTarget {
 public:
  PushTarget() : ZmqTarget(ZMQ_PUSH, ZMQ_PULL) {}
  std::string name() const override { return "zmq"; }
  std::string terms() const override { return "PUSH to PULL over tcp, high-water mark 1000"; }
  std::vector<std::string> config() const override { return {"socket_type=PUSH"}; }
};

class RequestTarget : public ZmqTarget {
 public:
  RequestTarget() : ZmqTarget(ZMQ_REQ, ZMQ_REP) {}
  std::string name() const override { return "zmq-req"; }
  std::string terms() const override { return "REQ to REP over tcp, one at a time"; }
  size_t default_messages() const override { return 30'000; }
  std::vector<std::string> config() const override { return {"socket_type=REQ"}; }
};

DSMSG_TARGET(PushTarget);
DSMSG_TARGET(RequestTarget);

}  // namespace
}  // namespace dsmsg::bench
