// SPDX-License-Identifier: Apache-2.0
// What a single real broker does not show: lookups that lead elsewhere, wrong and missing answers,
// renewed logins, messages of other clients. Against stand-ins.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>

#include "adaptors/pulsar/test/fixture.h"
#include "adaptors/pulsar/test/standin.h"

namespace dsmsg::pulsar {
namespace {

using Writer = protozero::pbf_writer;

std::string Found(const Asked& asked, LookupType type, const std::string& url, bool proxied = false,
                  bool authoritative = false) {
  return Reply(Type::kLookupAnswer, [&](Writer* fields) {
    fields->add_string(1, url);
    fields->add_enum(3, static_cast<int32_t>(type));
    fields->add_uint64(4, asked.number(2));
    fields->add_bool(5, authoritative);
    fields->add_bool(8, proxied);
  });
}

TEST(PulsarLookup, RedirectsAreFollowedToTheBrokerThatHasTheTopic) {
  Standin owner;
  Standin second([&](const Asked& asked) {
    return asked.type == Type::kLookup ? Found(asked, LookupType::kConnect, owner.url()) : "";
  });
  Standin first([&](const Asked& asked) {
    return asked.type == Type::kLookup
               ? Found(asked, LookupType::kRedirect, second.url(), false, true)
               : "";
  });
  Connection connection("", first.address());
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send("t", "x"));
  ASSERT_OK(connection.WaitCompleted(1));
  EXPECT_EQ(connection.Outcome(1), Code::kOk);
  EXPECT_EQ(owner.Count(Type::kSend), 1U);
  EXPECT_EQ(first.Count(Type::kProducer) + second.Count(Type::kProducer), 0U);
  ASSERT_EQ(second.Count(Type::kLookup), 1U);
  EXPECT_EQ(second.All(Type::kLookup)[0].number(3), 1U) << "authoritative is passed on";
}

TEST(PulsarLookup, AProxyIsToldTheBroker) {
  Standin proxy([](const Asked& asked) {
    return asked.type == Type::kLookup
               ? Found(asked, LookupType::kConnect, "pulsar://inside.example:6650", true)
               : "";
  });
  Connection connection("listener-name=external", proxy.address());
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send("t", "x"));
  ASSERT_OK(connection.WaitCompleted(1));
  const std::vector<Asked> connects = proxy.All(Type::kConnect);
  ASSERT_EQ(connects.size(), 2U);
  EXPECT_FALSE(connects[0].texts.contains(6));
  EXPECT_EQ(connects[1].texts.at(6), "inside.example:6650");
  EXPECT_EQ(proxy.All(Type::kLookup)[0].texts.at(7), "external");
}

TEST(PulsarLookup, ACircleAndABrokerThatIsAwayEndOnlyTheMessage) {
  Standin* self = nullptr;
  Standin circle([&](const Asked& asked) {
    if (asked.type != Type::kLookup) return std::string();
    const bool away = asked.texts.at(1).ends_with("/away");
    return away ? Found(asked, LookupType::kConnect, "pulsar://127.0.0.1:1")
                : Found(asked, LookupType::kRedirect, self->url());
  });
  self = &circle;
  Connection connection("", circle.address());
  ASSERT_OK(connection.Open());
  Status status = connection.Send("t", "x");
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_TRUE(Has(status.message(), "in a circle")) << status.message();
  status = connection.Send("away", "x");
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_TRUE(Has(status.message(), "listener-name")) << status.message();
}

TEST(PulsarLookup, ATopicThatNobodyAnswersForHoldsUpNoOther) {
  Standin broker([](const Asked& asked) {
    const bool silent = asked.type == Type::kPartitions && asked.texts.at(1).ends_with("/silent");
    return silent ? Reply(Type::kPong, [](Writer*) {}) : "";
  });
  Connection connection("", broker.address());
  ASSERT_OK(connection.Open());
  Status status;
  ASSERT_OK(connection.PumpUntil([&] {
    status = connection.Submit("silent", "x");
    return status.code() != Code::kWouldBlock;
  }));
  EXPECT_EQ(status.code(), Code::kUnavailable) << status.message();
  ASSERT_OK(connection.Send("t", "x"));
  ASSERT_OK(connection.PumpUntil([&] { return connection.host.ok == 1; }));
  EXPECT_NE(connection.Submit("silent", "x").code(), Code::kWouldBlock)
      << "it is known to take long";
}

