// SPDX-License-Identifier: Apache-2.0
// libzmq: PUSH to a PULL socket, and REQ to a REP socket, in a process of their own, whose work is
// not counted. PUSH acknowledges what libzmq took, so that both wait until everything arrived.
#include <sys/mman.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <new>
#include <stdexcept>
#include <thread>

#include "adaptor.h"
#include "target.h"

namespace dsmsg::bench {
namespace {

constexpr std::chrono::seconds kArrival{10};
using Counter = std::atomic<uint64_t>;
static_assert(Counter::is_always_lock_free, "shared between processes");

void Await(const Counter& received, uint64_t total) {
  const auto deadline = Clock::now() + kArrival;
  while (received.load() < total) {
    if (Clock::now() > deadline) {
      throw std::runtime_error(std::to_string(total - received.load()) +
                               " messages did not arrive");
    }
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
}

std::string ZmqVersion() {
  int major = 0, minor = 0, patch = 0;
  zmq_version(&major, &minor, &patch);
  return "libzmq " + std::to_string(major) + "." + std::to_string(minor) + "." +
         std::to_string(patch);
}

/// The other side: receives (and answers), in a child process.
class Peer {
 public:
  Peer(int socket_type, const std::string& endpoint) {
    void* memory =
        mmap(nullptr, sizeof(Counter), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("no shared memory");
    received_ = new (memory) Counter(0);
    helper_ = std::make_unique<Helper>([&](int answer) { Serve(socket_type, endpoint, answer); });
  }
  ~Peer() {
    helper_.reset();
    munmap(received_, sizeof(Counter));
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  const std::string& endpoint() const { return helper_->text(); }
  pid_t pid() const { return helper_->pid(); }

  void Wait(uint64_t total) const { Await(*received_, total); }

 private:
  void Serve(int socket_type, const std::string& endpoint, int answer) {
    void* context = zmq_ctx_new();
    void* socket = zmq_socket(context, socket_type);
    std::array<char, 256> text{};
    size_t size = text.size();
    if (zmq_bind(socket, endpoint.c_str()) != 0 ||
        zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, text.data(), &size) != 0 ||
        dprintf(answer, "%s\n", text.data()) < 0) {
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
  std::unique_ptr<Helper> helper_;
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

  void Submit(const Letter& letter, Sent* sent) override {
    std::array<char, 64> reply{};
    if (zmq_send(socket_, letter.payload.data(), letter.payload.size(), 0) < 0 ||
        (type_ == ZMQ_REQ && zmq_recv(socket_, reply.data(), reply.size(), 0) < 0)) {
      throw std::runtime_error(zmq_strerror(zmq_errno()));
    }
    Tracker::Done(sent, true);
  }

  // Everything is acknowledged already.
  void Poll(std::chrono::microseconds wait) override {
    if (wait.count() > 0) std::this_thread::sleep_for(wait);
  }

 protected:
  void* context() const { return context_; }
  void* socket() const { return socket_; }

 private:
  void* const context_;
  void* const socket_;
  const int type_;
};

class ZmqTarget : public Target {
 public:
  ZmqTarget(std::string name, std::string type, std::string endpoint)
      : name_(std::move(name)), type_(std::move(type)), endpoint_(std::move(endpoint)) {}
  std::string name() const override { return name_; }
  std::string adaptor() const override { return "zmq"; }
  std::string client() const override { return ZmqVersion(); }
  std::string terms() const override {
    return asks() ? "REQ to REP, one at a time" : "PUSH to PULL, high-water mark 1000";
  }
  std::vector<std::string> config() const override { return {"socket_type=" + type_}; }
  void Start(const Setup& setup) override {
    proxy_.reset();
    // A path of this process; removed by libzmq.
    std::string endpoint = endpoint_;
    if (endpoint.starts_with("ipc")) endpoint += "-" + std::to_string(getpid());
    peer_ = std::make_unique<Peer>(asks() ? ZMQ_REP : ZMQ_PULL, endpoint);
    if (setup.round_trip.count() == 0 || !endpoint.starts_with("tcp")) return;
    const size_t colon = peer_->endpoint().rfind(':');
    const auto port = static_cast<uint16_t>(std::stoul(peer_->endpoint().substr(colon + 1)));
    proxy_ = MakeProxy(port, 0, setup.round_trip);
  }
  std::string connection() const override {
    return proxy_ != nullptr ? "tcp://127.0.0.1:" + proxy_->text() : peer_->endpoint();
  }
  std::unique_ptr<RawClient> Connect() override {
    return std::make_unique<ZmqClient>(connection(), asks() ? ZMQ_REQ : ZMQ_PUSH);
  }
  void WaitReceived(uint64_t total) override { peer_->Wait(total); }
  pid_t server() const override { return peer_->pid(); }

 private:
  bool asks() const { return type_ == "REQ"; }

  const std::string name_, type_, endpoint_;
  std::unique_ptr<Peer> peer_;
  std::unique_ptr<Helper> proxy_;
};

constexpr char kInproc[] = "inproc://dsmsg-bench";

/// A PULL socket of this process, with a thread that counts what it receives.
class InprocClient : public ZmqClient {
 public:
  explicit InprocClient(Counter* received) : ZmqClient(kInproc, ZMQ_PUSH) {
    receiver_ = zmq_socket(context(), ZMQ_PULL);
    if (zmq_bind(receiver_, kInproc) != 0) throw std::runtime_error("zmq_bind failed");
    thread_ = std::thread([this, received] {
      zmq_msg_t message;
      zmq_msg_init(&message);
      while (zmq_msg_recv(&message, receiver_, 0) > 1) received->fetch_add(1);
      zmq_msg_close(&message);
    });
  }
  ~InprocClient() override {
    const std::string end = "e";  // of one byte, as no payload is
    zmq_send(socket(), end.data(), end.size(), 0);
    thread_.join();
    zmq_close(receiver_);
  }

 private:
  void* receiver_ = nullptr;
  std::thread thread_;
};

/// Both ends in one process: sockets of one context, two handles of the adaptor.
class InprocTarget : public Target {
 public:
  ~InprocTarget() override {
    if (receiver_.ok()) receiver_.Disconnect();
  }
  std::string name() const override { return "zmq-inproc"; }
  std::string adaptor() const override { return "zmq"; }
  std::string client() const override { return ZmqVersion(); }
  std::string terms() const override { return "PUSH to PULL in one process, received there too"; }
  std::vector<std::string> config() const override { return {"socket_type=PUSH"}; }
  std::string connection() const override { return std::string("zmq://") + kInproc; }
  pid_t server() const override { return 0; }

  void Start(const Setup&) override {
    adaptor_ = conformance::Adaptor::Load(LibraryOf(*this));
    const ConfigFile config({"socket_type=NONE", "subscribe_socket_type=PULL"});
    receiver_ = conformance::Link::Open(*adaptor_, connection(), config.path());
    const auto count = [](NvDsMsgApiErrorType, void*, int, char*, void* counter) {
      static_cast<Counter*>(counter)->fetch_add(1, std::memory_order_relaxed);
    };
    if (!receiver_.ok() || receiver_.Subscribe({kTopic}, count, &received_) != NVDS_MSGAPI_OK) {
      throw std::runtime_error("the adaptor does not receive (its log says why)");
    }
  }
  std::unique_ptr<RawClient> Connect() override {
    return std::make_unique<InprocClient>(&received_);
  }
  void WaitReceived(uint64_t total) override { Await(received_, total); }

 private:
  std::unique_ptr<conformance::Adaptor> adaptor_;
  conformance::Link receiver_;
  Counter received_{0};
};

[[maybe_unused]] const bool registered =
    RegisterTarget(std::make_unique<InprocTarget>()) &&
    RegisterTarget(std::make_unique<ZmqTarget>("zmq", "PUSH", "tcp://127.0.0.1:*")) &&
    RegisterTarget(std::make_unique<ZmqTarget>("zmq-ipc", "PUSH", "ipc:///tmp/dsmsg-bench")) &&
    RegisterTarget(std::make_unique<ZmqTarget>("zmq-req", "REQ", "tcp://127.0.0.1:*"));

}  // namespace
}  // namespace dsmsg::bench
