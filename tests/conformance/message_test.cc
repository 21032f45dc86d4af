// SPDX-License-Identifier: Apache-2.0
// dsmsg_subscribe_message: what the broker says about a message, and acknowledgement by the host.
#include <map>
#include <mutex>

#include "fixture.h"

namespace dsmsg::conformance {
namespace {

CONFORMANCE_SUITE(Extensions_Message);

struct Arrived {
  std::string topic, payload, key, id;
  bool has_key = false, redelivered = false;
  std::vector<std::pair<std::string, std::string>> headers;
  int64_t timestamp_ms = 0, offset = 0;
  int32_t partition = 0, timestamp_type = 0;
  uint64_t ack = 0;
};

/// What a subscription delivered. It outlives the connection.
class Arrivals {
 public:
  static void OnMessage(const DsmsgReceived* message, void* user) {
    auto& self = *static_cast<Arrivals*>(user);
    Arrived arrived;
    arrived.topic = message->topic;
    arrived.payload.assign(reinterpret_cast<const char*>(message->payload), message->payload_len);
    arrived.has_key = message->key != nullptr;
    if (arrived.has_key) {
      arrived.key.assign(reinterpret_cast<const char*>(message->key), message->key_len);
    }
    for (size_t i = 0; i < message->num_headers; ++i) {
      const DsmsgReceivedHeader& header = message->headers[i];
      arrived.headers.emplace_back(
          header.name, std::string(reinterpret_cast<const char*>(header.value), header.value_len));
    }
    arrived.id = message->id;
    arrived.redelivered = message->redelivered != 0;
    arrived.timestamp_ms = message->timestamp_ms;
    arrived.offset = message->offset;
    arrived.partition = message->partition;
    arrived.timestamp_type = message->timestamp_type;
    arrived.ack = message->ack;
    if (message->size < sizeof(DsmsgReceived)) NoteViolation("a received message is too short");
    if (self.on_message) self.on_message(arrived);
    const std::lock_guard lock(self.mutex_);
    self.all_.push_back(std::move(arrived));
  }
  std::vector<Arrived> All() {
    const std::lock_guard lock(mutex_);
    return all_;
  }
  size_t Count() { return All().size(); }

  std::function<void(const Arrived&)> on_message;

 private:
  std::mutex mutex_;
  std::vector<Arrived> all_;
};

NvDsMsgApiErrorType Subscribe(const Link& link, const std::string& topic, Arrivals& arrivals,
                              unsigned flags) {
  const char* const topics[] = {topic.c_str()};
  return link.adaptor().f.subscribe_message(link.handle(), topics, 1, &Arrivals::OnMessage, flags,
                                            &arrivals);
}

TEST_P(Extensions_Message, HasWhatTheBrokerSays) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server), fields = quirks().received_fields();
  const auto has = [&](const char* field) { return fields.find(field) != std::string::npos; };
  Arrivals arrivals;
  const Link consumer = Connect(server, quirks().ConsumerConfig(NewName()));
  ASSERT_EQ(Subscribe(consumer, topic, arrivals, 0), NVDS_MSGAPI_OK);
  const Link producer = Connect(server);
  Ledger& ledger = NewLedger();
  Record& record = ledger.Add(topic, "camera 1", std::string("pay\0load", 8));
  // Some carry text only.
  const std::string bytes(has("bytes") ? std::string("a\0\xff", 3) : "text");
  const DsmsgHeader headers[] = {{"source", "conformance"}, {"bytes", bytes.c_str()}};
  const size_t header_lens[] = {11, bytes.size()};
  DsmsgMessage message{};
  message.size = sizeof message;
  message.topic = topic.c_str();
  message.payload = reinterpret_cast<const uint8_t*>(record.payload.data());
  message.payload_len = record.payload.size();
  message.key = reinterpret_cast<const uint8_t*>(record.key.data());
  message.key_len = record.key.size();
  message.headers = headers;
  message.num_headers = 2;
  message.header_lens = header_lens;
  const auto before = std::chrono::system_clock::now() - 5s;
  ASSERT_EQ(adaptor().f.send_message(producer.handle(), &message, &Ledger::OnSent, &record),
            NVDS_MSGAPI_OK);
  ledger.Answered(record, NVDS_MSGAPI_OK);
  ASSERT_TRUE(Pump(producer, ledger));
  ASSERT_TRUE(WaitFor([&] { return arrivals.Count() == 1; }));
  Close(producer);
  Close(consumer);
  const Arrived got = arrivals.All().front();
  EXPECT_EQ(got.topic, topic);
  EXPECT_EQ(got.payload, record.payload);
  EXPECT_EQ(got.has_key, has("key"));
  EXPECT_EQ(got.key, has("key") ? record.key : "");
  const std::map<std::string, std::string> found(got.headers.begin(), got.headers.end());
  for (size_t i = 0; i < 2; ++i) {
    const char* name = headers[i].name;
    EXPECT_EQ(found.contains(name), has("headers")) << name;
    if (has("headers")) {
      EXPECT_EQ(found.at(name), std::string(headers[i].value, header_lens[i]));
    }
  }
  const auto since = std::chrono::duration_cast<Millis>(before.time_since_epoch()).count();
  if (has("timestamp")) {
    EXPECT_GT(got.timestamp_ms, since);
  } else {
    EXPECT_EQ(got.timestamp_ms, -1);
  }
  EXPECT_EQ(got.timestamp_type, !has("timestamp") ? DSMSG_TIMESTAMP_UNKNOWN
                                : has("append")   ? DSMSG_TIMESTAMP_APPEND
                                                  : DSMSG_TIMESTAMP_CREATE);
  EXPECT_EQ(got.partition, has("partition") ? 0 : -1);
  EXPECT_EQ(got.offset, has("partition") ? 0 : -1);
  EXPECT_EQ(got.id.empty(), !has("id")) << got.id;
  EXPECT_FALSE(got.redelivered);
  EXPECT_EQ(got.ack, 0u);
}

