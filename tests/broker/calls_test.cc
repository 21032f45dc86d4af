// SPDX-License-Identifier: Apache-2.0
// Connect, send, share, disconnect; wrong calls.
#include <atomic>
#include <thread>
#include <utility>

#include "elf_exports.h"
#include "harness.h"

namespace dsmsg::client_test {
namespace {

using std::chrono::milliseconds;

NvMsgBrokerErrorType SendRaw(NvMsgBrokerClientHandle handle, char* topic, void* payload,
                             size_t size) {
  return nv_msgbroker_send_async(handle, NvMsgBrokerClientMsg{topic, payload, size}, nullptr,
                                 nullptr);
}

class Calls : public ClientTest {};

TEST_F(Calls, VersionIsThatOfTheAbi) {
  EXPECT_STREQ(nv_msgbroker_version(), "2.0");
  EXPECT_EQ(NV_MSGBROKER_API_NOT_SUPPORTED, 3);
  EXPECT_EQ(NV_MSGBROKER_API_RECONNECTING, 2);
}

TEST_F(Calls, TheLibraryExportsTheFiveFunctionsAndNothingElse) {
  const std::set<std::string> expected = {"nv_msgbroker_connect", "nv_msgbroker_disconnect",
                                          "nv_msgbroker_send_async", "nv_msgbroker_subscribe",
                                          "nv_msgbroker_version"};
  EXPECT_EQ(conformance::ExportedSymbols(DSMSG_TEST_CLIENT), expected);
}

TEST_F(Calls, EveryAcceptedMessageIsCalledBackOnce) {
  for (Fake* fake : {&Plain(), &Ours()}) {
    Sends sends;
    const auto handle = Connect(*fake, "host;7");
    ASSERT_NE(handle, nullptr);
    const std::string binary("a\0b\xff", 4);
    for (int i = 0; i < 1000; ++i) ASSERT_EQ(sends.Send(handle, binary), NV_MSGBROKER_API_OK);
    EXPECT_TRUE(sends.WaitAll());
    EXPECT_EQ(sends.ok(), 1000);
    EXPECT_EQ(nv_msgbroker_disconnect(handle), NV_MSGBROKER_API_OK);
    fake->With([&](fake::State& state) {
      EXPECT_EQ(state.received.count(binary), 1000U);
      EXPECT_EQ(state.connects, 1);
      EXPECT_EQ(state.disconnects, 1);
      EXPECT_EQ(state.connect_arguments.front().first, "host;7");
      EXPECT_EQ(state.connect_arguments.front().second, "(null)");
    });
  }
}

TEST_F(Calls, AThirdPartyAdaptorIsCalledByOneThreadOnly) {
  Sends sends;
  const auto handle = Connect(Plain());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 100; ++n) sends.Send(handle, "x");
    });
  }
  for (std::thread& thread : threads) thread.join();
  char topic[] = "in";
  char* topics[] = {topic};
  EXPECT_EQ(nv_msgbroker_subscribe(
                handle, topics, 1, [](NvMsgBrokerErrorType, void*, int, char*, void*) {}, nullptr),
            NV_MSGBROKER_API_OK);
  EXPECT_TRUE(sends.WaitAll());
  EXPECT_EQ(nv_msgbroker_disconnect(handle), NV_MSGBROKER_API_OK);
  Plain().With([](fake::State& state) {
    EXPECT_EQ(state.callers.size(), 1U);
    EXPECT_EQ(state.callers.count(std::this_thread::get_id()), 0U);
  });
}