/// Takes connections and says nothing.
class SilentServer {
 public:
  SilentServer() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(fd_.get(), any, size), 0);
    EXPECT_EQ(listen(fd_.get(), 8), 0);
    EXPECT_EQ(getsockname(fd_.get(), any, &size), 0);
    url_ = "pulsar://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  const std::string& url() const { return url_; }

 private:
  UniqueFd fd_;
  std::string url_;
};

// It is dialled for as long as the test takes, and Close ends that.
TEST(PulsarLookup, ABrokerThatDoesNotAnswerHoldsUpNoOtherTopic) {
  const SilentServer silent;
  Standin broker([&](const Asked& asked) {
    const bool dead = asked.type == Type::kLookup && asked.texts.at(1).ends_with("/dead");
    return dead ? Found(asked, LookupType::kConnect, silent.url()) : "";
  });
  Connection connection("connect-timeout=10m", broker.address());
  ASSERT_OK(connection.Open());
  Status status;
  ASSERT_OK(connection.PumpUntil([&] {
    status = connection.Submit("dead", "x");
    return status.code() != Code::kWouldBlock;
  }));
  EXPECT_EQ(status.code(), Code::kUnavailable) << status.message();
  ASSERT_OK(connection.Send("t", "x"));
  ASSERT_OK(connection.PumpUntil([&] { return connection.host.ok == 1; }));
  EXPECT_EQ(connection.Submit("dead", "x").code(), Code::kUnavailable);
  ASSERT_OK(connection.Send("t", "y"));
  ASSERT_OK(connection.PumpUntil([&] { return connection.host.ok == 2; }));
}

std::string Receipt(const Asked& asked, uint64_t sequence, uint64_t ledger) {
  return Reply(Type::kSendReceipt, [&](Writer* fields) {
    fields->add_uint64(1, asked.number(1));
    fields->add_uint64(2, sequence);
    Writer id(*fields, 3);
    id.add_uint64(1, ledger);
    id.add_uint64(2, ledger);
  });
}

// Ledger -1: dropped as a duplicate, although it was never sent before. It is not stored.
TEST(PulsarAnswers, ANewMessageTakenForADuplicateIsNoSuccess) {
  Standin broker([](const Asked& asked) {
    return asked.type == Type::kSend ? Receipt(asked, asked.number(2), kNoLedger) : "";
  });
  Connection connection("", broker.address());
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send("t", "x"));
  EXPECT_EQ(connection.WaitCompleted(2).code(), Code::kUnavailable);
  EXPECT_EQ(connection.Outcome(1), Code::kUnavailable) << connection.Text(1);
  EXPECT_TRUE(Has(connection.Text(1), "producer-name")) << connection.Text(1);
}

// Under its old number it may be a duplicate; the same number and name are sent.
TEST(PulsarAnswers, ARepeatedMessageKeepsItsNumberAndMayBeADuplicate) {
  std::atomic<bool> silent{true};
  Standin broker([&](const Asked& asked) {
    if (asked.type != Type::kSend) return std::string();
    if (silent) return Reply(Type::kPong, [](Writer*) {});
    return Receipt(asked, asked.number(2), kNoLedger);
  });
  Connection connection("", broker.address());
  ASSERT_OK(connection.Open());
  Message message;
  message.topic = "t";
  message.payload = "x";
  for (Token token = 1; token <= 3; ++token) ASSERT_OK(connection.SubmitAs(message, token));
  ASSERT_OK(connection.PumpUntil([&] { return broker.Count(Type::kSend) == 1; }));
  connection.driver.Close(Millis(0), -1);
  silent = false;
  ASSERT_OK(connection.Open());
  message.attempt = 1;
  for (Token token = 1; token <= 3; ++token) ASSERT_OK(connection.SubmitAs(message, token));
  ASSERT_OK(connection.WaitCompleted(3));
  EXPECT_EQ(connection.host.ok, 3U);
  const std::vector<Asked> sent = broker.All(Type::kSend);
  ASSERT_EQ(sent.size(), 4U) << "a batch, and then each alone";
  EXPECT_EQ(sent[0].number(6), sent[0].number(2) + 2) << "the highest number of the batch";
  for (size_t i = 1; i < 4; ++i) EXPECT_EQ(sent[i].number(2), sent[0].number(2) + i - 1);
  const std::vector<Asked> made = broker.All(Type::kProducer);
  ASSERT_EQ(made.size(), 2U);
  EXPECT_FALSE(made[0].texts.contains(4));
  EXPECT_EQ(made[1].texts.at(4), "made-up") << "the name that the broker gave";
  EXPECT_EQ(made[1].number(8), 1U) << "the epoch";
  EXPECT_EQ(made[1].number(9), 0U);
}

