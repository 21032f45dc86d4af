// SPDX-License-Identifier: Apache-2.0
// The limits of the process: callbacks that throw, threads that are cancelled, no free thread or
// descriptor.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>

#include <atomic>
#include <latch>
#include <stdexcept>
#include <thread>

#include "core/base/limits.h"
#include "core/base/time.h"
#include "core/net/dial.h"
#include "core/options/config.h"
#include "host/shared_slots.h"
#include "host/user.h"
#include "support/thread_limit.h"
#include "unit/session_fixture.h"

namespace dsmsg {
namespace {

using ::testing::HasSubstr;
using testing::ThreadLimit;

class ProcessTest : public SessionTest {};

// ---------------------------------------------------------------- callbacks that throw

struct Calls {
  std::atomic<int> count{0};
  std::atomic<bool> throws{true};
};
void CountAndThrow(void* user_ptr, NvDsMsgApiErrorType) {
  auto* calls = static_cast<Calls*>(user_ptr);
  ++calls->count;
  if (calls->throws) throw std::runtime_error("the host's own mistake");
}

TEST_F(ProcessTest, AThrowingSendCallbackLosesNoOther) {
  auto session = Open("");
  ASSERT_TRUE(session);
  Calls calls;
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(session->SendAsync(Request("throws"), &CountAndThrow, &calls).ok());
    ASSERT_TRUE(session->SendAsync(Request("counts"), &CountOutcome, &counts_).ok());
  }
  ASSERT_TRUE(session->Flush(Millis(20000)));
  session->DoWork();
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(calls.count, 10);
  EXPECT_EQ(counts_.ok, 10);
}

void ThrowText(NvDsMsgApiErrorType, void*, int, char*, void* user_ptr) {
  ++*static_cast<std::atomic<int>*>(user_ptr);
  throw std::runtime_error("the host's own mistake");
}

TEST_F(ProcessTest, AThrowingSubscribeCallbackIsCalledAgain) {
  auto session = Open("");
  ASSERT_TRUE(session);
  std::atomic<int> received{0};
  ASSERT_TRUE(session->Subscribe({"t"}, &ThrowText, &received).ok());
  {
    std::lock_guard lock(FakeBroker::Get().mutex);
    FakeBroker::Get().incoming = {{"t", "1"}, {"t", "2"}, {"t", "3"}};
  }
  EXPECT_TRUE(WaitFor([&] { return received == 3; }));
  EXPECT_TRUE(session->Disconnect().ok());
}

std::atomic<int> thrown_events{0};
void ThrowEvent(NvDsMsgApiHandle, NvDsMsgApiEventType) {
  ++thrown_events;
  throw 1;  // not even an exception of the standard library
}

TEST_F(ProcessTest, AThrowingConnectCallbackIsCalledAgain) {
  thrown_events = 0;
  const auto notifier = std::make_shared<Notifier>();
  notifier->Start();
  notifier->ConnectReturning();
  notifier->HostCalled();
  for (int i = 0; i < 3; ++i) {
    notifier->Post([] { ThrowEvent(nullptr, NVDS_MSGAPI_EVT_SUCCESS); });
  }
  EXPECT_TRUE(WaitFor([&] { return thrown_events == 3; }));
  notifier->Close();
}

struct Cancelled {
  std::latch inside{1};
  std::atomic<int> entered{0};
};
void WaitToBeCancelled(void* user_ptr, NvDsMsgApiErrorType) {
  auto* cancelled = static_cast<Cancelled*>(user_ptr);
  ++cancelled->entered;
  cancelled->inside.count_down();
  // Not pause(): ThreadSanitizer loses track of a thread whose call into libc is cancelled.
  for (;;) {
    pthread_testcancel();
    std::this_thread::yield();
  }
}

// The unwinding of pthread_cancel is not an exception and must not be stopped; the next do_work
// calls the remaining callbacks.
TEST_F(ProcessTest, ACancelledThreadLosesNoCallback) {
  auto session = Open("");
  ASSERT_TRUE(session);
  Cancelled cancelled;
  ASSERT_TRUE(session->SendAsync(Request("1"), &WaitToBeCancelled, &cancelled).ok());
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(session->SendAsync(Request("2"), &CountOutcome, &counts_).ok());
  }
  ASSERT_TRUE(session->Flush(Millis(20000)));
  pthread_t host;
  ASSERT_EQ(pthread_create(
                &host, nullptr,
                [](void* argument) -> void* {
                  static_cast<Session*>(argument)->DoWork();
                  return nullptr;
                },
                session.get()),
            0);
  cancelled.inside.wait();
  pthread_cancel(host);
  void* result = nullptr;
  pthread_join(host, &result);
  EXPECT_EQ(result, PTHREAD_CANCELED);
  EXPECT_EQ(counts_.total(), 0);
  session->DoWork();
  EXPECT_EQ(counts_.ok, 5);
  EXPECT_EQ(cancelled.entered, 1);
  EXPECT_TRUE(session->Disconnect().ok());
}

