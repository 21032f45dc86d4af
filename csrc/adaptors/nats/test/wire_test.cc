// SPDX-License-Identifier: Apache-2.0
// The protocol's bytes, subjects, and what JetStream's answers say; no server.
#include <gtest/gtest.h>

#include <cstring>

#include "adaptors/nats/api.h"
#include "adaptors/nats/errors.h"
#include "adaptors/nats/subject.h"
#include "adaptors/nats/wire.h"

namespace dsmsg::nats {
namespace {

using Kind = Op::Kind;

void Feed(OpReader* reader, std::string_view text) {
  std::memcpy(reader->Space(text.size()), text.data(), text.size());
  reader->Filled(text.size());
}

TEST(NatsWire, OperationsInPiecesOfOneByte) {
  OpReader reader;
  std::vector<std::string> seen;
  for (const char c : std::string("INFO {\"a\":1} \r\nPING\r\n+OK\r\nMSG a.b 7 5\r\n\r\nxyz\r\n"
                                  "HMSG a 8 r.1 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"
                                  "-ERR 'No Way'\r\nPONG\r\n")) {
    Feed(&reader, {&c, 1});
    for (Op op = reader.Next(); op.kind != Kind::kNone; op = reader.Next()) {
      ASSERT_NE(op.kind, Kind::kBroken) << op.text;
      seen.push_back(std::to_string(static_cast<int>(op.kind)) + "|" + std::string(op.subject) +
                     "|" + std::string(op.reply) + "|" + std::to_string(op.sid) + "|" +
                     std::string(op.payload) + "|" + std::string(op.text));
    }
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"2|||0||{\"a\":1}", "3|||0||", "1|a.b||7|\r\nxyz|",
                                            "1|a|r.1|8|hi|", "5|||0||No Way", "4|||0||"}));
}

TEST(NatsWire, WhatIsNotNatsIsBroken) {
  for (const char* text :
       {"HTTP/1.1 400 Bad Request\r\n", "MSG a\r\n", "MSG a 1 x\r\n", "MSG a 1 99999999999\r\n",
        "HMSG a 1 9 3\r\nxxx\r\n", "MSG a 1 2\r\nabcd\r\n", "MSG a b c d e f\r\n"}) {
    OpReader reader;
    Feed(&reader, text);
    EXPECT_EQ(reader.Next().kind, Kind::kBroken) << text;
  }
}

TEST(NatsWire, HeadersAndStatus) {
  const std::string block =
      "NATS/1.0 409 Consumer Deleted\r\nNats-Pending-Messages: 12\r\nA: b: c \r\n\r\n";
  Op op;
  op.headers = block;
  EXPECT_EQ(op.status(), 409);
  EXPECT_EQ(op.status_text(), "Consumer Deleted");
  EXPECT_EQ(op.header("Nats-Pending-Messages"), "12");
  EXPECT_EQ(op.header("Nats-Pending"), "");
  EXPECT_EQ(ParseHeaders(block), (std::vector<std::pair<std::string, std::string>>{
                                     {"Nats-Pending-Messages", "12"}, {"A", "b: c"}}));
  op.headers = "NATS/1.0\r\nA: b\r\n\r\n";
  EXPECT_EQ(op.status(), 0);
}

TEST(NatsWire, Publish) {
  std::string out;
  AppendPublish("s", "", "", "hi", &out);
  AppendPublish("s", "r", "A: b\r\n", "hi", &out);
  EXPECT_EQ(out, "PUB s 2\r\nhi\r\nHPUB s r 18 20\r\nNATS/1.0\r\nA: b\r\n\r\nhi\r\n");
  EXPECT_EQ(PublishedSize("A: b\r\n", "hi"), 20U);
}

