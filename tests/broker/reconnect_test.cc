// SPDX-License-Identifier: Apache-2.0
// Lost links of adaptors that do not reconnect by themselves, and the events of those that do.
#include <dlfcn.h>

#include <atomic>
#include <thread>

#include "harness.h"

namespace dsmsg::client_test {
namespace {

using std::chrono::milliseconds;

constexpr auto kOk = NV_MSGBROKER_API_OK;
constexpr auto kErr = NV_MSGBROKER_API_ERR;
constexpr auto kReconnecting = NV_MSGBROKER_API_RECONNECTING;
constexpr const char* kQuick = "[nvmsgbroker]\nretry-interval=10ms\n";

int Connects(Fake& fake) {
  return fake.With([](fake::State& state) { return state.connects; });
}

class Reconnect : public ClientTest {};

TEST_F(Reconnect, NothingIsLostOrCalledBackTwice) {
  ConfigFile config(kQuick);
  for (const bool forget : {true, false}) {  // disconnect drops what waits, or calls back ERR
    Plain().Reset();
    Plain().With([&](fake::State& state) {
      state.hold_completions = true;
      state.forget = forget;
    });
    Sends sends;
    const auto handle = Connect(Plain(), "host;1", config.path());
    for (int i = 0; i < 100; ++i) EXPECT_EQ(sends.Send(handle, "before " + std::to_string(i)), kOk);
    Plain().With([](fake::State& state) { state.refuse_connects = 3; });
    Plain().Event(NVDS_MSGAPI_EVT_DISCONNECT);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(sends.Send(handle, "during " + std::to_string(i)), kOk);
    EXPECT_TRUE(WaitForEvents(handle, {kReconnecting, kOk}));
    Plain().With([](fake::State& state) { state.hold_completions = false; });
    EXPECT_TRUE(sends.WaitAll());
    EXPECT_EQ(sends.ok(), 200);
    EXPECT_EQ(nv_msgbroker_disconnect(handle), kOk);
    Plain().With([](fake::State& state) {
      EXPECT_EQ(state.connects, 2);
      EXPECT_EQ(state.refused_connects, 3);
      EXPECT_EQ(state.disconnects, 2);
      for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(state.received.count("before " + std::to_string(i)), 1U);
        EXPECT_EQ(state.received.count("during " + std::to_string(i)), 1U);
      }
    });
  }
}

TEST_F(Reconnect, AnEventBeforeConnectReturnsIsNotForgotten) {
  ConfigFile config(kQuick);
  Plain().With([](fake::State& state) { state.event_in_connect = true; });
  std::atomic<bool> inside{true};
  std::atomic<int> early{0};
  SetInsideEvent([&](NvMsgBrokerClientHandle) { early += inside ? 1 : 0; });
  const auto handle = Connect(Plain(), "host;1", config.path());
  inside = false;
  ASSERT_NE(handle, nullptr);
  ASSERT_TRUE(Plain().WaitFor([](const fake::State& state) { return state.connects == 2; }));
  Sends sends;
  EXPECT_EQ(sends.Send(handle, "x"), kOk);
  EXPECT_TRUE(sends.WaitAll());
  EXPECT_EQ(nv_msgbroker_disconnect(handle), kOk);
  EXPECT_EQ(early, 0);
  SetInsideEvent(nullptr);
}

TEST_F(Reconnect, AThirdPartyMqttAdaptorIsWorkedWithoutPendingMessages) {
  Plain().With([](fake::State& state) { state.protocol = "MQTT"; });  // keeps alive in do_work
  const auto handle = Connect(Plain());
  EXPECT_TRUE(Plain().WaitFor([](const fake::State& state) { return state.do_works > 5; }));
  EXPECT_EQ(nv_msgbroker_disconnect(handle), kOk);
}

TEST_F(Reconnect, ARefusedSendStartsAReconnect) {
  ConfigFile config(kQuick);
  Sends sends;
  const auto handle = Connect(Plain(), "host;1", config.path());
  Plain().With([](fake::State& state) { state.refuse_sends = 1; });
  for (int i = 0; i < 10; ++i) EXPECT_EQ(sends.Send(handle, "x"), kOk);
  EXPECT_TRUE(WaitForEvents(handle, {kReconnecting, kOk}));
  EXPECT_TRUE(sends.WaitAll());
  EXPECT_EQ(sends.ok(), 10);
  EXPECT_EQ(Connects(Plain()), 2);
  EXPECT_EQ(nv_msgbroker_disconnect(handle), kOk);
}

TEST_F(Reconnect, AMessageThatTheBrokerRefusesIsNotAlwaysTakenForALostLink) {
  ConfigFile config(kQuick);
  Plain().With([](fake::State& state) { state.poison = "poison"; });
  Sends sends;
  const auto handle = Connect(Plain(), "host;1", config.path());
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(sends.Send(handle, i % 10 == 5 ? "poison" : "x"), kOk);
    EXPECT_TRUE(sends.WaitAll());
  }
  EXPECT_EQ(sends.ok(), 180);
  EXPECT_EQ(sends.failed(), 20);
  EXPECT_LE(Connects(Plain()), 4);
  EXPECT_EQ(nv_msgbroker_disconnect(handle), kOk);
}