// ---------------------------------------------------------------- no free thread

Status ConnectWith(const std::string& path, nvds_msgapi_connect_cb_t callback, int* handle) {
  try {
    auto session = Session::Connect(FakeDriver::Factory(), "localhost;1", path, callback, handle);
    if (!session.ok()) return session.status();
    session.value()->notifier().ConnectReturning();
    return session.value()->Disconnect();
  } catch (const std::exception& error) {  // as the exported function does
    return {Code::kInternal, error.what()};
  }
}

// Whichever thread cannot be started: connect says so, and leaves nothing behind.
TEST_F(ProcessTest, ConnectWithoutThreadsSaysWhatToRaise) {
  const std::string folder = NewFolder(), path = folder + "/config.txt";
  std::ofstream(path) << "[message-broker]\nspool-dir=" << folder
                      << "/spool\nmetrics-file=" << folder << "/metrics.prom\nconfig-watch=1s\n";
  int threads = 0;
  for (;; ++threads) {
    const ThreadLimit limit(threads);
    const Status status = ConnectWith(path, &CollectEvent, &handle_);
    if (status.ok()) break;
    EXPECT_THAT(status.message(), HasSubstr("ulimit -u")) << "with " << threads << " threads";
    ASSERT_LT(threads, 20);
  }
  EXPECT_GE(threads, 6);  // notify, io, spool, replay, metrics, watch
}

TEST_F(ProcessTest, SubscribeWithoutThreadsFailsAndWorksLater) {
  auto session = Open("");
  ASSERT_TRUE(session);
  Received received;
  for (int threads = 0; threads < 2; ++threads) {  // the link's, the dispatcher's
    const ThreadLimit limit(threads);
    EXPECT_THROW((void)session->Subscribe({"t"}, &CollectMessage, &received), std::system_error);
  }
  ASSERT_TRUE(session->Subscribe({"t"}, &CollectMessage, &received).ok());
  {
    std::lock_guard lock(FakeBroker::Get().mutex);
    FakeBroker::Get().incoming = {{"t", "1"}};
  }
  EXPECT_TRUE(WaitFor([&] {
    std::lock_guard lock(received.mutex);
    return received.messages.size() == 1;
  }));
  EXPECT_TRUE(session->Disconnect().ok());
}

// The first event of a connection used to start a thread, on the thread that watches the link.
TEST_F(ProcessTest, AnOutageWithoutThreads) {
  auto session = Open("");
  ASSERT_TRUE(session);
  {
    const ThreadLimit none(0);
    FakeBroker::Get().SetDown({Code::kAuth, "fake: wrong password"});
    ASSERT_TRUE(session->SendAsync(Request("1"), &CountOutcome, &counts_).ok());
    EXPECT_TRUE(WaitFor([&] {
      session->DoWork();
      std::lock_guard lock(events_mutex);
      return !events.empty() && events.front().second == NVDS_MSGAPI_EVT_SERVICE_DOWN;
    }));
    FakeBroker::Get().SetUp();
    EXPECT_TRUE(session->Flush(Millis(20000)));
  }
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(counts_.ok, 1);
}

// ---------------------------------------------------------------- a driver that throws

std::atomic<int> throwing{0};

class ThrowingDriver final : public Driver {
 public:
  explicit ThrowingDriver(DriverHost& host) : driver_(FakeDriver::Factory().create(host)) {}
  Status Configure(const Endpoints& endpoints, const Config& config) override {
    return driver_->Configure(endpoints, config);
  }
  Status Open(Role role, Deadline deadline, int cancel_fd) override {
    if (throwing > 0 && throwing-- > 0) throw std::bad_alloc();
    return driver_->Open(role, deadline, cancel_fd);
  }
  Status Submit(const Message& message, Token token) override {
    return driver_->Submit(message, token);
  }
  Status Poll(Millis budget, int wake_fd) override {
    if (throwing > 0 && throwing-- > 0) throw std::runtime_error("fake: no memory");
    return driver_->Poll(budget, wake_fd);
  }
  Status Subscribe(std::span<const std::string> topics, Deadline deadline) override {
    return driver_->Subscribe(topics, deadline);
  }
  void Ack(AckToken token) noexcept override { driver_->Ack(token); }
  void Close(Millis drain, int cancel_fd) noexcept override { driver_->Close(drain, cancel_fd); }

