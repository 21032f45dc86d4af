// SPDX-License-Identifier: Apache-2.0
#include "core/base/log.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <thread>
#include <vector>

namespace dsmsg {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

/// Collects everything written to descriptor 2 while it lives.
class StderrFile {
 public:
  StderrFile() : file_(std::tmpfile()), saved_(::dup(STDERR_FILENO)) {
    ::fcntl(::fileno(file_), F_SETFL, O_APPEND);
    ::dup2(::fileno(file_), STDERR_FILENO);
  }
  ~StderrFile() {
    ::dup2(saved_, STDERR_FILENO);
    ::close(saved_);
    std::fclose(file_);
  }
  std::vector<std::string> Lines() const {
    std::string text(1 << 20, '\0');
    const ssize_t size = ::pread(::fileno(file_), text.data(), text.size(), 0);
    text.resize(size > 0 ? static_cast<size_t>(size) : 0);
    std::istringstream stream(text);
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
  }

 private:
  std::FILE* const file_;
  const int saved_;
};

class LogTest : public ::testing::Test {
 protected:
  LogTest() { ::unsetenv("DSMSG_LOG"); }
  ~LogTest() override { ::unsetenv("DSMSG_LOG"); }
};

TEST_F(LogTest, LevelNames) {
  EXPECT_EQ(ParseLogLevel("error", LogLevel::kWarn), LogLevel::kError);
  EXPECT_EQ(ParseLogLevel("warn", LogLevel::kError), LogLevel::kWarn);
  EXPECT_EQ(ParseLogLevel("info", LogLevel::kWarn), LogLevel::kInfo);
  EXPECT_EQ(ParseLogLevel("debug", LogLevel::kWarn), LogLevel::kDebug);
  EXPECT_EQ(ParseLogLevel("loud", LogLevel::kInfo), LogLevel::kInfo);
  EXPECT_EQ(ParseLogLevel("", LogLevel::kInfo), LogLevel::kInfo);
}

TEST_F(LogTest, OneLineWithTimeLevelAndProtocol) {
  const StderrFile captured;
  Logger logger("KAFKA");
  logger.Warn("cannot reach %s %n broker");
  EXPECT_THAT(captured.Lines(),
              ElementsAre(::testing::MatchesRegex(
                  "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z warn "
                  "kafka: cannot reach %s %n broker")));
}

TEST_F(LogTest, LevelsAreObeyed) {
  const StderrFile captured;
  Logger logger("REDIS");
  logger.Info("no");
  logger.Warn("one");
  logger.SetLevel(LogLevel::kDebug);
  EXPECT_TRUE(logger.Enabled(LogLevel::kDebug));
  logger.Debug("two");
  logger.SetLevel(LogLevel::kError);
  logger.Warn("no");
  logger.Error("three");
  EXPECT_THAT(captured.Lines(),
              ElementsAre(HasSubstr("warn redis: one"), HasSubstr("debug redis: two"),
                          HasSubstr("error redis: three")));
}

TEST_F(LogTest, EnvironmentWins) {
  ::setenv("DSMSG_LOG", "INFO", 1);
  Logger logger("MQTT");
  EXPECT_TRUE(logger.Enabled(LogLevel::kInfo));
  logger.SetLevel(LogLevel::kError);
  EXPECT_TRUE(logger.Enabled(LogLevel::kInfo));
  EXPECT_FALSE(logger.Enabled(LogLevel::kDebug));
  ::setenv("DSMSG_LOG", "loud", 1);
  Logger other("MQTT");
  EXPECT_TRUE(other.Enabled(LogLevel::kWarn));
  EXPECT_FALSE(other.Enabled(LogLevel::kInfo));
  other.SetLevel(LogLevel::kDebug);
  EXPECT_TRUE(other.Enabled(LogLevel::kDebug));
  ::setenv("DSMSG_LOG", "error", 1);
  EXPECT_FALSE(Logger("MQTT").Enabled(LogLevel::kWarn));
}

TEST_F(LogTest, TextCannotForgeLinesAndIsBounded) {
  const StderrFile captured;
  Logger logger("AMQP");
  logger.Error("a\nerror amqp: forged\x1b[2J\r");
  logger.Error(std::string(100000, 'x'));
  logger.Error("");
  const auto lines = captured.Lines();
  ASSERT_THAT(lines, SizeIs(3));
  EXPECT_THAT(lines[0], HasSubstr("a error amqp: forged [2J "));
  EXPECT_LT(lines[1].size(), 4200u);
  EXPECT_THAT(lines[1], ContainsRegex("xxx\\.\\.\\.$"));
}

TEST_F(LogTest, ErrnoStays) {
  const StderrFile captured;
  Logger logger("ZMQ");
  errno = EPIPE;
  logger.Error("x");
  EXPECT_EQ(errno, EPIPE);
}

TEST_F(LogTest, RepeatsAreLimitedByKey) {
  const StderrFile captured;
  Logger logger("REDIS");
  for (int i = 0; i < 1000; ++i) {
    logger.Limited(LogLevel::kWarn, "a", "no key");
    logger.Limited(LogLevel::kWarn, "b", "no topic");
    logger.Limited(LogLevel::kDebug, "c", "not shown");
  }
  EXPECT_THAT(captured.Lines(), ElementsAre(HasSubstr("no key"), HasSubstr("no topic")));
}

TEST_F(LogTest, KeysFromDataDoNotFillTheMemory) {
  const StderrFile captured;
  Logger logger("REDIS");
  for (int i = 0; i < 2000; ++i) logger.Limited(LogLevel::kWarn, std::to_string(i), "x");
  EXPECT_THAT(captured.Lines(), SizeIs(2000));
}

TEST_F(LogTest, ManyThreadsWriteWholeLines) {
  const StderrFile captured;
  Logger logger("KAFKA");
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&logger, t] {
      for (int i = 0; i < 500; ++i) {
        logger.Warn("line of thread " + std::to_string(t) + " end");
        logger.Limited(LogLevel::kWarn, std::to_string(i % 10), "limited end");
        logger.SetLevel(i % 2 == 0 ? LogLevel::kWarn : LogLevel::kInfo);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto lines = captured.Lines();
  EXPECT_THAT(lines, SizeIs(4 * 500 + 10));
  EXPECT_THAT(lines, ::testing::Each(ContainsRegex("^[0-9].* warn kafka: .*end$")));
}

// The lookup is made once in a process, so this one runs in a new process.
TEST_F(LogTest, GoesToDeepStreamsLoggerWhereThereIsOne) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto child = [] {
    void* library = ::dlopen(DSMSG_FAKE_NVDS_LOG, RTLD_NOW | RTLD_GLOBAL);
    if (library == nullptr) std::exit(1);
    const auto last = reinterpret_cast<const char* (*)()>(::dlsym(library, "fake_nvds_log_last"));
    Logger logger("KAFKA");
    logger.SetLevel(LogLevel::kDebug);
    const auto expect = [&](const char* text) {
      if (std::string_view(last()) == text) return;
      std::fprintf(stderr, "got %s\n", last());
      std::exit(2);
    };
    logger.Error("100%s%n");
    expect("DSLOG:NVDS_KAFKA_PROTO|3|kafka: 100%s%n");
    logger.Warn("w");
    expect("DSLOG:NVDS_KAFKA_PROTO|4|kafka: w");
    logger.Info("i");
    expect("DSLOG:NVDS_KAFKA_PROTO|6|kafka: i");
    logger.Debug("d");
    expect("DSLOG:NVDS_KAFKA_PROTO|7|kafka: d");
    std::exit(0);
  };
  EXPECT_EXIT(child(), ::testing::ExitedWithCode(0), "^$");
}

/// Descriptor 2 is a pipe while it lives.
class StderrPipe {
 public:
  StderrPipe() : saved_(::dup(STDERR_FILENO)) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    reader_ = ends[0];
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[1]);
  }
  ~StderrPipe() {
    ::dup2(saved_, STDERR_FILENO);
    ::close(saved_);
    CloseReader();
  }
  StderrPipe(const StderrPipe&) = delete;
  StderrPipe& operator=(const StderrPipe&) = delete;

  void CloseReader() {
    if (reader_ >= 0) ::close(reader_);
    reader_ = -1;
  }
  /// The writing end stays blocking, as the writer has it.
  void Fill() const {
    const std::string page(4096, 'x');
    pollfd room{STDERR_FILENO, POLLOUT, 0};
    while (::poll(&room, 1, 0) == 1) {
      ASSERT_EQ(::write(STDERR_FILENO, page.data(), page.size()), 4096);
    }
  }
  /// Everything in it now.
  std::string Read() const {
    std::string text;
    pollfd some{reader_, POLLIN, 0};
    while (::poll(&some, 1, 0) == 1) {
      char buffer[4096];
      const ssize_t got = ::read(reader_, buffer, sizeof buffer);
      if (got <= 0) break;
      text.append(buffer, static_cast<size_t>(got));
    }
    return text;
  }

 private:
  int reader_ = -1;
  const int saved_;
};