TEST(PulsarAnswers, AnAcknowledgementOutOfOrderEndsTheConnection) {
  Standin broker([](const Asked& asked) {
    return asked.type == Type::kSend ? Receipt(asked, asked.number(2) + 5, 1) : "";
  });
  Connection connection("", broker.address());
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send("t", "x"));
  EXPECT_EQ(connection.WaitCompleted(1).code(), Code::kUnavailable);
  EXPECT_TRUE(connection.host.completed.empty());
}

TEST(PulsarAnswers, ABrokerThatAcknowledgesNothingIsAskedAnew) {
  Standin broker([](const Asked& asked) {
    return asked.type == Type::kSend ? Reply(Type::kPong, [](Writer*) {}) : "";
  });
  Connection connection("ack-timeout=1s", broker.address());
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send("t", "x"));
  const Status status = connection.WaitCompleted(1);
  EXPECT_EQ(status.code(), Code::kTimeout);
  EXPECT_TRUE(Has(status.message(), "ack-timeout")) << status.message();
}

std::string Failure(const Asked& asked, int error) {
  return Reply(Type::kSendError, [&](Writer* fields) {
    fields->add_uint64(1, asked.number(1));
    fields->add_uint64(2, asked.number(2));
    fields->add_enum(3, error);
    fields->add_string(4, "because");
  });
}

TEST(PulsarAnswers, AnErrorEndsItsMessageOrTheConnection) {
  std::atomic<int> error{22};
  Standin broker([&](const Asked& asked) {
    return asked.type == Type::kSend && error != 0 ? Failure(asked, error) : "";
  });
  Connection connection("", broker.address());
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send("t", "x"));
  ASSERT_OK(connection.WaitCompleted(1));
  EXPECT_EQ(connection.Outcome(1), Code::kRejected) << connection.Text(1);
  EXPECT_TRUE(Has(connection.Text(1), "because, NotAllowedError")) << connection.Text(1);
  error = 2;
  ASSERT_OK(connection.Send("t", "x"));
  const Status status = connection.WaitCompleted(2);
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_TRUE(Has(status.message(), "bookies")) << status.message();
}

TEST(PulsarAnswers, AClosedProducerIsMadeAgain) {
  Standin broker;
  Connection connection("", broker.address());
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send("t", "x"));
  ASSERT_OK(connection.WaitCompleted(1));
  std::string close = Reply(Type::kCloseProducer, [](Writer* fields) {
    fields->add_uint64(1, 1);
    fields->add_uint64(2, 9);
  });
  AppendPing(&close);
  broker.Push(close);
  ASSERT_OK(connection.PumpUntil([&] { return broker.Count(Type::kPong) == 1; }));
  ASSERT_OK(connection.Send("t", "y"));
  ASSERT_OK(connection.WaitCompleted(2));
  EXPECT_EQ(connection.host.ok, 2U);
  EXPECT_EQ(broker.Count(Type::kProducer), 2U);
  EXPECT_EQ(broker.Count(Type::kLookup), 2U) << "it may have moved";
}

