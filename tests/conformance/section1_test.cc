// SPDX-License-Identifier: Apache-2.0
// CONTRACT section 1: the nine functions, and the answer to every NULL, empty string and zero.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdio>

#include "elf_exports.h"
#include "fixture.h"

namespace dsmsg::conformance {
namespace {

CONFORMANCE_SUITE(Section1_NineFunctions);
CONFORMANCE_SUITE(Section1_BadArguments);
CONFORMANCE_SUITE(Section1_ConnectWithoutFile);
CONFORMANCE_SUITE(Section1_ProductionFaults);

const uint8_t kByte = 'x';

void NeverCalled(void*, NvDsMsgApiErrorType) { NoteViolation("callback of a refused send"); }
void NeverDelivered(NvDsMsgApiErrorType, void*, int, char*, void*) {
  NoteViolation("callback of a refused subscribe");
}

TEST_P(Section1_NineFunctions, ExportedAndNothingElse) {
  const std::set<std::string> exported = ExportedSymbols(LibraryPath(quirks()));
  for (const char* name : {"nvds_msgapi_connect", "nvds_msgapi_send", "nvds_msgapi_send_async",
                           "nvds_msgapi_subscribe", "nvds_msgapi_do_work", "nvds_msgapi_disconnect",
                           "nvds_msgapi_getversion", "nvds_msgapi_get_protocol_name",
                           "nvds_msgapi_connection_signature"}) {
    EXPECT_EQ(exported.count(name), 1u) << name;
  }
  for (const std::string& name : exported) {
    EXPECT_TRUE(name.rfind("nvds_msgapi_", 0) == 0 || name.rfind("dsmsg_", 0) == 0) << name;
  }
}

TEST_P(Section1_NineFunctions, VersionAndProtocolName) {
  int major = -1, minor = -1, end = 0;
  const std::string version = adaptor().f.getversion();
  EXPECT_EQ(std::sscanf(version.c_str(), "%d.%d%n", &major, &minor, &end), 2) << version;
  EXPECT_EQ(static_cast<size_t>(end), version.size()) << "major.minor, not " << version;
  EXPECT_EQ(adaptor().f.get_protocol_name(), quirks().protocol());
}

TEST_P(Section1_BadArguments, Connect) {
  const ClosedPort closed;
  const std::string nowhere = "127.0.0.1;" + std::to_string(closed.port());
  const std::string good = WriteConfig({});
  EXPECT_FALSE(Link::Open(adaptor(), std::nullopt, std::nullopt).ok());
  EXPECT_FALSE(Link::Open(adaptor(), "", "").ok());
  EXPECT_FALSE(Link::Open(adaptor(), std::nullopt, good).ok()) << "no host anywhere";
  EXPECT_FALSE(Link::Open(adaptor(), "", good).ok());
  EXPECT_FALSE(Link::Open(adaptor(), nowhere, std::nullopt).ok());
  const size_t mark = LogCapture::Mark();
  EXPECT_FALSE(Link::Open(adaptor(), Connection(quirks().shared()), "/no/such/file").ok());
  EXPECT_TRUE(Contains(LogCapture::Since(mark), "/no/such/file"))
      << "a missing file must not be ignored; the log says: " << LogCapture::Since(mark);
}

TEST_P(Section1_ConnectWithoutFile, AndWithoutCallback) {
  const Link link = Link::Open(adaptor(), Connection(quirks().shared()), std::nullopt, nullptr);
  ASSERT_TRUE(link.ok()) << Log();
  Close(link);
  const Link empty = Link::Open(adaptor(), Connection(quirks().shared()), "", nullptr);
  ASSERT_TRUE(empty.ok()) << Log();
  Close(empty);
}

TEST_P(Section1_BadArguments, Send) {
  const Link link = Connect(quirks().shared());
  const auto& f = adaptor().f;
  char topic[] = "t", empty[] = "";
  const auto without_topic = quirks().topic_optional() ? NVDS_MSGAPI_OK : NVDS_MSGAPI_ERR;
  EXPECT_EQ(f.send(nullptr, topic, &kByte, 1), NVDS_MSGAPI_ERR);
  EXPECT_EQ(f.send(link.handle(), nullptr, &kByte, 1), without_topic);
  EXPECT_EQ(f.send(link.handle(), empty, &kByte, 1), without_topic);
  EXPECT_EQ(f.send(link.handle(), topic, nullptr, 1), NVDS_MSGAPI_ERR);
  EXPECT_EQ(f.send(link.handle(), topic, &kByte, 0), NVDS_MSGAPI_ERR);
  EXPECT_EQ(f.send(nullptr, nullptr, nullptr, 0), NVDS_MSGAPI_ERR);
  Close(link);
}

TEST_P(Section1_BadArguments, SendAsync) {
  const Link link = Connect(quirks().shared());
  const auto& f = adaptor().f;
  char topic[] = "t", empty[] = "";
  int user = 0;
  const auto refused = [&](NvDsMsgApiHandle handle, char* name, const uint8_t* payload,
                           size_t size) {
    EXPECT_EQ(f.send_async(handle, name, payload, size, &NeverCalled, &user), NVDS_MSGAPI_ERR);
    EXPECT_EQ(f.send_async(handle, name, payload, size, nullptr, nullptr), NVDS_MSGAPI_ERR);
  };
  refused(nullptr, topic, &kByte, 1);
  if (!quirks().topic_optional()) {
    refused(link.handle(), nullptr, &kByte, 1);
    refused(link.handle(), empty, &kByte, 1);
  }
  refused(link.handle(), topic, nullptr, 1);
  refused(link.handle(), topic, &kByte, 0);
  refused(nullptr, nullptr, nullptr, 0);
  link.DoWork();
  EXPECT_EQ(link.GetStats()["accepted"], 0u);
  Close(link);
}

TEST_P(Section1_BadArguments, Subscribe) {
  const Link link = Connect(quirks().shared(), quirks().ConsumerConfig(NewName()));
  const auto& f = adaptor().f;
  char topic[] = "t", empty[] = "";
  char* good[] = {topic};
  char* with_null[] = {topic, nullptr};
  char* with_empty[] = {topic, empty};
  const auto call = [&](NvDsMsgApiHandle handle, char** topics, int count,
                        nvds_msgapi_subscribe_request_cb_t callback) {
    EXPECT_EQ(f.subscribe(handle, topics, count, callback, nullptr), NVDS_MSGAPI_ERR);
  };
  call(nullptr, good, 1, &NeverDelivered);
  call(link.handle(), nullptr, 1, &NeverDelivered);
  call(link.handle(), good, 0, &NeverDelivered);
  call(link.handle(), good, -1, &NeverDelivered);
  call(link.handle(), with_null, 2, &NeverDelivered);
  call(link.handle(), with_empty, 2, &NeverDelivered);
  call(link.handle(), good, 1, nullptr);
  call(nullptr, nullptr, 0, nullptr);
  Close(link);
}

TEST_P(Section1_BadArguments, DoWorkAndDisconnect) {
  adaptor().f.do_work(nullptr);
  EXPECT_EQ(adaptor().f.disconnect(nullptr), NVDS_MSGAPI_ERR);
  int not_a_handle = 0;
  adaptor().f.do_work(&not_a_handle);
  EXPECT_EQ(adaptor().f.disconnect(&not_a_handle), NVDS_MSGAPI_ERR);
}

TEST_P(Section1_BadArguments, Signature) {
  const auto& f = adaptor().f;
  char broker[] = "broker.example;1234", empty[] = "";
  char output[65] = "untouched";
  EXPECT_EQ(f.connection_signature(broker, empty, nullptr, 65), NVDS_MSGAPI_ERR);
  EXPECT_EQ(f.connection_signature(broker, empty, output, 0), NVDS_MSGAPI_ERR);
  EXPECT_STREQ(output, "untouched") << "nothing may be written into a buffer of length 0";
  EXPECT_EQ(f.connection_signature(broker, empty, output, -1), NVDS_MSGAPI_ERR);
  EXPECT_STREQ(output, "untouched");
  EXPECT_EQ(f.connection_signature(broker, empty, output, 64), NVDS_MSGAPI_ERR);
  EXPECT_STREQ(output, "") << "terminated also on failure";
  output[0] = 'u';
  EXPECT_EQ(f.connection_signature(nullptr, nullptr, output, 65), NVDS_MSGAPI_ERR);
  EXPECT_STREQ(output, "");
}

// A handle that was ended is an unknown one, for every function.
TEST_P(Section1_BadArguments, EndedHandle) {
  const Link link = Connect(quirks().shared());
  Close(link);
  char topic[] = "t";
  char* topics[] = {topic};
  const auto& f = adaptor().f;
  EXPECT_EQ(f.send(link.handle(), topic, &kByte, 1), NVDS_MSGAPI_ERR);
  EXPECT_EQ(f.send_async(link.handle(), topic, &kByte, 1, &NeverCalled, nullptr), NVDS_MSGAPI_ERR);
  EXPECT_EQ(f.subscribe(link.handle(), topics, 1, &NeverDelivered, nullptr), NVDS_MSGAPI_ERR);
  f.do_work(link.handle());
  EXPECT_EQ(f.disconnect(link.handle()), NVDS_MSGAPI_ERR);
  char text[16];
  EXPECT_EQ(f.stats(link.handle(), text, sizeof text), 0u);
}

// One clear line for a refused call.
TEST_P(Section1_BadArguments, EachIsLogged) {
  const Link link = Connect(quirks().shared());
  char topic[] = "t";
  const auto& f = adaptor().f;
  const auto logged = [&](const char* what, const std::function<void()>& call) {
    const size_t mark = LogCapture::Mark();
    call();
    const std::string log = LogCapture::Since(mark);
    EXPECT_THAT(log, testing::EndsWith("\n")) << what;
    EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << what << " logged: " << log;
  };
  logged("connect", [&] { (void)Link::Open(adaptor(), std::nullopt, std::nullopt); });
  logged("send", [&] { (void)f.send(link.handle(), topic, nullptr, 1); });
  logged("send_async",
         [&] { (void)f.send_async(link.handle(), topic, &kByte, 0, nullptr, nullptr); });
  logged("subscribe",
         [&] { (void)f.subscribe(link.handle(), nullptr, 1, &NeverDelivered, nullptr); });
  logged("disconnect", [&] { (void)f.disconnect(nullptr); });
  logged("connection_signature", [&] { (void)f.connection_signature(topic, topic, nullptr, 65); });
  Close(link);
}

// Host A ends the pipeline on a refusal: what can happen in production is accepted and completed
// with ERR.
TEST_P(Section1_ProductionFaults, TooLargeIsAcceptedAndCompletedWithErr) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server, {"max-message-bytes=1000"});
  Ledger& ledger = NewLedger();
  Record& large = ledger.Add(topic, "", std::string(1001, 'l'));
  Record& fits = ledger.Add(topic, "", std::string(1000, 'f'));
  EXPECT_EQ(link.SendAsync(large), NVDS_MSGAPI_OK);
  EXPECT_EQ(link.SendAsync(fits), NVDS_MSGAPI_OK);
  ASSERT_TRUE(Pump(link, ledger));
  EXPECT_EQ(large.flag, NVDS_MSGAPI_ERR);
  EXPECT_EQ(fits.flag, NVDS_MSGAPI_OK);
  EXPECT_EQ(link.Send(topic, std::string(1001, 's')), NVDS_MSGAPI_ERR);
  EXPECT_EQ(link.GetStats()["dropped.too-large"], 2u);
  EXPECT_TRUE(Contains(Log(), "max-message-bytes")) << "the log must say which option: " << Log();
  Close(link);
  ExpectDelivered(ledger, server, topic, false);
}

}  // namespace
}  // namespace dsmsg::conformance