/// SIGPIPE ends the process, as hosts leave it, and is not blocked on this thread.
class DefaultSigpipe {
 public:
  DefaultSigpipe() {
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_UNBLOCK, &pipe, &mask_);
    before_ = std::signal(SIGPIPE, SIG_DFL);
  }
  ~DefaultSigpipe() {
    std::signal(SIGPIPE, before_);
    pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
  }
  DefaultSigpipe(const DefaultSigpipe&) = delete;
  DefaultSigpipe& operator=(const DefaultSigpipe&) = delete;

 private:
  sigset_t mask_;
  void (*before_)(int);
};

// `program 2>&1 | tee log`, and tee has ended.
TEST_F(LogTest, AStderrWithoutAReaderIsHarmless) {
  const DefaultSigpipe as_hosts_leave_it;
  StderrPipe pipe;
  pipe.CloseReader();
  Logger logger("MQTT");
  logger.Error("not a signal");
  sigset_t pending;
  sigpending(&pending);
  EXPECT_EQ(sigismember(&pending, SIGPIPE), 0);
}

TEST_F(LogTest, AFullStderrStopsNoThread) {
  const StderrPipe pipe;
  Logger logger("MQTT");
  pipe.Fill();
  for (int i = 0; i < 3; ++i) logger.Error("no room");
  std::string text = pipe.Read();
  EXPECT_THAT(text, ::testing::Not(HasSubstr("no room")));
  logger.Error("room again");
  text = pipe.Read();
  EXPECT_THAT(text, HasSubstr("warn mqtt: 3 log lines were dropped: stderr was full"));
  EXPECT_THAT(text, HasSubstr("error mqtt: room again"));
  logger.Error("once");
  EXPECT_THAT(pipe.Read(), ::testing::Not(HasSubstr("dropped")));
}

TEST_F(LogTest, TheLongestLineIsOnePiece) {
  const StderrPipe pipe;
  Logger logger("MQTT");
  logger.Error(std::string(10'000, 'y'));
  EXPECT_EQ(pipe.Read().size(), 4096u);
}

}  // namespace
}  // namespace dsmsg