std::string Closing(uint64_t producer) {
  std::string frames = Reply(Type::kCloseProducer, [&](Writer* fields) {
    fields->add_uint64(1, producer);
    fields->add_uint64(2, 9);
  });
  AppendPing(&frames);  // its answer shows that all was read
  return frames;
}

TEST(PulsarAnswers, WhatAClosedProducerHadStoredIsNotSentAgain) {
  Standin broker([](const Asked& asked) {
    return asked.type == Type::kSend ? Reply(Type::kPong, [](Writer*) {}) : "";
  });
  Connection connection("", broker.address());
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send("t", "x"));
  ASSERT_OK(connection.PumpUntil([&] { return broker.Count(Type::kSend) == 1; }));
  broker.Push(Closing(1));
  ASSERT_OK(connection.PumpUntil([&] { return broker.Count(Type::kPong) == 1; }));
  EXPECT_EQ(connection.Submit("t", "y").code(), Code::kWouldBlock);
  const Asked sent = broker.All(Type::kSend)[0];
  broker.Push(Receipt(sent, sent.number(2), 1));
  ASSERT_OK(connection.WaitCompleted(1));
  EXPECT_EQ(connection.Outcome(1), Code::kOk);
  ASSERT_OK(connection.Send("t", "y"));
  ASSERT_OK(connection.PumpUntil([&] { return broker.Count(Type::kSend) == 2; }));
  EXPECT_EQ(broker.Count(Type::kProducer), 2U);
  broker.Push(Closing(2));  // and acknowledges nothing more
  const Status status = connection.PumpUntil([] { return false; });
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_TRUE(Has(status.message(), "has closed the producer")) << status.message();
}

TEST(PulsarAnswers, AnswersToPings) {
  Standin broker;
  Connection connection("", broker.address());
  ASSERT_OK(connection.Open());
  std::string ping;
  AppendPing(&ping);
  broker.Push(ping);
  ASSERT_OK(connection.PumpUntil([&] { return broker.Count(Type::kPong) == 1; }));
}

// The broker asks for a new token when the old one expires; the file has it by then.
TEST(PulsarLogin, ATokenIsRenewedFromItsFile) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.Write("token", "first\n");
  Standin broker;
  Connection connection("token-file=" + path, broker.address());
  ASSERT_OK(connection.Open());
  const Asked login = broker.All(Type::kConnect).at(0);
  EXPECT_EQ(login.texts.at(5), "token");
  EXPECT_EQ(login.texts.at(3), "first");
  folder.Write("token", "second");
  broker.Push(Reply(Type::kAuthChallenge, [](Writer* fields) { fields->add_int32(3, 19); }));
  ASSERT_OK(connection.PumpUntil([&] { return broker.Count(Type::kAuthResponse) == 1; }));
  EXPECT_TRUE(Has(broker.All(Type::kAuthResponse)[0].texts.at(2), "second"));
  ASSERT_OK(connection.Send("t", "x"));
  ASSERT_OK(connection.WaitCompleted(1));
}

TEST(PulsarLogin, ARefusalSaysWhatToCheckAndNeverTheSecret) {
  Standin broker([](const Asked& asked) {
    if (asked.type != Type::kConnect) return std::string();
    return Reply(Type::kError, [](Writer* fields) {
      fields->add_uint64(1, UINT64_MAX);
      fields->add_enum(2, 3);
      fields->add_string(3, "expired");
    });
  });
  const testing::TemporaryFolder folder;
  const std::string file = "token-file=" + folder.Write("token", "s3cret");
  for (const std::string& config : {std::string("password=s3cret"), file,
                                    std::string("username=u\npassword=s3cret"), std::string()}) {
    Connection connection(config, broker.address());
    const Status status = connection.Open();
    EXPECT_EQ(status.code(), Code::kAuth) << status.message();
    EXPECT_TRUE(Has(status.message(), "expired (")) << status.message();
    EXPECT_TRUE(Has(status.message(), "PASSWORD_PULSAR") || Has(status.message(), "token-file"));
    EXPECT_FALSE(Has(status.message(), "s3cret")) << status.message();
  }
}

