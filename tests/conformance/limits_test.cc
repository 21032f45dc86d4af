// SPDX-License-Identifier: Apache-2.0
// Rule 24: no free descriptor or thread. In children, so that the suite itself keeps its own.
#include <sys/resource.h>
#include <unistd.h>

#include "child.h"
#include "fixture.h"
#include "support/thread_limit.h"

namespace dsmsg::conformance {
namespace {

CONFORMANCE_SUITE(Rule24_Limits);

using testing::ThreadLimit;

/// Uses up the descriptors of this process, all but a given number.
class Descriptors {
 public:
  Descriptors() {
    rlimit few{};
    getrlimit(RLIMIT_NOFILE, &few);
    few.rlim_cur = 130;
    setrlimit(RLIMIT_NOFILE, &few);
  }
  void UseAllBut(size_t spare) {
    for (int fd; (fd = dup(STDIN_FILENO)) >= 0;) used_.push_back(fd);
    for (; spare > 0 && !used_.empty(); --spare) {
      close(used_.back());
      used_.pop_back();
    }
  }
  void Free() {
    for (const int fd : used_) close(fd);
    used_.clear();
  }

 private:
  std::vector<int> used_;
};

// One message there, acknowledged, and an orderly end.
void RequireUse(const Link& link, const std::string& topic) {
  Require(link.Send(topic, "limits") == NVDS_MSGAPI_OK, "send: " + link.adaptor().LastError());
  Require(link.Disconnect() == NVDS_MSGAPI_OK, "disconnect: " + link.adaptor().LastError());
}

TEST_P(Rule24_Limits, ConnectWithFewDescriptors) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server), config = WriteConfig(quirks().LowLatencyConfig());
  Child child([&](Child& self) {
    self.CloseInherited();
    Descriptors descriptors;
    size_t failed = 0;
    for (size_t spare = 0; spare <= 60; spare += spare < 12 ? 1 : 8) {
      descriptors.UseAllBut(spare);
      const Link link = Link::Open(adaptor(), Connection(server), config);
      if (link.ok()) {
        RequireUse(link, topic);
      } else {
        ++failed;
        const std::string why = adaptor().LastError();
        Require(why.find("ulimit -n") != std::string::npos,
                "with " + std::to_string(spare) + " descriptors: " + why);
        Require(spare < 60, "60 descriptors are not enough: " + why);
      }
      descriptors.Free();
    }
    Require(failed > 0, "nothing failed");
  });
  EXPECT_EQ(child.Join(), "");
}

TEST_P(Rule24_Limits, ConnectWithFewThreads) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server), config = WriteConfig(quirks().LowLatencyConfig());
  Child child([&](Child& self) {
    self.CloseInherited();
    int threads = 0;
    for (bool connected = false; !connected; ++threads) {
      const ThreadLimit limit(threads);
      const Link link = Link::Open(adaptor(), Connection(server), config, &ConnectEvents::OnEvent);
      connected = link.ok();
      if (connected) {
        RequireUse(link, topic);
      } else {
        const std::string why = adaptor().LastError();
        Require(why.find("ulimit -u") != std::string::npos,
                "with " + std::to_string(threads) + " threads: " + why);
        Require(threads < 30, "30 threads are not enough: " + why);
      }
    }
    Require(threads > 1, "no thread was needed");
  });
  EXPECT_EQ(child.Join(), "");
}

void CountOk(void* count, NvDsMsgApiErrorType outcome) {
  if (outcome == NVDS_MSGAPI_OK) ++*static_cast<size_t*>(count);
}

constexpr size_t kMessages = 20;

void SendSome(const Link& link, std::string topic, size_t* ok) {
  for (size_t i = 0; i < kMessages; ++i) {
    Require(link.SendAsync(topic.data(), "message " + std::to_string(i), &CountOk, ok) ==
                NVDS_MSGAPI_OK,
            "send_async: " + link.adaptor().LastError());
  }
}

// An outage of a process that has used up a resource: `begin` uses it up, `spent` says that nothing
// is left although the connection has ended, `refused` that this caused a failure while the server
// was back, `end` frees it. Everything is delivered in the end.
struct Shortage {
  std::function<void()> begin, end;
  std::function<bool(const Link&)> spent, refused;
};
void LiveThrough(Child& parent, const Link& link, const std::string& topic,
                 const Shortage& shortage) {
  Require(link.ok(), "connect: " + link.adaptor().LastError());
  size_t ok = 0;
  SendSome(link, topic, &ok);
  Require(link.adaptor().f.flush(link.handle(), 30'000) == NVDS_MSGAPI_OK, "flush");
  shortage.begin();
  parent.Tell();  // the server may be killed
  Require(WaitFor([&] { return !link.GetStats().link_up(); }), "no outage");
  SendSome(link, topic, &ok);
  Require(WaitFor([&] { return shortage.spent(link); }),
          "something was left: " + link.adaptor().LastError(link.handle()));
  parent.Tell();  // and started again
  parent.Await();
  Require(WaitFor([&] { return shortage.refused(link); }),
          "felt nothing: " + link.adaptor().LastError(link.handle()));
  shortage.end();
  SendSome(link, topic, &ok);
  Require(WaitFor(
              [&] {
                link.DoWork();
                return ok == 3 * kMessages;
              },
              kPatience),
          std::to_string(ok) + " were acknowledged: " + link.adaptor().LastError(link.handle()));
  Require(link.Disconnect() == NVDS_MSGAPI_OK, "disconnect");
}

void KillAndRestart(Child& child, Server& server) {
  child.Await();
  server.Kill();
  child.Await();
  server.EnsureUp();
  child.Tell();
  EXPECT_EQ(child.Join(), "");
}

TEST_P(Rule24_Limits, AnOutageWithoutDescriptors) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server), config = WriteConfig(QuickReconnect());
  Child child([&](Child& parent) {
    parent.CloseInherited();
    Descriptors descriptors;
    Shortage shortage;
    shortage.begin = [&] { descriptors.UseAllBut(0); };
    shortage.refused = [&](const Link& link) {
      // A connection that has just ended gave its descriptors back: they are used up, too.
      descriptors.UseAllBut(0);
      return adaptor().LastError(link.handle()).find("ulimit -n") != std::string::npos;
    };
    shortage.spent = shortage.refused;
    shortage.end = [&] { descriptors.Free(); };
    LiveThrough(parent, Link::Open(adaptor(), Connection(server), config), topic, shortage);
  });
  KillAndRestart(child, server);
}

TEST_P(Rule24_Limits, AnOutageWithoutThreads) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server), config = WriteConfig(QuickReconnect());
  Child child([&](Child& parent) {
    parent.CloseInherited();
    std::unique_ptr<ThreadLimit> none;
    Shortage shortage;
    shortage.begin = [&] { none = std::make_unique<ThreadLimit>(0); };
    shortage.spent = [](const Link&) { return true; };
    // The link may come back without another thread.
    shortage.refused = [&](const Link& link) {
      return link.GetStats().link_up() || none->refused() > 0;
    };
    shortage.end = [&] { none.reset(); };
    LiveThrough(parent, Link::Open(adaptor(), Connection(server), config, &ConnectEvents::OnEvent),
                topic, shortage);
  });
  KillAndRestart(child, server);
}

}  // namespace
}  // namespace dsmsg::conformance