TEST_F(Calls, WrongArgumentsAreRefusedWithOneLine) {
  const auto handle = Connect(Plain());
  char text[] = "text", empty[] = "", missing[] = "/nonexistent/libnvds_none_proto.so";
  char *topics[] = {text}, *null_topics[] = {nullptr}, *empty_topics[] = {empty};
  const auto receive = [](NvMsgBrokerErrorType, void*, int, char*, void*) {};
  void* const unknown = text;
  const std::vector<std::function<bool()>> calls = {
      [&] { return nv_msgbroker_connect(text, nullptr, nullptr, nullptr) == nullptr; },
      [&] { return nv_msgbroker_connect(text, empty, nullptr, nullptr) == nullptr; },
      [&] { return nv_msgbroker_connect(nullptr, missing, nullptr, nullptr) == nullptr; },
      [&] { return SendRaw(nullptr, text, text, 1) == NV_MSGBROKER_API_ERR; },
      [&] { return SendRaw(unknown, text, text, 1) == NV_MSGBROKER_API_ERR; },
      [&] { return SendRaw(handle, text, nullptr, 1) == NV_MSGBROKER_API_ERR; },
      [&] { return SendRaw(handle, nullptr, text, 1) == NV_MSGBROKER_API_ERR; },
      [&] {
        return nv_msgbroker_subscribe(nullptr, topics, 1, receive, nullptr) == NV_MSGBROKER_API_ERR;
      },
      [&] {
        return nv_msgbroker_subscribe(handle, nullptr, 1, receive, nullptr) == NV_MSGBROKER_API_ERR;
      },
      [&] {
        return nv_msgbroker_subscribe(handle, null_topics, 1, receive, nullptr) ==
               NV_MSGBROKER_API_ERR;
      },
      [&] {
        return nv_msgbroker_subscribe(handle, empty_topics, 1, receive, nullptr) ==
               NV_MSGBROKER_API_ERR;
      },
      [&] { return nv_msgbroker_disconnect(nullptr) == NV_MSGBROKER_API_ERR; },
      [&] { return nv_msgbroker_disconnect(unknown) == NV_MSGBROKER_API_ERR; },
  };
  std::vector<std::string> seen;
  for (size_t i = 0; i < calls.size(); ++i) {
    TakeLog();
    EXPECT_TRUE(calls[i]()) << "call " << i;
    const std::vector<std::string> log = TakeLog();
    // The same line a second time within a minute is only counted.
    if (log.empty()) {
      EXPECT_FALSE(seen.empty()) << "call " << i << " logged nothing";
    } else {
      EXPECT_EQ(log.size(), 1U) << "call " << i;
      seen.push_back(log.front());
    }
  }
  // Within a minute the process logs each line once: with --gtest_repeat only the first run shows
  // it.
  static bool first = true;
  const size_t expected = std::exchange(first, false) ? 8 : 3;
  EXPECT_GE(seen.size(), expected);
  // A payload without bytes, and a subscription without topic or callback, say the same again.
  EXPECT_EQ(SendRaw(handle, text, text, 0), NV_MSGBROKER_API_ERR);
  EXPECT_EQ(nv_msgbroker_subscribe(handle, topics, 0, receive, nullptr), NV_MSGBROKER_API_ERR);
  EXPECT_EQ(nv_msgbroker_subscribe(handle, topics, 1, nullptr, nullptr), NV_MSGBROKER_API_ERR);
  // None of this had an effect; and all optional pointers may be NULL.
  EXPECT_EQ(SendRaw(handle, text, text, 1), NV_MSGBROKER_API_OK);
  EXPECT_EQ(nv_msgbroker_disconnect(handle), NV_MSGBROKER_API_OK);
  EXPECT_EQ(nv_msgbroker_disconnect(handle), NV_MSGBROKER_API_ERR);
  EXPECT_EQ(SendRaw(handle, text, text, 1), NV_MSGBROKER_API_ERR);
  const auto again = nv_msgbroker_connect(nullptr, Plain().path(), nullptr, nullptr);
  EXPECT_NE(again, nullptr);
  EXPECT_NE(again, handle) << "a handle value is never used again";
  EXPECT_EQ(nv_msgbroker_disconnect(again), NV_MSGBROKER_API_OK);
}

TEST_F(Calls, ARefusedConnectGivesNullAndNamesTheAdaptor) {
  Plain().With([](fake::State& state) { state.refuse_connects = 1; });
  EXPECT_EQ(Connect(Plain()), nullptr);
  const std::vector<std::string> log = TakeLog();
  ASSERT_EQ(log.size(), 1U);
  EXPECT_NE(log[0].find("connect: FAKE"), std::string::npos) << log[0];
}