  static const DriverFactory& Factory() {
    static const DriverFactory factory = {&FakeDriver::Info(),
                                          [](DriverHost& host) -> std::unique_ptr<Driver> {
                                            return std::make_unique<ThrowingDriver>(host);
                                          }};
    return factory;
  }

 private:
  const std::unique_ptr<Driver> driver_;
};

TEST_F(ProcessTest, AnExceptionOnTheIoThreadIsAnOutage) {
  auto session = Open("", ThrowingDriver::Factory());
  ASSERT_TRUE(session);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(session->SendAsync(Request("x"), &CountOutcome, &counts_).ok());
    if (i % 5 == 0) throwing = 3;  // Poll, then Open twice
  }
  EXPECT_TRUE(session->Flush(Millis(20000)));
  EXPECT_TRUE(WaitFor([] { return throwing == 0; }));
  EXPECT_TRUE(session->Disconnect().ok());
  EXPECT_EQ(counts_.ok, 20);
}

TEST_F(ProcessTest, AConnectThatThrowsHasAReason) {
  throwing = 1'000'000;
  EXPECT_FALSE(Open("", ThrowingDriver::Factory()));
  EXPECT_THAT(connect_error_.message(), HasSubstr("bad_alloc"));
  throwing = 0;
}

// ---------------------------------------------------------------- no free descriptor

class NoDescriptors {
 public:
  NoDescriptors() {
    for (int fd; (fd = ::dup(STDIN_FILENO)) >= 0;) fds_.push_back(fd);
  }
  ~NoDescriptors() {
    for (const int fd : fds_) ::close(fd);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  std::vector<int> fds_;
};

class FewDescriptors {
 public:
  FewDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit few = before_;
    few.rlim_cur = 100;
    ::setrlimit(RLIMIT_NOFILE, &few);
  }
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit before_{};
};

TEST_F(ProcessTest, NetworkErrorsNameTheLimitOfDescriptors) {
  const FewDescriptors few;
  const NoDescriptors none;
  const Deadline soon = Clock::now() + Millis(20000);
  const auto dialled = DialTcp({"127.0.0.1", 9}, soon, -1);
  EXPECT_THAT(dialled.status().message(), HasSubstr("ulimit -n"));
  const auto found = Resolve({"localhost", 9}, soon, -1);
  EXPECT_THAT(found.status().message(), HasSubstr("ulimit -n"));
}

// ---------------------------------------------------------------- waiting for a call that fails

// A callback may send through another connection, whose callback then runs inside it.
TEST(HostCallbackScope, SeesEveryCallbackAroundIt) {
  const host::CallbackScope outer(1);
  {
    const host::CallbackScope inner(2);
    EXPECT_TRUE(host::CallbackScope::Inside(1));
    EXPECT_TRUE(host::CallbackScope::Inside(2));
  }
  EXPECT_TRUE(host::CallbackScope::Inside(1));
  EXPECT_FALSE(host::CallbackScope::Inside(2));
}

TEST(SharedSlotsTest, AMakerThatThrowsLeavesNoCallerWaiting) {
  host::SharedSlots<int> slots;
  std::latch making(1), go(1);
  const auto usable = [](const int&) { return true; };
  std::thread maker([&] {
    const auto slot = slots.Join(
        "key",
        [&]() -> Result<std::shared_ptr<int>> {
          making.count_down();
          go.wait();
          throw std::runtime_error("no memory");
        },
        usable);
    EXPECT_EQ(slot.status().message(), "no memory");
  });
  making.wait();
  std::thread joiner([&] {
    const auto slot = slots.Join(
        "key", [] { return std::make_shared<int>(1); }, usable);
    // Either it waited, or it came after the failure and tried itself.
    EXPECT_TRUE(slot.ok() || slot.status().message() == "no memory");
  });
  go.count_down();
  maker.join();
  joiner.join();
  EXPECT_TRUE(slots
                  .Join(
                      "key", [] { return std::make_shared<int>(2); }, usable)
                  .ok());
}

}  // namespace
}  // namespace dsmsg
