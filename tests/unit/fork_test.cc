// SPDX-License-Identifier: Apache-2.0
#include "core/base/fork.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "core/spool/spool_file.h"

#ifdef __SANITIZE_THREAD__
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_options() {
  return "die_after_fork=0";  // children of fork() start threads
}
#endif

namespace dsmsg {
namespace {

// What `body` returns in a child; -1: it died, or hung.
int InChild(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(300);
    _exit(body());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(ForkTest, EachProcessHasItsOwn) {
  static PerProcess<std::string> text;
  EXPECT_EQ(text.Get("made once"), "made once");
  const ProcessStamp stamp;
  EXPECT_TRUE(stamp.is_here());
  EXPECT_EQ(InChild([&] {
              const bool fresh = text.Get("made anew") == "made anew";
              const bool again = InChild([&] { return text.Get("third") == "third" ? 7 : 1; }) == 7;
              return fresh && again && !stamp.is_here() && ProcessStamp().is_here() ? 7 : 1;
            }),
            7);
  EXPECT_EQ(text.Get("made once"), "made once");
}

TEST(ForkTest, AMutexThatAnotherThreadHoldsDoesNotStopAChild) {
  static PerProcess<std::mutex> mutex;
  const std::lock_guard held(mutex.Get());
  EXPECT_EQ(InChild([] {
              const std::lock_guard lock(mutex.Get());
              return 7;
            }),
            7);
}

bool IsOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }

TEST(ForkTest, DescriptorsAreClosedInChildren) {
  int ends[2], others[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  CloseInChildren(ends[0]);
  EXPECT_EQ(InChild([&] { return !IsOpen(ends[0]) && IsOpen(ends[1]) ? 7 : 1; }), 7);
  EXPECT_TRUE(IsOpen(ends[0]));
  // The number belongs to another file by now.
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, others), 0);
  ASSERT_EQ(dup3(others[0], ends[0], O_CLOEXEC), ends[0]);
  EXPECT_EQ(InChild([&] { return IsOpen(ends[0]) ? 7 : 1; }), 7);
  for (const int fd : {ends[0], ends[1], others[0], others[1]}) close(fd);
}

TEST(ForkTest, ForkWhileDescriptorsAreNamed) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop) CloseInChildren(ends[0]);
  });
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(InChild([&] {
                CloseInChildren(ends[1]);
                return OpenInParent("/nowhere") ? 1 : 7;
              }),
              7);
  }
  stop = true;
  busy.join();
  close(ends[0]);
  close(ends[1]);
}

class SpoolForkTest : public ::testing::Test {
 protected:
  SpoolForkTest() {
    std::string folder = ::testing::TempDir() + "fork_XXXXXX";
    identity_ = {mkdtemp(folder.data()), "KAFKA", "localhost:1", "name"};
  }
  int ClaimedNumber() const {
    const Result<SpoolFile> file = SpoolFile::Claim(identity_);
    return file.ok() ? file->number() : -1;
  }
  SpoolIdentity identity_;
};

// A worker that outlives its killed parent, as those of multiprocessing do.
TEST_F(SpoolForkTest, AChildThatLivesOnKeepsNoLock) {
  int report[2];
  ASSERT_EQ(pipe2(report, O_CLOEXEC), 0);
  const pid_t owner = fork();
  if (owner == 0) {
    alarm(300);
    const Result<SpoolFile> file = SpoolFile::Claim(identity_);
    if (fork() == 0) {  // it reports itself, so its fork is complete
      const pid_t worker = getpid();
      [[maybe_unused]] const ssize_t sent = write(report[1], &worker, sizeof worker);
    }
    for (;;) pause();
  }
  pid_t worker = -1;
  ASSERT_EQ(read(report[0], &worker, sizeof worker), static_cast<ssize_t>(sizeof worker));
  EXPECT_EQ(ClaimedNumber(), 1);
  kill(owner, SIGKILL);
  waitpid(owner, nullptr, 0);
  EXPECT_EQ(ClaimedNumber(), 0);
  EXPECT_EQ(kill(worker, 0), 0) << "it has to live until here";
  kill(worker, SIGKILL);
  close(report[0]);
  close(report[1]);
}

// SQLite keeps the state of the parent's file in memory.
TEST_F(SpoolForkTest, AChildNeverUsesTheFileOfItsParent) {
  auto file = std::make_unique<SpoolFile>(std::move(SpoolFile::Claim(identity_).value()));
  EXPECT_EQ(InChild([&] { return ClaimedNumber(); }), 1);
  EXPECT_EQ(file->number(), 0);
  file.reset();
  EXPECT_EQ(InChild([&] { return ClaimedNumber(); }), 0);
}

}  // namespace
}  // namespace dsmsg
