// SPDX-License-Identifier: Apache-2.0
#include "adaptors/kafka/errors.h"

#include <gtest/gtest.h>

namespace dsmsg::kafka {
namespace {

constexpr Millis kSetup{3000};
const Peer kNew{"a Kafka broker", Answered::kNever, true};

TEST(KafkaErrors, MessageStatusSeparatesPermanentFromRetryable) {
  EXPECT_TRUE(MessageStatus(RD_KAFKA_RESP_ERR_NO_ERROR, "t").ok());
  EXPECT_EQ(MessageStatus(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, "t").code(), Code::kUnknownTopic);
  EXPECT_EQ(MessageStatus(RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, "t").code(), Code::kUnknownTopic);
  EXPECT_EQ(MessageStatus(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "t").code(), Code::kTooLarge);
  EXPECT_EQ(MessageStatus(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "t").code(), Code::kAuth);
  EXPECT_EQ(MessageStatus(RD_KAFKA_RESP_ERR_INVALID_RECORD, "t").code(), Code::kRejected);
  EXPECT_EQ(MessageStatus(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, "t").code(), Code::kRejected);
  EXPECT_TRUE(MessageStatus(RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, "t").retryable());
  EXPECT_NE(MessageStatus(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, "cams").message().find("'cams'"),
            std::string::npos);
}

TEST(KafkaErrors, PurgedMessagesStayWithTheCore) {
  EXPECT_TRUE(IsPurge(RD_KAFKA_RESP_ERR__PURGE_QUEUE));
  EXPECT_TRUE(IsPurge(RD_KAFKA_RESP_ERR__PURGE_INFLIGHT));
  EXPECT_TRUE(IsPurge(RD_KAFKA_RESP_ERR__FATAL));
  EXPECT_FALSE(IsPurge(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC));
  // Of a deleted topic: nobody else would complete them.
  EXPECT_FALSE(IsPurge(RD_KAFKA_RESP_ERR__DESTROY));
  EXPECT_EQ(MessageStatus(RD_KAFKA_RESP_ERR__DESTROY, "t").code(), Code::kUnknownTopic);
}

TEST(KafkaErrors, LinkStatusNamesCauseAndRemedy) {
  const Status refused = LinkStatus(
      RD_KAFKA_RESP_ERR__TRANSPORT,
      "localhost:9093/bootstrap: Connect to ipv4#127.0.0.1:9093 failed: Connection refused (after "
      "0ms in state CONNECT, 1 identical error(s) suppressed)",
      "localhost:9093", kSetup, kNew);
  EXPECT_EQ(refused.code(), Code::kUnavailable);
  EXPECT_EQ(refused.message(),
            "cannot reach broker localhost:9093: connection refused (is the broker running, "
            "and is this its port?)");

  const Status lookup = LinkStatus(
      RD_KAFKA_RESP_ERR__RESOLVE,
      "nohost:9092/bootstrap: Failed to resolve 'nohost:9092': Name or service not known (after "
      "2ms in state CONNECT)",
      "nohost:9092", kSetup, kNew);
  EXPECT_EQ(lookup.message(),
            "cannot reach broker nohost:9092: name lookup: name or service not known (check the "
            "host name)");

  const Status silent = LinkStatus(
      RD_KAFKA_RESP_ERR__TRANSPORT,
      "h:1/bootstrap: Connection setup timed out in state APIVERSION_QUERY (after 3003ms in state "
      "APIVERSION_QUERY)",
      "h:1", kSetup, kNew);
  EXPECT_NE(silent.message().find("no answer to the Kafka handshake within 3 s"),
            std::string::npos);

  const Status login = LinkStatus(
      RD_KAFKA_RESP_ERR__AUTHENTICATION,
      "h:1/bootstrap: SASL PLAIN authentication failed: Authentication failed (after 4ms in state "
      "AUTH_REQ)",
      "h:1", kSetup, kNew);
  EXPECT_EQ(login.code(), Code::kAuth);
  EXPECT_TRUE(login.permanent());
}

// Kafka's words are those for a wrong password.
TEST(KafkaErrors, AScramRefusalOfAnOldLibraryNamesTheVersion) {
  const std::string scram =
      "Broker: SASL Authentication failed: Authentication failed during authentication due to "
      "invalid credentials with SASL mechanism SCRAM-SHA-256";
  EXPECT_NE(LoginAdvice(scram, 0x020002ff).find("needs librdkafka 2.6.1, or PLAIN over TLS"),
            std::string::npos);
  EXPECT_EQ(LoginAdvice(scram, 0x020601ff).find("2.6.1"), std::string::npos);
  EXPECT_EQ(LoginAdvice("SASL SCRAM-SHA-512 mechanism handshake failed: Broker: Unsupported SASL "
                        "mechanism: broker's supported mechanisms: PLAIN",
                        0x020002ff)
                .find("2.6.1"),
            std::string::npos);
  EXPECT_EQ(LoginAdvice("SASL PLAIN authentication failed", 0x020002ff).find("2.6.1"),
            std::string::npos);
}

TEST(KafkaErrors, TlsDetailIsWhatOpenSslSays) {
  EXPECT_EQ(TlsDetail("ssl://h:1/bootstrap: SSL handshake failed: error:0A000086:SSL "
                      "routines::certificate verify failed: broker certificate could not be "
                      "verified (after 5ms in state SSL_HANDSHAKE)"),
            "certificate verify failed: broker certificate could not be verified");
  EXPECT_EQ(TlsDetail("ssl://h:1/bootstrap: Receive failed: error:0A000412:SSL routines::sslv3 "
                      "alert bad certificate: SSL alert number 42 (after 3ms in state "
                      "APIVERSION_QUERY)"),
            "sslv3 alert bad certificate");
  EXPECT_EQ(TlsDetail("ssl://h:1/bootstrap: SSL handshake failed: Disconnected: connecting to a "
                      "PLAINTEXT broker listener? (after 2ms in state SSL_HANDSHAKE)"),
            "disconnected: connecting to a PLAINTEXT broker listener?");
}

TEST(KafkaErrors, MissingLoginAndMissingTlsAreNamed) {
  const Status login = LinkStatus(
      RD_KAFKA_RESP_ERR__TRANSPORT,
      "h:1/bootstrap: Disconnected: verify that security.protocol is correctly configured, broker "
      "might require SASL authentication (after 300ms in state UP)",
      "h:1", kSetup, kNew);
  EXPECT_NE(login.message().find("sasl-mechanism"), std::string::npos) << login.message();
  const Status tls = LinkStatus(
      RD_KAFKA_RESP_ERR__TRANSPORT,
      "h:1/bootstrap: Disconnected while requesting ApiVersion: might be caused by incorrect "
      "security.protocol configuration (connecting to a SSL listener?) (after 3ms in state "
      "APIVERSION_QUERY)",
      "h:1", kSetup, kNew);
  EXPECT_NE(tls.message().find("enable-tls=1"), std::string::npos) << tls.message();
  const Status newer = LinkStatus(RD_KAFKA_RESP_ERR__TRANSPORT,
                                  "h:1/bootstrap: Disconnected: connection closed by peer: receive "
                                  "0 after POLLIN (after 3ms in "
                                  "state APIVERSION_QUERY)",
                                  "h:1", kSetup, kNew);
  EXPECT_EQ(newer.message(), tls.message());
  const std::string_view closed =
      "h:1/bootstrap: Disconnected: connection closed by peer: receive 0 after POLLIN (after 300ms "
      "in state UP)";
  EXPECT_EQ(LinkStatus(RD_KAFKA_RESP_ERR__TRANSPORT, closed, "h:1", kSetup, kNew).message(),
            login.message());
  EXPECT_FALSE(ShowsAnswer(closed));
  EXPECT_TRUE(ShowsAnswer("h:1/1: Disconnected (after 60000ms in state UP)"));
}

// What worked is not suspected of being no Kafka, a TLS listener or without a login.
TEST(KafkaErrors, ABrokerThatAnsweredIsNotSuspected) {
  const Peer known{"a Kafka broker", Answered::kBefore, true};
  for (const char* text :
       {"h:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state "
        "CONNECT)",
        "h:1/1: Disconnected: verify that security.protocol is correctly configured, broker might "
        "require SASL authentication (after 300ms in state UP)",
        "h:1/1: Disconnected while requesting ApiVersion: might be caused by incorrect "
        "security.protocol configuration (connecting to a SSL listener?) (after 3ms in state "
        "APIVERSION_QUERY)",
        "h:1/1: Connection setup timed out in state APIVERSION_QUERY (after 3003ms in state "
        "APIVERSION_QUERY)"}) {
    const std::string cause = LinkCause(RD_KAFKA_RESP_ERR__TRANSPORT, text, kSetup, known);
    EXPECT_NE(cause.find("answered before"), std::string::npos) << cause;
    for (const char* wrong : {"enable-tls", "sasl-mechanism", "running?", "is it a Kafka"}) {
      EXPECT_EQ(cause.find(wrong), std::string::npos) << cause;
    }
  }
}

TEST(KafkaErrors, EventsTellWhichBrokerHasAnswered) {
  EXPECT_TRUE(ShowsAnswer("h:1/1: Disconnected (after 10000ms in state UP)"));
  EXPECT_FALSE(
      ShowsAnswer("h:1/1: Disconnected: verify that security.protocol is correctly "
                  "configured, broker might require SASL authentication (after 300ms in "
                  "state UP)"));
  EXPECT_FALSE(ShowsAnswer("h:1/bootstrap: Connect to x failed (after 0ms in state CONNECT)"));
}

TEST(KafkaErrors, AnotherProtocolIsNamed) {
  const Peer plain{"a Kafka broker", Answered::kNever, true};
  const auto cause = [&](const char* size) {
    return LinkCause(RD_KAFKA_RESP_ERR__BAD_MSG,
                     std::string("h:1/bootstrap: Receive failed: Invalid response size ") + size +
                         " (0..100000000): increase receive.message.max.bytes (after 1ms in state "
                         "APIVERSION_QUERY)",
                     kSetup, plain);
  };
  EXPECT_NE(cause("1213486160").find("an HTTP server answers"), std::string::npos);
  EXPECT_NE(cause("352518400").find("that port speaks TLS"), std::string::npos);
  EXPECT_NE(cause("-2").find("it is not a Kafka broker"), std::string::npos);
}

TEST(KafkaErrors, FormatsTimes) {
  EXPECT_EQ(FormatMillis(Millis(250)), "250 ms");
  EXPECT_EQ(FormatMillis(Millis(3000)), "3 s");
  EXPECT_EQ(FormatMillis(Millis(1500)), "1.5 s");
}

}  // namespace
}  // namespace dsmsg::kafka