TEST(PulsarLogin, SettingsThatContradictEachOther) {
  const testing::TemporaryFolder folder;
  for (const std::string& config :
       {"token-file=" + folder.File("none"), "token-file=" + folder.Write("empty", " \n"),
        "password=x\ntoken-file=" + folder.Write("token", "y"), std::string("namespace=default"),
        std::string("tls-cafile=/none")}) {
    EXPECT_EQ(Connection(config, "localhost;6650").configured.code(), Code::kInvalidArgument)
        << config;
  }
  EXPECT_TRUE(Connection("", "pulsar://localhost").configured.ok());
  EXPECT_TRUE(Connection("", "pulsar+ssl://a,b:6651").configured.ok());
}

class PulsarMessages : public ::testing::Test {
 protected:
  void Begin(const std::string& config) {
    connection = std::make_unique<Connection>(config, broker.address());
    ASSERT_OK(connection->Open(Role::kConsumer));
    ASSERT_OK(connection->Subscribe({"t"}));
    ASSERT_OK(connection->PumpUntil([&] { return broker.Count(Type::kFlow) == 1; }));
  }
  static std::string Frame(const std::function<void(Writer*)>& fill) {
    std::string metadata;
    Writer writer(metadata);
    writer.add_string(1, "p");
    writer.add_uint64(2, 0);
    writer.add_uint64(3, 77);
    fill(&writer);
    return metadata;
  }
  static std::string Batch(int count) {
    std::string batch;
    for (int i = 0; i < count; ++i) {
      const std::string text = std::to_string(i);
      Message message;
      message.payload = text;
      AppendToBatch(message, static_cast<uint64_t>(i), &batch);
    }
    return batch;
  }

  Standin broker;
  std::unique_ptr<Connection> connection;
};

TEST_F(PulsarMessages, OfABatchOnlyWhatIsNotAcknowledgedIsDelivered) {
  Begin("receiver-queue=6");
  broker.Push(Deliver(3, Frame([](Writer* f) { f->add_int32(11, 4); }), Batch(4), {0b1010}));
  ASSERT_OK(connection->WaitDelivered(2));
  EXPECT_EQ(connection->host.delivered[0].payload, "1");
  EXPECT_EQ(connection->host.delivered[1].payload, "3");
  EXPECT_EQ(connection->host.delivered[0].id, "5:3:1");
  EXPECT_EQ(connection->host.delivered[0].timestamp_ms, 77);
  // The batch is acknowledged with its last message, and all four gave their permits back.
  connection->driver.Ack(connection->host.tokens[1]);
  ASSERT_OK(connection->PumpUntil([&] { return broker.Count(Type::kFlow) == 2; }));
  EXPECT_EQ(broker.Count(Type::kAck), 0U);
  connection->driver.Ack(connection->host.tokens[0]);
  ASSERT_OK(connection->PumpUntil([&] { return broker.Count(Type::kAck) == 1; }));
}

TEST_F(PulsarMessages, WhatCannotBeReadIsNotAcknowledgedAndHoldsUpNothing) {
  Begin("receiver-queue=10");
  broker.Push(Deliver(1, Frame([](Writer* f) {
                        f->add_enum(8, 1);
                        f->add_uint32(9, 10);
                      }),
                      "no lz4") +
              Deliver(2, Frame([](Writer* f) { f->add_string(13, ""); }), "encrypted") +
              Deliver(3, Frame([](Writer* f) { f->add_enum(8, 9); }), "unknown") +
              Deliver(4, Frame([](Writer* f) { f->add_int32(11, 2); }), "no batch") +
              Deliver(5, Frame([](Writer* f) {
                        f->add_string(6, "a2V5");
                        f->add_bool(17, true);
                      }),
                      "good"));
  ASSERT_OK(connection->WaitDelivered(1));
  EXPECT_EQ(connection->host.delivered[0].payload, "good");
  EXPECT_EQ(connection->host.delivered[0].key, "key");
  connection->AckAll();
  ASSERT_OK(connection->PumpUntil([&] { return broker.Count(Type::kAck) == 1; }));
  EXPECT_EQ(broker.Count(Type::kFlow), 2U);
}