TEST_F(Calls, EqualSignaturesShareOneConnection) {
  Plain().With([](fake::State& state) { state.signature = "signature"; });
  Sends sends;
  const auto one = Connect(Plain()), two = Connect(Plain()), other = Connect(Plain(), "other;1");
  EXPECT_NE(one, two);
  EXPECT_EQ(Plain().With([](fake::State& state) { return state.connects; }), 2);
  EXPECT_EQ(sends.Send(one, "1"), NV_MSGBROKER_API_OK);
  EXPECT_EQ(sends.Send(two, "2"), NV_MSGBROKER_API_OK);
  EXPECT_EQ(nv_msgbroker_disconnect(one), NV_MSGBROKER_API_OK);
  EXPECT_EQ(Plain().With([](fake::State& state) { return state.disconnects; }), 0);
  EXPECT_EQ(sends.Send(one, "3"), NV_MSGBROKER_API_ERR);
  EXPECT_EQ(sends.Send(two, "4"), NV_MSGBROKER_API_OK);
  EXPECT_EQ(nv_msgbroker_disconnect(two), NV_MSGBROKER_API_OK);
  EXPECT_EQ(Plain().With([](fake::State& state) { return state.disconnects; }), 1);
  EXPECT_EQ(nv_msgbroker_disconnect(other), NV_MSGBROKER_API_OK);
  EXPECT_TRUE(sends.WaitAll());
  EXPECT_EQ(sends.ok(), 3);
  const auto fresh = Connect(Plain());
  EXPECT_EQ(Plain().With([](fake::State& state) { return state.connects; }), 3);
  EXPECT_EQ(nv_msgbroker_disconnect(fresh), NV_MSGBROKER_API_OK);
}

TEST_F(Calls, EmptySignaturesShareNothing) {
  const auto one = Connect(Plain()), two = Connect(Plain());
  EXPECT_EQ(Plain().With([](fake::State& state) { return state.connects; }), 2);
  EXPECT_EQ(nv_msgbroker_disconnect(one), NV_MSGBROKER_API_OK);
  EXPECT_EQ(nv_msgbroker_disconnect(two), NV_MSGBROKER_API_OK);
}

TEST_F(Calls, EqualSignaturesOfTwoLibrariesShareNothing) {
  for (Fake* fake : {&Plain(), &Plain2()})
    fake->With([](fake::State& state) { state.signature = "signature"; });
  const auto one = Connect(Plain()), two = Connect(Plain2());
  EXPECT_EQ(Plain2().With([](fake::State& state) { return state.connects; }), 1);
  EXPECT_EQ(nv_msgbroker_disconnect(one), NV_MSGBROKER_API_OK);
  EXPECT_EQ(nv_msgbroker_disconnect(two), NV_MSGBROKER_API_OK);
}

TEST_F(Calls, AConnectThatHangsDelaysOnlyThoseWhoShareIt) {
  Plain().With([](fake::State& state) {
    state.signature = "signature";
    state.hold_connects = true;
  });
  NvMsgBrokerClientHandle held[2] = {};
  std::atomic<int> returned{0};
  std::vector<std::thread> threads;
  for (auto& handle : held) {
    threads.emplace_back([&handle, &returned] {
      handle = Connect(Plain());
      ++returned;
    });
  }
  ASSERT_TRUE(
      Plain().WaitFor([](const fake::State& state) { return state.connects_waiting == 1; }));
  Sends sends;
  const auto elsewhere = Connect(Ours());
  ASSERT_NE(elsewhere, nullptr);
  EXPECT_EQ(sends.Send(elsewhere, "1"), NV_MSGBROKER_API_OK);
  EXPECT_TRUE(sends.WaitAll());
  EXPECT_EQ(nv_msgbroker_disconnect(elsewhere), NV_MSGBROKER_API_OK);
  EXPECT_EQ(returned, 0);
  Plain().With([](fake::State& state) { state.hold_connects = false; });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Plain().With([](fake::State& state) { return state.connects; }), 1);
  for (const auto handle : held) EXPECT_EQ(nv_msgbroker_disconnect(handle), NV_MSGBROKER_API_OK);
}

TEST_F(Calls, DisconnectCallsBackWhatIsLeftWithinItsBound) {
  ConfigFile config("[nvmsgbroker]\nflush-timeout=50ms\n");
  for (const bool forget : {true, false}) {
    for (Fake* fake : {&Plain(), &Ours()}) {
      if (forget && fake == &Ours()) continue;
      fake->With([&](fake::State& state) {
        state.hold_completions = true;
        state.forget = forget;
      });
      Sends sends;
      const auto handle = Connect(*fake, "host;1", config.path());
      for (int i = 0; i < 100; ++i) EXPECT_EQ(sends.Send(handle, "x"), NV_MSGBROKER_API_OK);
      const auto begin = std::chrono::steady_clock::now();
      EXPECT_EQ(nv_msgbroker_disconnect(handle), NV_MSGBROKER_API_OK);
      EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(20000));
      EXPECT_EQ(sends.failed(), 100);
      EXPECT_FALSE(sends.doubled());
    }
  }
}