TEST_F(Reconnect, GivesUpAfterTheLimit) {
  ConfigFile config("[nvmsgbroker]\nretry-interval=10ms\nmax-retry-limit=100ms\n");
  Plain().With([](fake::State& state) {
    state.signature = "signature";
    state.hold_completions = state.forget = true;
  });
  Sends sends;
  const auto handle = Connect(Plain(), "host;1", config.path());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(sends.Send(handle, "x"), kOk);
  Plain().With([](fake::State& state) { state.refuse_connects = 1 << 20; });
  Plain().Event(NVDS_MSGAPI_EVT_SERVICE_DOWN);
  EXPECT_TRUE(WaitForEvents(handle, {kReconnecting, kErr}));
  EXPECT_TRUE(sends.WaitAll());
  EXPECT_EQ(sends.failed(), 10);
  EXPECT_EQ(sends.Send(handle, "x"), kErr);
  // The next one with the same signature does not join the dead connection.
  Plain().With([](fake::State& state) { state.refuse_connects = 0; });
  const auto fresh = Connect(Plain(), "host;1", config.path());
  EXPECT_EQ(Connects(Plain()), 2);
  Plain().With([](fake::State& state) { state.hold_completions = false; });
  EXPECT_EQ(sends.Send(fresh, "x"), kOk);
  EXPECT_EQ(nv_msgbroker_disconnect(fresh), kOk);
  EXPECT_EQ(nv_msgbroker_disconnect(handle), kOk);
  EXPECT_EQ(sends.ok(), 1);
}

TEST_F(Reconnect, AFullQueueAnswersReconnectingAtOnce) {
  ConfigFile config("[nvmsgbroker]\nretry-interval=10ms\nqueue-size=5\noverflow-timeout=20s\n");
  Sends sends;
  const auto handle = Connect(Plain(), "host;1", config.path());
  Plain().With([](fake::State& state) { state.refuse_connects = 1 << 20; });
  Plain().Event(NVDS_MSGAPI_EVT_DISCONNECT);
  EXPECT_TRUE(WaitForEvents(handle, {kReconnecting}));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(sends.Send(handle, "x"), kOk);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(sends.Send(handle, "x"), kReconnecting);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(19000));
  Plain().With([](fake::State& state) { state.refuse_connects = 0; });
  EXPECT_TRUE(sends.WaitAll());
  EXPECT_EQ(sends.ok(), 5);
  EXPECT_EQ(nv_msgbroker_disconnect(handle), kOk);
}

TEST_F(Reconnect, DisconnectDuringAReconnectIsBounded) {
  ConfigFile config("[nvmsgbroker]\nretry-interval=60s\nflush-timeout=50ms\n");
  Sends sends;
  const auto handle = Connect(Plain(), "host;1", config.path());
  Plain().Event(NVDS_MSGAPI_EVT_DISCONNECT);
  EXPECT_TRUE(WaitForEvents(handle, {kReconnecting}));
  EXPECT_EQ(sends.Send(handle, "x"), kOk);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(nv_msgbroker_disconnect(handle), kOk);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(20000));
  EXPECT_EQ(sends.failed(), 1);
}