// As their libraries made them.
std::string Bytes(std::string_view digits) {
  std::string bytes;
  for (size_t at = 0; at + 1 < digits.size(); at += 2) {
    bytes += static_cast<char>(std::stoi(std::string(digits.substr(at, 2)), nullptr, 16));
  }
  return bytes;
}

TEST_F(PulsarMessages, CompressedOnesAreRead) {
  Begin("receiver-queue=100");
  const std::string_view packed[] = {
      "7b7061636b65642007005061636b6564", "789c2b484cce4e4d5128c04201008c6b0a01",
      "28b52ffd201b6d0000387061636b6564200100a28b11", "1b187061636b6564204e0700"};
  const std::string text = "packed packed packed packed";
  std::string frames;
  for (uint64_t kind = 1; kind <= 4; ++kind) {
    const std::string metadata = Frame([&](Writer* f) {
      f->add_enum(8, static_cast<int32_t>(kind));
      f->add_uint32(9, static_cast<uint32_t>(text.size()));
    });
    frames += Deliver(kind, metadata, Bytes(packed[kind - 1]));
  }
  broker.Push(frames);
  ASSERT_OK(connection->WaitDelivered(4));
  for (const InMessage& message : connection->host.delivered) EXPECT_EQ(message.payload, text);
  connection->AckAll();
  ASSERT_OK(connection->PumpUntil([&] { return broker.Count(Type::kAck) == 1; }));
}

std::string ChunkOf(const char* uuid, int32_t chunk, int32_t chunks, int32_t size = 10) {
  std::string metadata;
  Writer writer(metadata);
  writer.add_string(1, "p");
  writer.add_uint64(2, 0);
  writer.add_uint64(3, 77);
  writer.add_string(26, uuid);
  writer.add_int32(27, chunks);
  writer.add_int32(28, size);
  writer.add_int32(29, chunk);
  return metadata;
}

TEST_F(PulsarMessages, ChunksAreJoinedAndAcknowledgedTogether) {
  Begin("receiver-queue=100");
  broker.Push(Deliver(1, ChunkOf("a", 0, 3), "one ") + Deliver(2, ChunkOf("b", 0, 2), "1") +
              Deliver(3, ChunkOf("a", 1, 3), "two ") + Deliver(4, ChunkOf("a", 1, 3), "again") +
              Deliver(5, ChunkOf("b", 1, 2), "2") + Deliver(6, ChunkOf("a", 2, 3), "three"));
  ASSERT_OK(connection->WaitDelivered(2));
  EXPECT_EQ(connection->host.delivered[0].payload, "12");
  EXPECT_EQ(connection->host.delivered[1].payload, "one two three");
  EXPECT_EQ(connection->host.delivered[1].id, "5:6");
  connection->driver.Ack(connection->host.tokens[1]);
  ASSERT_OK(connection->PumpUntil([&] { return broker.Count(Type::kAck) == 1; }));
  EXPECT_EQ(broker.Messages(Type::kAck, 0, 3), 3U) << "all chunks of a";
}

TEST_F(PulsarMessages, ChunksThatCannotBeJoinedHoldUpNothing) {
  Begin("receiver-queue=100");
  broker.Push(Deliver(1, ChunkOf("a", 1, 2), "the first is missing") +
              Deliver(2, ChunkOf("b", 0, 3), "b") + Deliver(3, ChunkOf("b", 2, 3), "a gap") +
              Deliver(4, ChunkOf("c", 0, 2, 100 << 20), "too large") +
              Deliver(5, Frame([](Writer*) {}), "good"));
  ASSERT_OK(connection->WaitDelivered(1));
  EXPECT_EQ(connection->host.delivered[0].payload, "good");
}

TEST_F(PulsarMessages, AClosedConsumerEndsTheConnection) {
  Begin("");
  broker.Push(Reply(Type::kCloseConsumer, [](Writer* fields) {
    fields->add_uint64(1, 1);
    fields->add_uint64(2, 9);
  }));
  EXPECT_EQ(connection->PumpUntil([] { return false; }).code(), Code::kUnavailable);
}

}  // namespace
}  // namespace dsmsg::pulsar
