// SPDX-License-Identifier: Apache-2.0
// Rule 23: fork() without exec, while connections are open and their threads are busy.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <set>

#include "child.h"
#include "fixture.h"

namespace dsmsg::conformance {
namespace {

CONFORMANCE_SUITE(Rule23_Fork);
CONFORMANCE_SUITE(Rule23_ForkSockets);

void Never(void*, NvDsMsgApiErrorType) { NoteViolation("rule 23: a callback in a child"); }
void NeverMessage(NvDsMsgApiErrorType, void*, int, char*, void*) {}

void RequireRefused(NvDsMsgApiErrorType answer, const char* function) {
  Require(answer == NVDS_MSGAPI_ERR, std::string(function) + " took a handle of the parent's");
}

// Every function, in a child.
void CallAll(const AdaptorFunctions& f, NvDsMsgApiHandle handle, const Adaptor& adaptor) {
  char topic[] = "t";
  const auto* payload = reinterpret_cast<const uint8_t*>("p");
  char* topics[] = {topic};
  char text[64] = "";
  RequireRefused(f.send_async(handle, topic, payload, 1, &Never, nullptr), "send_async");
  Require(adaptor.LastError().find("parent") != std::string::npos, "why: " + adaptor.LastError());
  RequireRefused(f.send(handle, topic, payload, 1), "send");
  RequireRefused(f.subscribe(handle, topics, 1, &NeverMessage, nullptr), "subscribe");
  DsmsgMessage message{};
  message.size = sizeof message;
  message.payload = payload;
  message.payload_len = 1;
  RequireRefused(f.send_message(handle, &message, &Never, nullptr), "send_message");
  RequireRefused(f.flush(handle, 1000), "flush");
  RequireRefused(f.set_link_callback(handle, nullptr, nullptr), "set_link_callback");
  for (int i = 0; i < 5; ++i) f.do_work(handle);  // as a host's work thread goes on
  Require(f.stats(handle, text, sizeof text) == 0, "stats answered");
  Require(f.last_error(handle, text, sizeof text) == 0, "last_error answered");
  RequireRefused(f.disconnect(handle), "disconnect");
  RequireRefused(f.disconnect(handle), "disconnect, again,");
  Require(*f.describe() == '{', "describe");
}

// While the parent's threads hold, at any moment, any of the adaptor's locks.
TEST_P(Rule23_Fork, AHandleOfTheParentIsRefusedAtOnce) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server);
  Ledger& ledger = NewLedger();
  const ClosedPort closed;
  const std::string nowhere = "127.0.0.1;" + std::to_string(closed.port());
  const std::string lazy = WriteConfig({"connect=lazy", "flush-timeout=0"});
  std::atomic<bool> stop{false};
  std::thread sender([&] {
    for (int i = 0; i < 2000 && !stop; ++i) (void)link.SendAsync(ledger.Add(topic, "cam0"));
  });
  std::thread worker([&] {
    while (!stop) link.DoWork();
  });
  std::thread opener([&] {
    while (!stop) {
      (void)adaptor().Signature(nowhere, lazy);
      (void)Link::Open(adaptor(), nowhere, lazy).Disconnect();
      (void)link.GetStats();
    }
  });
  std::string failures;
  constexpr size_t kChildren = 10;
  for (size_t i = 0; i < kChildren && failures.empty(); ++i) {
    Child child([&](Child&) { CallAll(adaptor().f, link.handle(), adaptor()); });
    failures = child.Join();
  }
  stop = true;
  sender.join();
  worker.join();
  opener.join();
  EXPECT_EQ(failures, "");
  const std::string log = Log(), refused = "do_work: this handle belongs to the parent process";
  size_t lines = 0;
  for (size_t at = 0; (at = log.find(refused, at)) != log.npos; at += refused.size()) ++lines;
  EXPECT_EQ(lines, kChildren) << "once in each";
  EXPECT_TRUE(Pump(link, ledger));
  Close(link);
  ExpectAllOk(ledger, ledger.accepted());
  ExpectDelivered(ledger, server, topic, false);
}

// Sends that many and waits for all; in a child.
void SendInChild(const Link& link, const std::string& topic, size_t count) {
  Require(link.ok(), "connect: " + link.adaptor().LastError());
  for (size_t i = 0; i < count; ++i) {
    Require(link.Send(topic, "child " + std::to_string(i)) == NVDS_MSGAPI_OK,
            "send " + std::to_string(i) + ": " + link.adaptor().LastError());
  }
}