TEST_F(Reconnect, SwitchedOffItOnlyReports) {
  ConfigFile config("[nvmsgbroker]\nauto-reconnect=0\n");
  Sends sends;
  const auto handle = Connect(Plain(), "host;1", config.path());
  Plain().Event(NVDS_MSGAPI_EVT_DISCONNECT);
  EXPECT_TRUE(WaitForEvents(handle, {kErr}));
  Plain().Event(NVDS_MSGAPI_EVT_SUCCESS);
  EXPECT_TRUE(WaitForEvents(handle, {kErr, kOk}));
  EXPECT_EQ(sends.Send(handle, "x"), kOk);
  EXPECT_TRUE(sends.WaitAll());
  EXPECT_EQ(Connects(Plain()), 1);
  EXPECT_EQ(nv_msgbroker_disconnect(handle), kOk);
}

TEST_F(Reconnect, AUserWhoJoinsMeanwhileIsInformed) {
  ConfigFile config("[nvmsgbroker]\nretry-interval=10ms\n");
  Plain().With([](fake::State& state) { state.signature = "signature"; });
  const auto one = Connect(Plain(), "host;1", config.path());
  Plain().With([](fake::State& state) { state.refuse_connects = 1 << 20; });
  Plain().Event(NVDS_MSGAPI_EVT_DISCONNECT);
  EXPECT_TRUE(WaitForEvents(one, {kReconnecting}));
  const auto two = Connect(Plain(), "host;1", config.path());
  ASSERT_NE(two, nullptr);
  EXPECT_TRUE(WaitForEvents(two, {kReconnecting}));
  Plain().With([](fake::State& state) { state.refuse_connects = 0; });
  EXPECT_TRUE(WaitForEvents(one, {kReconnecting, kOk}));
  EXPECT_TRUE(WaitForEvents(two, {kReconnecting, kOk}));
  EXPECT_EQ(nv_msgbroker_disconnect(one), kOk);
  EXPECT_EQ(nv_msgbroker_disconnect(two), kOk);
}

TEST_F(Reconnect, OurAdaptorReconnectsByItself) {
  Sends sends;
  const auto handle = Connect(Ours());
  Ours().LinkState(DSMSG_LINK_UP);  // nothing new
  Ours().LinkState(DSMSG_LINK_DOWN);
  EXPECT_TRUE(WaitForEvents(handle, {kReconnecting}));
  EXPECT_EQ(sends.Send(handle, "x"), kOk);
  Ours().LinkState(DSMSG_LINK_UP);
  EXPECT_TRUE(WaitForEvents(handle, {kReconnecting, kOk}));
  Ours().Event(NVDS_MSGAPI_EVT_SERVICE_DOWN);
  Ours().LinkState(DSMSG_LINK_DOWN);  // known, and worse
  EXPECT_TRUE(WaitForEvents(handle, {kReconnecting, kOk, kErr}));
  Ours().Event(NVDS_MSGAPI_EVT_SUCCESS);
  EXPECT_TRUE(WaitForEvents(handle, {kReconnecting, kOk, kErr, kOk}));
  EXPECT_EQ(Connects(Ours()), 1);
  EXPECT_EQ(nv_msgbroker_disconnect(handle), kOk);
  EXPECT_EQ(sends.ok(), 1);
}