TEST_P(Extensions_Message, WhatWasNotAcknowledgedComesAgain) {
  if (!quirks().redelivers()) return;  // HasWhatTheBrokerSays covers the adaptor
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  const Lines config = quirks().ConsumerConfig(NewName());
  Arrivals first;
  const Link consumer = Connect(server, config);
  ASSERT_EQ(Subscribe(consumer, topic, first, DSMSG_MANUAL_ACK), NVDS_MSGAPI_OK);
  const Link producer = Connect(server);
  Ledger& ledger = NewLedger();
  SendMany(producer, ledger, topic, 5);
  ASSERT_TRUE(Pump(producer, ledger));
  Close(producer);
  ASSERT_TRUE(WaitFor([&] { return first.Count() == 5; }));
  const std::vector<Arrived> got = first.All();
  const auto ack = [&](uint64_t number) { return adaptor().f.ack(consumer.handle(), number); };
  EXPECT_EQ(ack(got[3].ack), NVDS_MSGAPI_OK);  // out of order
  EXPECT_EQ(ack(got[0].ack), NVDS_MSGAPI_OK);
  EXPECT_EQ(ack(got[0].ack), NVDS_MSGAPI_ERR);  // twice
  EXPECT_EQ(ack(0), NVDS_MSGAPI_ERR);
  EXPECT_EQ(adaptor().f.ack(nullptr, got[1].ack), NVDS_MSGAPI_ERR);
  Close(consumer);

  Arrivals second;
  const Link again = Connect(server, config);
  ASSERT_EQ(Subscribe(again, topic, second, 0), NVDS_MSGAPI_OK);
  const auto came = [&](const Arrived& wanted) {
    const std::vector<Arrived> all = second.All();
    return std::any_of(all.begin(), all.end(),
                       [&](const Arrived& arrived) { return arrived.payload == wanted.payload; });
  };
  EXPECT_TRUE(WaitFor([&] { return came(got[1]) && came(got[2]) && came(got[4]); }));
  EXPECT_FALSE(came(got[0]));
  for (const Arrived& arrived : second.All()) {
    EXPECT_EQ(arrived.redelivered, quirks().marks_redelivered());
  }
  Close(again);
}

TEST_P(Extensions_Message, AcknowledgedInTheCallbackTheyKeepComing) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  constexpr size_t kCount = 2500;  // more than may be unacknowledged
  Arrivals arrivals;
  const Link consumer = Connect(server, quirks().ConsumerConfig(NewName()));
  arrivals.on_message = [&](const Arrived& arrived) {
    if (adaptor().f.ack(consumer.handle(), arrived.ack) != NVDS_MSGAPI_OK) {
      NoteViolation("an acknowledgement was refused");
    }
  };
  ASSERT_EQ(Subscribe(consumer, topic, arrivals, DSMSG_MANUAL_ACK), NVDS_MSGAPI_OK);
  const Link producer = Connect(server);
  Ledger& ledger = NewLedger();
  SendMany(producer, ledger, topic, kCount);
  ASSERT_TRUE(Pump(producer, ledger));
  Close(producer);
  EXPECT_TRUE(WaitFor([&] { return arrivals.Count() >= kCount; })) << arrivals.Count();
  Close(consumer);
}

TEST_P(Extensions_Message, WrongArgumentsAreRefused) {
  const Link link = Connect(quirks().shared());
  Arrivals arrivals;
  const char* const topics[] = {"t", ""};
  const auto subscribe = [&](NvDsMsgApiHandle handle, const char* const* names, int count,
                             DsmsgMessageCallback callback, unsigned flags) {
    return adaptor().f.subscribe_message(handle, names, count, callback, flags, &arrivals);
  };
  const DsmsgMessageCallback callback = &Arrivals::OnMessage;
  EXPECT_EQ(subscribe(nullptr, topics, 1, callback, 0), NVDS_MSGAPI_ERR);
  EXPECT_STREQ(adaptor().f.last_error_kind(nullptr), "cancelled");
  EXPECT_EQ(subscribe(link.handle(), nullptr, 1, callback, 0), NVDS_MSGAPI_ERR);
  EXPECT_EQ(subscribe(link.handle(), topics, 0, callback, 0), NVDS_MSGAPI_ERR);
  EXPECT_EQ(subscribe(link.handle(), topics, 2, callback, 0), NVDS_MSGAPI_ERR);
  EXPECT_EQ(subscribe(link.handle(), topics, 1, nullptr, 0), NVDS_MSGAPI_ERR);
  EXPECT_EQ(subscribe(link.handle(), topics, 1, callback, 6), NVDS_MSGAPI_ERR);
  EXPECT_STREQ(adaptor().f.last_error_kind(nullptr), "invalid-argument");
  Close(link);
}

}  // namespace
}  // namespace dsmsg::conformance