TEST_P(Rule23_Fork, AChildConnectsItselfAndTheParentGoesOn) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server), childs = NewTopic(server);
  const std::string config = WriteConfig(quirks().LowLatencyConfig());
  const Link link = Connect(server);
  Ledger& ledger = NewLedger();
  SendMany(link, ledger, topic, 50);
  std::atomic<bool> stop{false};
  std::thread worker([&] {
    while (!stop) link.DoWork();
  });
  constexpr size_t kChildren = 3, kEach = 10;
  for (size_t i = 0; i < kChildren; ++i) {
    Child child([&](Child&) {
      const Link own = Link::Open(adaptor(), Connection(server), config);
      SendInChild(own, childs, kEach);
      RequireRefused(adaptor().f.disconnect(link.handle()), "disconnect");
      Require(own.Disconnect() == NVDS_MSGAPI_OK, "disconnect failed");
    });
    SendMany(link, ledger, topic, 50);  // meanwhile
    EXPECT_EQ(child.Join(), "");
  }
  SendMany(link, ledger, topic, 50);
  EXPECT_TRUE(WaitFor([&] { return ledger.completed() == ledger.accepted(); }));
  EXPECT_EQ(link.GetStats()["reconnects"], 0u);
  stop = true;
  worker.join();
  Close(link);
  ExpectAllOk(ledger, 250);
  ExpectDelivered(ledger, server, topic, false);
  std::multiset<std::string> payloads;
  for (const Received& each : quirks().ReadAll(server, childs)) payloads.insert(each.payload);
  EXPECT_EQ(payloads.size(), kChildren * kEach);
  EXPECT_EQ(payloads.count("child 0"), kChildren);
}

/// Accepts connections and notices their end.
class Listener {
 public:
  Listener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (bind(fd_, any, length) != 0 || listen(fd_, 16) != 0 ||
        getsockname(fd_, any, &length) != 0) {
      throw std::runtime_error("cannot listen");
    }
    port_ = ntohs(address.sin_port);
  }
  ~Listener() {
    for (const int fd : open_) close(fd);
    close(fd_);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  uint16_t port() const { return port_; }
  /// How many are connected now.
  size_t Open() {
    for (int fd; (fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;) {
      open_.insert(fd);
      ++accepted_;
    }
    std::erase_if(open_, [](int fd) {
      char bytes[4096];
      ssize_t got;
      while ((got = recv(fd, bytes, sizeof bytes, 0)) > 0) {
      }
      const bool ended = got == 0 || (errno != EAGAIN && errno != EINTR);
      if (ended) close(fd);
      return ended;
    });
    return open_.size();
  }

 private:
  const int fd_;
  uint16_t port_ = 0;
  std::set<int> open_;
  size_t accepted_ = 0;
};

// A process that is killed while its child lives on: its broker must see its end.
TEST_P(Rule23_ForkSockets, EndWithTheirProcess) {
  Listener listener;
  const std::string config = WriteConfig({"connect=lazy"});
  pid_t grandchild = -1;
  int report[2];
  ASSERT_EQ(pipe(report), 0);
  Child child([&](Child& parent) {
    const Link link = Link::Open(adaptor(), "127.0.0.1;" + std::to_string(listener.port()), config);
    Require(link.ok(), "connect: " + adaptor().LastError());
    parent.Await();
    const pid_t forked = fork();
    if (forked == 0) {
      alarm(600);
      for (;;) pause();
    }
    Require(write(report[1], &forked, sizeof forked) == sizeof forked, "write");
    for (;;) pause();
  });
  EXPECT_TRUE(WaitFor([&] { return listener.Open() > 0; }));
  child.Tell();
  ASSERT_EQ(read(report[0], &grandchild, sizeof grandchild),
            static_cast<ssize_t>(sizeof grandchild));
  kill(child.pid(), SIGKILL);
  EXPECT_TRUE(WaitFor([&] { return listener.Open() == 0; }));
  EXPECT_EQ(kill(grandchild, 0), 0) << "the grandchild has to live until here";
  kill(grandchild, SIGKILL);
  close(report[0]);
  close(report[1]);
}

}  // namespace
}  // namespace dsmsg::conformance