TEST_F(Reconnect, DeepStreamsSinkDoesNotGetReconnecting) {
  void* sink = dlopen(DSMSG_TEST_SINK, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(sink, nullptr) << dlerror();
  const auto event = reinterpret_cast<nv_msgbroker_connect_cb_t>(dlsym(sink, "fake_sink_event"));
  const auto last = reinterpret_cast<int (*)()>(dlsym(sink, "fake_sink_last"));
  ConfigFile config("[nvmsgbroker]\nretry-interval=10ms\nmax-retry-limit=100ms\n");
  Sends sends;
  const auto handle = nv_msgbroker_connect(nullptr, Plain().path(), event, config.path());
  Plain().Event(NVDS_MSGAPI_EVT_DISCONNECT);
  ASSERT_TRUE(Plain().WaitFor([](const fake::State& state) { return state.connects == 2; }));
  EXPECT_EQ(sends.Send(handle, "x"), kOk);
  EXPECT_TRUE(sends.WaitAll());
  EXPECT_EQ(last(), -1);
  // But it is called when reconnecting was given up.
  Plain().With([](fake::State& state) { state.refuse_connects = 1 << 20; });
  Plain().Event(NVDS_MSGAPI_EVT_DISCONNECT);
  const auto begin = std::chrono::steady_clock::now();
  while (last() == -1 && std::chrono::steady_clock::now() - begin < kPatience)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(last(), static_cast<int>(kErr));
  EXPECT_EQ(nv_msgbroker_disconnect(handle), kOk);
  dlclose(sink);
}

TEST_F(Reconnect, ReportingCanBeSwitchedOff) {
  ConfigFile config("[nvmsgbroker]\nretry-interval=10ms\nreport-reconnecting=no\n");
  const auto handle = Connect(Plain(), "host;1", config.path());
  Plain().Event(NVDS_MSGAPI_EVT_DISCONNECT);
  ASSERT_TRUE(Plain().WaitFor([](const fake::State& state) { return state.connects == 2; }));
  EXPECT_EQ(nv_msgbroker_disconnect(handle), kOk);
  EXPECT_TRUE(EventsOf(handle).empty());
}

// ---------------------------------------------------------------- subscriptions

struct Received {
  std::mutex mutex;
  std::vector<std::string> messages;
  std::vector<std::string> Take() {
    const std::lock_guard lock(mutex);
    return std::exchange(messages, {});
  }
};

void Receive(NvMsgBrokerErrorType, void* message, int length, char* topic, void* user_ptr) {
  auto* received = static_cast<Received*>(user_ptr);
  const std::lock_guard lock(received->mutex);
  received->messages.push_back(
      std::string(topic) + ":" +
      std::string(static_cast<char*>(message), static_cast<size_t>(length)));
}

NvMsgBrokerErrorType Subscribe(NvMsgBrokerClientHandle handle, std::vector<std::string> topics,
                               Received* received) {
  std::vector<char*> pointers;
  for (std::string& topic : topics) pointers.push_back(topic.data());
  return nv_msgbroker_subscribe(handle, pointers.data(), static_cast<int>(pointers.size()),
                                &Receive, received);
}

std::vector<std::string> TopicsOf(Fake& fake) {
  return fake.With([](fake::State& state) { return state.connections.begin()->second->topics; });
}

using Texts = std::vector<std::string>;

TEST_F(Reconnect, SubscriptionsAreRestored) {
  ConfigFile config(kQuick);
  Received received;
  const auto handle = Connect(Plain(), "host;1", config.path());
  EXPECT_EQ(Subscribe(handle, {"a", "b"}, &received), kOk);
  Plain().Deliver("a", "1");
  Plain().With([](fake::State& state) { state.refuse_subscribes = 2; });  // counts as no connection
  Plain().Event(NVDS_MSGAPI_EVT_DISCONNECT);
  EXPECT_TRUE(WaitForEvents(handle, {kReconnecting, kOk}));
  EXPECT_EQ(TopicsOf(Plain()), (Texts{"a", "b"}));
  Plain().Deliver("b", std::string("2\0!", 3));
  EXPECT_EQ(received.Take(), (Texts{"a:1", std::string("b:2\0!", 5)}));
  // While there is no link, the next one subscribes.
  Plain().With([](fake::State& state) { state.refuse_connects = 1 << 20; });
  Plain().Event(NVDS_MSGAPI_EVT_DISCONNECT);
  EXPECT_TRUE(WaitForEvents(handle, {kReconnecting, kOk, kReconnecting}));
  EXPECT_EQ(Subscribe(handle, {"c"}, &received), kOk);
  Plain().With([](fake::State& state) { state.refuse_connects = 0; });
  EXPECT_TRUE(WaitForEvents(handle, {kReconnecting, kOk, kReconnecting, kOk}));
  EXPECT_EQ(TopicsOf(Plain()), (Texts{"c"}));
  EXPECT_EQ(nv_msgbroker_disconnect(handle), kOk);
}

TEST_F(Reconnect, SharedSubscriptionsGoToTheirSubscribers) {
  for (Fake* fake : {&Plain(), &Ours()}) {
    fake->With([](fake::State& state) { state.signature = "signature"; });
    Received first, second;
    const auto one = Connect(*fake), two = Connect(*fake);
    EXPECT_EQ(Subscribe(one, {"a", "both"}, &first), kOk);
    EXPECT_EQ(Subscribe(two, {"b", "both", "p/#"}, &second), kOk);
    EXPECT_EQ(TopicsOf(*fake), (Texts{"a", "both", "b", "p/#"}));
    for (const char* topic : {"a", "b", "both", "p/1"}) fake->Deliver(topic, "x");
    EXPECT_EQ(first.Take(), (Texts{"a:x", "both:x"}));
    EXPECT_EQ(second.Take(), (Texts{"b:x", "both:x", "p/1:x"}));
    fake->With([](fake::State& state) { state.refuse_subscribes = 1; });
    Received refused;
    EXPECT_EQ(Subscribe(one, {"z"}, &refused), kErr);
    EXPECT_EQ(TopicsOf(*fake), (Texts{"a", "both", "b", "p/#"}));
    fake->Deliver("a", "still");
    fake->Deliver("b", "too");
    EXPECT_EQ(first.Take(), (Texts{"a:still"}));
    EXPECT_EQ(second.Take(), (Texts{"b:too"}));
    EXPECT_EQ(refused.Take(), Texts{});
    EXPECT_EQ(nv_msgbroker_disconnect(one), kOk);
    EXPECT_EQ(TopicsOf(*fake), (Texts{"b", "both", "p/#"}));
    fake->Deliver("both", "y");
    EXPECT_EQ(first.Take(), Texts{});
    EXPECT_EQ(second.Take(), (Texts{"both:y"}));
    EXPECT_EQ(nv_msgbroker_disconnect(two), kOk);
  }
}

// One that never returned would hold up every other handle on the connection.
TEST_F(Reconnect, ASubscribeThatHangsDelaysTheOthersForABoundedTime) {
  ConfigFile config("[nvmsgbroker]\nflush-timeout=0\n");
  Ours().With([](fake::State& state) {
    state.signature = "signature";
    state.hold_subscribes = true;
  });
  Received first, second;
  const auto one = Connect(Ours(), "host;1", config.path());
  const auto two = Connect(Ours(), "host;1", config.path());
  std::thread hung([&] { EXPECT_EQ(Subscribe(one, {"a"}, &first), kOk); });
  EXPECT_TRUE(Ours().WaitFor([](const fake::State& state) { return state.subscribes == 1; }));
  EXPECT_EQ(Subscribe(two, {"b"}, &second), kErr);
  const std::vector<std::string> log = TakeLog();
  ASSERT_FALSE(log.empty());
  EXPECT_NE(log.back().find("subscribe of another handle has not returned"), std::string::npos);
  Ours().With([](fake::State& state) { state.hold_subscribes = false; });
  hung.join();
  EXPECT_EQ(TopicsOf(Ours()), (Texts{"a"}));
  EXPECT_EQ(Subscribe(two, {"b"}, &second), kOk);
  EXPECT_EQ(TopicsOf(Ours()), (Texts{"a", "b"}));
  EXPECT_EQ(nv_msgbroker_disconnect(one), kOk);
  EXPECT_EQ(nv_msgbroker_disconnect(two), kOk);
}

// The last handle leaves while another thread is in the adaptor's subscribe.
TEST_F(Reconnect, DisconnectNamesTheCallThatHangs) {
  ConfigFile config("[nvmsgbroker]\nflush-timeout=0\n");
  Ours().With([](fake::State& state) { state.hold_subscribes = true; });
  Received received;
  const auto handle = Connect(Ours(), "host;1", config.path());
  std::thread hung([&] { Subscribe(handle, {"a"}, &received); });
  EXPECT_TRUE(Ours().WaitFor([](const fake::State& state) { return state.subscribes == 1; }));
  EXPECT_EQ(nv_msgbroker_disconnect(handle), kOk);
  const std::vector<std::string> log = TakeLog();
  ASSERT_FALSE(log.empty());
  EXPECT_NE(log.back().find("does not return from subscribe"), std::string::npos) << log.back();
  Ours().With([](fake::State& state) { state.hold_subscribes = false; });
  hung.join();
  EXPECT_TRUE(Ours().WaitFor([](const fake::State& state) { return state.disconnects == 1; }));
}

}  // namespace
}  // namespace dsmsg::client_test
