// SPDX-License-Identifier: Apache-2.0
#include "core/net/hints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/x509_vfy.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace dsmsg {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr int kFirst = static_cast<int>(Situation::kNameUnknown);
constexpr int kLast = static_cast<int>(Situation::kStalled);

// Every text of the table, as for a server of MQTT.
std::vector<std::string> AllTexts() {
  std::vector<std::string> texts;
  for (int situation = kFirst; situation <= kLast; ++situation) {
    for (const Answered answered : {Answered::kNever, Answered::kPartly, Answered::kBefore}) {
      for (const bool plain : {false, true}) {
        texts.push_back(
            Hint(static_cast<Situation>(situation), {"an MQTT server", answered, plain}));
      }
    }
  }
  return texts;
}

TEST(HintsTest, EverySituationHasAText) {
  for (const std::string& text : AllTexts()) {
    EXPECT_THAT(text, StartsWith(" ("));
    EXPECT_THAT(text, EndsWith(")"));
    EXPECT_THAT(text, Not(HasSubstr("KIND")));
    EXPECT_GT(text.size(), 10U);
  }
}

// A server that worked is not suspected of being another kind, or of speaking TLS.
TEST(HintsTest, AServerThatAnsweredBeforeIsNotSuspected) {
  for (const Situation situation :
       {Situation::kNameUnknown, Situation::kRefused, Situation::kNoAnswer, Situation::kUnreachable,
        Situation::kTlsClosed, Situation::kTlsSilent, Situation::kClosed, Situation::kSilent}) {
    const std::string never = Hint(situation, {"an MQTT server", Answered::kNever, true});
    const std::string before = Hint(situation, {"an MQTT server", Answered::kBefore, true});
    EXPECT_NE(never, before);
    for (const char* wrong : {"is it an MQTT server", "speak TLS", "want TLS", "enable-tls",
                              "is the broker running", "is this its port", "conn-str", "check"}) {
      EXPECT_THAT(before, Not(HasSubstr(wrong)));
    }
    EXPECT_THAT(before, HasSubstr("before"));
  }
}

// A server that began to answer speaks the protocol.
TEST(HintsTest, AServerThatBeganToAnswerIsNotSuspected) {
  for (const Situation situation : {Situation::kClosed, Situation::kSilent}) {
    const std::string partly = Hint(situation, {"a Redis server", Answered::kPartly, true});
    EXPECT_THAT(partly, Not(HasSubstr("is it a Redis server")));
    EXPECT_THAT(partly, Not(HasSubstr("TLS")));
  }
  EXPECT_THAT(Hint(Situation::kTlsClosed, {.answered = Answered::kPartly}),
              Not(HasSubstr("does that port speak")));
}

TEST(HintsTest, TlsIsOnlySuspectedWithoutIt) {
  for (const Situation situation : {Situation::kClosed, Situation::kSilent}) {
    EXPECT_THAT(Hint(situation, {"a Redis server", Answered::kNever, true}),
                HasSubstr("enable-tls=1"));
    EXPECT_THAT(Hint(situation, {"a Redis server", Answered::kNever, false}),
                Not(HasSubstr("TLS")));
  }
}

TEST(HintsTest, CertificatesByCause) {
  EXPECT_THAT(CertificateHint(X509_V_ERR_HOSTNAME_MISMATCH), HasSubstr("tls-server-name"));
  EXPECT_THAT(CertificateHint(X509_V_ERR_IP_ADDRESS_MISMATCH), HasSubstr("tls-server-name"));
  EXPECT_THAT(CertificateHint(X509_V_ERR_CERT_HAS_EXPIRED), HasSubstr("renew"));
  EXPECT_THAT(CertificateHint(X509_V_ERR_CERT_NOT_YET_VALID), HasSubstr("clock"));
  EXPECT_THAT(CertificateHint(X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY),
              HasSubstr("tls-cafile"));
  EXPECT_THAT(CertificateHint(X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT), HasSubstr("tls-cafile"));
  EXPECT_THAT(CertificateHint(X509_V_ERR_CA_MD_TOO_WEAK), HasSubstr("OpenSSL"));
  EXPECT_EQ(CertificateHint(X509_V_ERR_OUT_OF_MEM), "");
}

TEST(HintsTest, OtherProtocolsAreNamed) {
  const Peer redis{"a Redis server", Answered::kNever, true};
  const std::string_view kTlsAlert("\x15\x03\x01\x00\x02\x02\x46", 7);
  EXPECT_THAT(ForeignAnswer(kTlsAlert, redis, "?"), HasSubstr("that port speaks TLS"));
  EXPECT_THAT(ForeignAnswer("HTTP/1.1 400 Bad Request", redis, "?"),
              StartsWith("an HTTP server answers (it is not a Redis server"));
  EXPECT_THAT(ForeignAnswer("AMQP", redis, "?"), StartsWith("an AMQP broker answers"));
  EXPECT_THAT(ForeignAnswer("-ERR unknown command", {"an MQTT server"}, "?"),
              StartsWith("a Redis server answers"));
  const std::string_view kZmq("\xff\0\0\0\0\0\0\0\x01\x7f", 10);
  EXPECT_THAT(ForeignAnswer(kZmq, redis, "?"), StartsWith("a ZeroMQ socket answers"));
  EXPECT_THAT(ForeignAnswer("gibberish", redis, "it is no reply"), StartsWith("it is no reply ("));
  EXPECT_THAT(ForeignAnswer("", redis, "it is no reply"), StartsWith("it is no reply ("));
  EXPECT_THAT(ForeignAnswer("HTTP/1.1", {"a Redis server", Answered::kBefore, true}, "?"),
              HasSubstr("another program"));
}

// docs/troubleshooting.md lists the table.
TEST(HintsTest, TheDocumentationHasEveryText) {
  std::ifstream file(DSMSG_SOURCE_DIR "/docs/troubleshooting.md");
  std::stringstream page;
  page << file.rdbuf();
  for (const std::string& text : AllTexts()) {
    EXPECT_THAT(page.str(), HasSubstr(text.substr(2, text.size() - 3)));
  }
}

}  // namespace
}  // namespace dsmsg