TEST_F(Calls, OneOfTwoUsersLeavesWithItsMessagesCalledBack) {
  ConfigFile config("[nvmsgbroker]\nflush-timeout=50ms\n");
  for (Fake* fake : {&Plain(), &Ours()}) {
    fake->With([](fake::State& state) {
      state.signature = "signature";
      state.hold_completions = true;
    });
    Sends leaving, staying;
    const auto one = Connect(*fake, "host;1", config.path());
    const auto two = Connect(*fake, "host;1", config.path());
    for (int i = 0; i < 10; ++i) {
      leaving.Send(one, "leaving");
      staying.Send(two, "staying");
    }
    EXPECT_EQ(nv_msgbroker_disconnect(one), NV_MSGBROKER_API_OK);
    EXPECT_EQ(leaving.failed(), 10);
    fake->With([](fake::State& state) { state.hold_completions = false; });
    EXPECT_TRUE(staying.WaitAll());
    EXPECT_EQ(staying.ok(), 10);
    EXPECT_EQ(nv_msgbroker_disconnect(two), NV_MSGBROKER_API_OK);
    EXPECT_EQ(leaving.failed(), 10);
    EXPECT_FALSE(leaving.doubled());
  }
}

TEST_F(Calls, AnAdaptorThatNeverReturnsIsLeftBehind) {
  ConfigFile config("[nvmsgbroker]\nflush-timeout=0\n");
  Sends sends;
  const auto handle = Connect(Plain(), "host;1", config.path());
  Plain().With([](fake::State& state) { state.hold_completions = state.hold_disconnects = true; });
  EXPECT_EQ(sends.Send(handle, "x"), NV_MSGBROKER_API_OK);
  EXPECT_EQ(nv_msgbroker_disconnect(handle), NV_MSGBROKER_API_OK);
  EXPECT_EQ(sends.failed(), 1);
  const std::vector<std::string> log = TakeLog();
  ASSERT_FALSE(log.empty());
  EXPECT_NE(log.back().find("does not return"), std::string::npos) << log.back();
  // Its late callback finds no connection.
  Plain().With([](fake::State& state) { state.hold_disconnects = false; });
  EXPECT_TRUE(Plain().WaitFor([](const fake::State& state) { return state.disconnects == 1; }));
  EXPECT_EQ(sends.failed(), 1);
  EXPECT_FALSE(sends.doubled());
}

TEST_F(Calls, DisconnectInsideACallbackIsRefused) {
  for (Fake* fake : {&Plain(), &Ours()}) {
    std::atomic<int> refused{0};
    Sends sends;
    const auto handle = Connect(*fake);
    sends.inside = [&](NvMsgBrokerErrorType) {
      if (nv_msgbroker_disconnect(handle) == NV_MSGBROKER_API_ERR) ++refused;
    };
    EXPECT_EQ(sends.Send(handle, "x"), NV_MSGBROKER_API_OK);
    EXPECT_TRUE(sends.WaitAll());
    EXPECT_EQ(refused, 1);
    SetInsideEvent([&](NvMsgBrokerClientHandle h) {
      if (nv_msgbroker_disconnect(h) == NV_MSGBROKER_API_ERR) ++refused;
    });
    fake->Event(NVDS_MSGAPI_EVT_DISCONNECT);
    std::vector<NvMsgBrokerErrorType> expected = {NV_MSGBROKER_API_RECONNECTING};
    if (fake == &Ours()) fake->Event(NVDS_MSGAPI_EVT_SUCCESS);
    expected.push_back(NV_MSGBROKER_API_OK);
    EXPECT_TRUE(WaitForEvents(handle, expected));
    EXPECT_EQ(refused, 3);
    SetInsideEvent(nullptr);
    EXPECT_EQ(nv_msgbroker_disconnect(handle), NV_MSGBROKER_API_OK);
  }
}

TEST_F(Calls, ACallbackMaySendAgain) {
  for (Fake* fake : {&Plain(), &Ours()}) {
    Sends sends, more;
    const auto handle = Connect(*fake);
    sends.inside = [&](NvMsgBrokerErrorType) { more.Send(handle, "again"); };
    for (int i = 0; i < 10; ++i) sends.Send(handle, "x");
    EXPECT_TRUE(sends.WaitAll());
    EXPECT_EQ(nv_msgbroker_disconnect(handle), NV_MSGBROKER_API_OK);
    EXPECT_EQ(more.ok(), 10);
  }
}