TEST(NatsSubject, Check) {
  for (const char* good : {"a", "a.b", "a/b", "a*.>b", "\xc3\xa4"}) {
    EXPECT_TRUE(CheckSubject(good, false).ok()) << good;
  }
  for (const char* bad : {"", ".a", "a.", "a..b", "a b", "a\tb", "a\r\nPUB x", "a.*", ">"}) {
    EXPECT_EQ(CheckSubject(bad, false).code(), Code::kInvalidArgument) << bad;
  }
  EXPECT_TRUE(CheckSubject("a.*.>", true).ok());
  EXPECT_FALSE(CheckSubject("a.>.b", true).ok());
  EXPECT_FALSE(CheckSubject(std::string(4000, 'x'), true).ok());
}

TEST(NatsSubject, Match) {
  EXPECT_TRUE(SubjectMatches("a.*.c", "a.b.c"));
  EXPECT_TRUE(SubjectMatches("a.>", "a.b.c"));
  EXPECT_TRUE(SubjectMatches("a", "a"));
  EXPECT_FALSE(SubjectMatches("a.*", "a.b.c"));
  EXPECT_FALSE(SubjectMatches("a.>", "a"));
  EXPECT_FALSE(SubjectMatches("a", "b"));
}

TEST(NatsSubject, ConsumerNamesDiffer) {
  EXPECT_EQ(ConsumerName("d", "plain-1_x"), "d-plain-1_x");
  EXPECT_NE(ConsumerName("d", "a.b"), ConsumerName("d", "a_b"));
  EXPECT_NE(ConsumerName("d", "a.*"), ConsumerName("d", "a.>"));
  EXPECT_EQ(ConsumerName("d", "a.>").find_first_of(".*> /"), std::string::npos);
  const std::string end(300, 'x');
  EXPECT_NE(ConsumerName("d", end + "1"), ConsumerName("d", end + "2"));
}

TEST(NatsSubject, Headers) {
  EXPECT_TRUE(CheckHeader("A-b", "any value: \xff").ok());
  EXPECT_FALSE(CheckHeader("", "v").ok());
  EXPECT_FALSE(CheckHeader("a b", "v").ok());
  EXPECT_FALSE(CheckHeader("a:", "v").ok());
  EXPECT_FALSE(CheckHeader("a", "line\nbreak").ok());
  EXPECT_FALSE(CheckHeader("a", std::string_view("\0", 1)).ok());
}

TEST(NatsApi, Deliveries) {
  const Delivery old = DeliveryOf("$JS.ACK.S.C.2.15.3.1700000000123456789.9");
  EXPECT_EQ(old.delivered, 2U);
  EXPECT_EQ(old.sequence, 15U);
  EXPECT_EQ(old.timestamp_ms, 1700000000123);
  const Delivery current = DeliveryOf("$JS.ACK.dom.hash.S.C.1.16.3.1700000000123456789.9.token");
  EXPECT_EQ(current.delivered, 1U);
  EXPECT_EQ(current.sequence, 16U);
  EXPECT_EQ(DeliveryOf("$JS.ACK.S").timestamp_ms, -1);
}

TEST(NatsApi, ErrorsSayWhatToDo) {
  EXPECT_EQ(JetStreamError(503, 10077, "maximum messages exceeded").code(), Code::kUnavailable);
  EXPECT_EQ(JetStreamError(503, 10023, "insufficient resources").code(), Code::kUnavailable);
  EXPECT_EQ(JetStreamError(400, 10002, "resource limits exceeded").code(), Code::kUnavailable);
  EXPECT_EQ(JetStreamError(429, 10167, "too many requests").code(), Code::kUnavailable);
  EXPECT_EQ(JetStreamError(400, 10054, "too large").code(), Code::kTooLarge);
  EXPECT_EQ(JetStreamError(400, 10071, "wrong last sequence").code(), Code::kRejected);
  EXPECT_EQ(ForbiddenPublish("Permissions Violation for Publish to \"a.b\""), "a.b");
  EXPECT_EQ(ForbiddenSubscription("Permissions Violation for Subscription to \"c\""), "c");
  EXPECT_EQ(ForbiddenPublish("Authorization Violation"), "");
  EXPECT_EQ(ConnectionError("s", "Authorization Violation").code(), Code::kAuth);
  EXPECT_EQ(ConnectionError("s", "anything").code(), Code::kUnavailable);
}

}  // namespace
}  // namespace dsmsg::nats
