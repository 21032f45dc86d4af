// SPDX-License-Identifier: Apache-2.0
// Several adaptors, many threads, everything at the same time.
#include <atomic>
#include <thread>

#include "harness.h"

namespace dsmsg::client_test {
namespace {

class Threads : public ClientTest {};

TEST_F(Threads, ManyConnectSendAndDisconnectOnSeveralAdaptors) {
  for (Fake* fake : {&Plain(), &Ours()})
    fake->With([](fake::State& state) { state.signature = "signature"; });
  Sends sends;
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  Fake* const fakes[] = {&Plain(), &Plain2(), &Ours()};
  for (int i = 0; i < 9; ++i) {
    threads.emplace_back([&, i] {
      for (int cycle = 0; cycle < 10; ++cycle) {
        const auto handle = Connect(*fakes[i % 3], "host;" + std::to_string(cycle % 2));
        for (int n = 0; n < 20; ++n) {
          if (sends.Send(handle, "x") != NV_MSGBROKER_API_OK) ++refused;
        }
        if (nv_msgbroker_disconnect(handle) != NV_MSGBROKER_API_OK) ++refused;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(refused, 0);
  EXPECT_EQ(sends.ok(), 9 * 10 * 20);
  EXPECT_FALSE(sends.doubled());
  for (Fake* fake : fakes) {
    fake->With([](fake::State& state) {
      EXPECT_EQ(state.connects, state.disconnects);
      EXPECT_TRUE(state.connections.empty());
    });
  }
}

TEST_F(Threads, SendsReconnectsAndAnotherUsersDisconnectAtTheSameTime) {
  ConfigFile config("[nvmsgbroker]\nretry-interval=1ms\n");
  for (Fake* fake : {&Plain(), &Ours()}) {
    fake->With([](fake::State& state) {
      state.signature = "signature";
      state.per_work = 3;
    });
    Sends sends;
    std::atomic<bool> over{false};
    const auto stays = Connect(*fake, "host;1", config.path());
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < 2000; ++n) sends.Send(stays, "x");
      });
      threads.emplace_back([&] {
        for (int n = 0; n < 100; ++n) {
          const auto handle = Connect(*fake, "host;1", config.path());
          for (int m = 0; m < 5; ++m) sends.Send(handle, "y");
          nv_msgbroker_disconnect(handle);
        }
      });
    }
    std::thread trouble([&] {
      while (!over) {
        fake->Event(NVDS_MSGAPI_EVT_DISCONNECT);
        const int connects = fake->With([](fake::State& state) { return state.connects; });
        if (fake == &Plain())
          fake->WaitFor(
              [&](const fake::State& state) { return over || state.connects > connects; });
        std::this_thread::yield();
      }
    });
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(sends.WaitAll());
    over = true;
    fake->With([](fake::State&) {});
    trouble.join();
    EXPECT_EQ(nv_msgbroker_disconnect(stays), NV_MSGBROKER_API_OK);
    EXPECT_EQ(sends.accepted(), 5000);
    EXPECT_EQ(sends.ok(), 5000);
    EXPECT_FALSE(sends.doubled());
  }
}

TEST_F(Threads, ManyDisconnectOneHandleAtTheSameTime) {
  for (Fake* fake : {&Plain(), &Ours()}) {
    const auto handle = Connect(*fake);
    std::atomic<int> done{0};
    Sends sends;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        sends.Send(handle, "x");
        if (nv_msgbroker_disconnect(handle) == NV_MSGBROKER_API_OK) ++done;
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(done, 1);
    EXPECT_TRUE(sends.WaitAll());
  }
}

}  // namespace
}  // namespace dsmsg::client_test