TEST_F(Calls, AHostMayHoldTheLockOfItsCallbackWhileItSends) {
  ConfigFile config("[nvmsgbroker]\nqueue-size=10\noverflow-timeout=20s\n");
  Plain().With([](fake::State& state) { state.callback_at_once = true; });
  Sends sends;
  std::mutex host;
  sends.inside = [&](NvMsgBrokerErrorType) { const std::lock_guard lock(host); };
  const auto handle = Connect(Plain(), "host;1", config.path());
  const auto begin = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(host);
    for (int i = 0; i < 500; ++i) ASSERT_EQ(sends.Send(handle, "x"), NV_MSGBROKER_API_OK);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(19000));
  EXPECT_TRUE(sends.WaitAll());
  EXPECT_EQ(nv_msgbroker_disconnect(handle), NV_MSGBROKER_API_OK);
}

TEST_F(Calls, AFullQueueMakesASendWaitAndThenFail) {
  ConfigFile config("[nvmsgbroker]\nqueue-size=10\noverflow-timeout=100ms\n");
  Plain().With([](fake::State& state) { state.hold_completions = true; });
  Sends sends;
  const auto handle = Connect(Plain(), "host;1", config.path());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(sends.Send(handle, "x"), NV_MSGBROKER_API_OK);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(sends.Send(handle, "x"), NV_MSGBROKER_API_ERR);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(100));
  Plain().With([](fake::State& state) { state.hold_completions = false; });
  EXPECT_TRUE(sends.WaitAll());
  EXPECT_EQ(sends.Send(handle, "x"), NV_MSGBROKER_API_OK);
  EXPECT_EQ(nv_msgbroker_disconnect(handle), NV_MSGBROKER_API_OK);
  EXPECT_EQ(sends.ok(), 11);
}

TEST_F(Calls, TheRoomOfOneLargeMessageIsForAllThatFit) {
  ConfigFile config("[nvmsgbroker]\nqueue-bytes=100\noverflow-timeout=20s\n");
  Plain().With([](fake::State& state) { state.latency = milliseconds(1000); });
  Sends sends;
  const auto handle = Connect(Plain(), "host;1", config.path());
  ASSERT_EQ(sends.Send(handle, std::string(100, 'x')), NV_MSGBROKER_API_OK);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] { sends.Send(handle, std::string(30, 'y')); });
  // The broker has all of them before it answers one.
  EXPECT_TRUE(Plain().WaitFor([](const fake::State& state) {
    return !state.connections.empty() && state.connections.begin()->second->waiting.size() == 3;
  }));
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(nv_msgbroker_disconnect(handle), NV_MSGBROKER_API_OK);
  EXPECT_EQ(sends.ok(), 4);
}

TEST_F(Calls, ThroughputDoesNotDependOnTheWorkInterval) {
  for (const char* interval : {"10000", "1000000"}) {
    ConfigFile config(std::string("[nvmsgbroker]\nwork-interval=") + interval + "\n");
    Plain().Reset();
    Plain().With([](fake::State& state) { state.per_work = 1; });
    Sends sends;
    const auto handle = Connect(Plain(), "host;1", config.path());
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 1000; ++i) ASSERT_EQ(sends.Send(handle, "x"), NV_MSGBROKER_API_OK);
    EXPECT_TRUE(sends.WaitAll());
    // One message after the other, with a broker that answers after 2 ms: no pause of a second
    // each.
    Plain().With([](fake::State& state) { state.latency = milliseconds(2); });
    for (int i = 0; i < 50; ++i) {
      ASSERT_EQ(sends.Send(handle, "x"), NV_MSGBROKER_API_OK);
      EXPECT_TRUE(sends.WaitAll());
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(40000)) << interval;
    EXPECT_EQ(nv_msgbroker_disconnect(handle), NV_MSGBROKER_API_OK);
  }
}

TEST_F(Calls, ABrokerThatDoesNotAnswerIsNotPolledInALoop) {
  ConfigFile config("[nvmsgbroker]\nwork-interval=50000\nflush-timeout=0\n");
  Plain().With([](fake::State& state) { state.hold_completions = true; });
  Sends sends;
  const auto handle = Connect(Plain(), "host;1", config.path());
  const auto begin = std::chrono::steady_clock::now();
  sends.Send(handle, "x");
  ASSERT_TRUE(Plain().WaitFor([](const fake::State& state) { return state.do_works >= 20; }));
  // The pauses grow to 50 ms: ten shorter ones, and ten of that length.
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(400));
  EXPECT_EQ(nv_msgbroker_disconnect(handle), NV_MSGBROKER_API_OK);
}

}  // namespace
}  // namespace dsmsg::client_test
