// SPDX-License-Identifier: Apache-2.0
// The sink's engine with everything that the element's threads do to it at the same time. Its
// behaviour towards GStreamer is tested in tests/gst.
#include "gst/send_engine.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "fake_adaptor.h"

namespace dsmsg {
namespace {

using std::chrono::steady_clock;
constexpr std::chrono::seconds kPatience{120};

std::shared_ptr<const host::AdaptorLibrary> Load(const std::string& path) {
  auto library = host::AdaptorLibrary::Load(path);
  EXPECT_TRUE(library.ok()) << library.status().message();
  return library.ok() ? library.value() : nullptr;
}

OutPayload Payload(const std::string& text) {
  OutPayload payload;
  payload.bytes.reset(g_bytes_new(text.data(), text.size()));
  payload.topic = "topic";
  return payload;
}

/// Offers until it is taken: an interrupted streaming thread comes back with the same buffer.
void Offer(SendEngine& engine, const std::string& text) {
  OutPayload payload = Payload(text);
  while (engine.Offer(&payload) == SendEngine::Push::kInterrupted) std::this_thread::yield();
}

// A streaming thread that offers, state changes that interrupt it, an application that reads the
// statistics, and completions of which some are errors.
TEST(SendEngineTest, InterruptedReadAndSentToAtOnce) {
  constexpr uint64_t kMessages = 5000;
  std::atomic<uint64_t> told{0};
  SendEngine::Options options;
  options.library = Load(fake::Path("fake"));
  ASSERT_NE(options.library, nullptr);
  options.queue_size = 8;
  options.on_failure = [&told](bool) { ++told; };
  auto started = SendEngine::Start(std::move(options));
  ASSERT_TRUE(started.ok()) << started.status().message();
  SendEngine& engine = *started.value();

  fake::Adaptor adaptor("fake");
  std::atomic<bool> done{false};
  std::atomic<uint64_t> failures{0};
  std::thread state_changes([&] {
    for (bool on = false; !done; on = !on) {
      engine.SetPaused(on);
      engine.SetInterrupted(!on);
      adaptor.With(
          [on](fake::State& state) { state.completion = on ? NVDS_MSGAPI_ERR : NVDS_MSGAPI_OK; });
      std::this_thread::yield();
    }
    engine.SetPaused(false);
    engine.SetInterrupted(false);
  });
  std::thread application([&] {
    while (!done) {
      const SendEngine::Counters counters = engine.counters();
      EXPECT_LE(counters.ok + counters.failed, kMessages);
      EXPECT_FALSE(engine.AdaptorStats().empty());
      failures += engine.TakeFailures().count;
      std::this_thread::yield();
    }
  });
  for (uint64_t i = 0; i < kMessages; ++i) Offer(engine, std::to_string(i));
  done = true;
  state_changes.join();
  application.join();
  EXPECT_EQ(engine.Drain(steady_clock::now() + kPatience), SendEngine::Drained::kAll);
  EXPECT_TRUE(engine.Stop().ok());
  const SendEngine::Counters counters = engine.counters();
  failures += engine.TakeFailures().count;
  EXPECT_EQ(counters.sent, kMessages);
  EXPECT_EQ(counters.ok + counters.failed, kMessages);
  EXPECT_EQ(failures, counters.failed);
  EXPECT_GE(told, counters.failed > 0 ? 1u : 0u);
}

// Several sinks in one process, with a real adaptor that writes a file instead of contacting a
// broker: each starts, sends and stops on its own thread.
void RunManyEngines(bool shared) {
  const size_t kEngines = 10, kMessages = 500;
  std::string folder = ::testing::TempDir() + "engine_XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string file = folder + "/dump";
  setenv("NVDS_JSON_DUMP_FILE", file.c_str(), 1);
  const std::string config = folder + "/shared.txt";
  std::ofstream(config) << "[message-broker]\nshare-connection=1\n";
  const auto library = Load(DSMSG_TEST_ADAPTOR);
  ASSERT_NE(library, nullptr);
  std::vector<std::thread> streams;
  for (size_t i = 0; i < kEngines; ++i) {
    streams.emplace_back([&library, &config, shared, kMessages] {
      SendEngine::Options options;
      options.library = library;
      options.conn_str = "localhost;6379";
      if (shared) options.config = config;
      auto started = SendEngine::Start(std::move(options));
      ASSERT_TRUE(started.ok()) << started.status().message();
      SendEngine& engine = *started.value();
      engine.SetPaused(false);
      for (size_t message = 0; message < kMessages; ++message) Offer(engine, "payload");
      EXPECT_EQ(engine.Drain(steady_clock::now() + kPatience), SendEngine::Drained::kAll);
      EXPECT_TRUE(engine.Stop().ok());
      EXPECT_EQ(engine.counters().ok, kMessages);
    });
  }
  for (std::thread& stream : streams) stream.join();
  unsetenv("NVDS_JSON_DUMP_FILE");
  std::ifstream dump(file);
  size_t lines = 0;
  for (std::string line; std::getline(dump, line); ++lines) EXPECT_EQ(line, "payload");
  EXPECT_EQ(lines, kEngines * kMessages);
  std::filesystem::remove_all(folder);
}

TEST(SendEngineTest, ManyEnginesOnOneLibrary) { RunManyEngines(false); }

TEST(SendEngineTest, ManyEnginesOnOneConnection) { RunManyEngines(true); }

}  // namespace
}  // namespace dsmsg
