// SPDX-License-Identifier: Apache-2.0
// Settings, logins and TLS, against real servers.
#include "adaptors/nats/nkey.h"
#include "adaptors/nats/test/credentials.h"
#include "adaptors/nats/test/fixture.h"
#include "unit/certificates.h"

namespace dsmsg::nats {
namespace {

using testing::TemporaryFolder;

constexpr char kNowhere[] = "localhost;4222";

std::string CredentialsText(const std::string& jwt) {
  return "-----BEGIN NATS USER JWT-----\n" + jwt +
         "\n------END NATS USER JWT------\n\nKeep it.\n\n-----BEGIN USER NKEY SEED-----\n" +
         kUserSeed + "\n------END USER NKEY SEED------\n";
}

TEST(NatsSettings, WhatCannotBeIsRefusedWithWords) {
  const TemporaryFolder folder;
  const std::pair<std::string, const char*> cases[] = {
      {"username=a\npassword=b\nnkey-seed=" + std::string(kUserSeed), "more than one of login"},
      {"nkey-seed=SUxxxx", "the NKey seed cannot be used"},
      {"nkey-seed=" + std::string(kUserKey), "its length or its characters"},
      {"credentials=" + folder.File("absent"), "cannot be read"},
      {"credentials=" + folder.Write("empty", "nothing"), "no user JWT"},
      {"tls-first=1", "needs TLS"},
      {"stream=a b", "stream = a b"},
      {"durable=a.b", "durable = a.b"},
      {"queue-group=*", "queue-group = *"},
  };
  for (const auto& [config, words] : cases) {
    const Connection connection(config, kNowhere);
    EXPECT_EQ(connection.configured.code(), Code::kInvalidArgument) << config;
    EXPECT_TRUE(Has(connection.configured.message(), words)) << connection.configured.message();
    EXPECT_FALSE(Has(connection.configured.message(), "SUxxxx"));
  }
}

TEST(NatsKey, TheKeyBelongsToTheSeed) {
  const Result<Signed> made = SignNonce(kUserSeed, "nonce");
  ASSERT_OK(made.status());
  EXPECT_EQ(made->public_key, kUserKey);
  EXPECT_EQ(made->signature.size(), 86U);
  std::string changed = kUserSeed;
  changed[20] = changed[20] == 'A' ? 'B' : 'A';
  EXPECT_TRUE(Has(SignNonce(changed, "nonce").status().message(), "checksum"));
}

TEST(NatsLogin, UserTokenAndKey) {
  const struct {
    const char* server;
    std::string right, wrong;
  } cases[] = {
      {"authorization { user: a, password: b }", "username=a\npassword=b",
       "username=a\npassword=SECRET"},
      {"authorization { token: t }", "password=t", "password=SECRET"},
  };
  for (const auto& each : cases) {
    OwnServer server({each.server});
    Connection right(each.right, AddressOf(*server)), wrong(each.wrong, AddressOf(*server)),
        without("", AddressOf(*server));
    EXPECT_TRUE(right.Open().ok());
    for (Connection* refused : {&wrong, &without}) {
      const Status status = refused->Open();
      EXPECT_EQ(status.code(), Code::kAuth);
      EXPECT_TRUE(Has(status.message(), "PASSWORD_NATS")) << status.message();
      EXPECT_FALSE(Has(status.message(), "SECRET")) << status.message();
    }
  }
  OwnServer server({"authorization { users: [ { nkey: " + std::string(kUserKey) + " } ] }"});
  Connection key("nkey-seed=" + std::string(kUserSeed), AddressOf(*server));
  ASSERT_OK(key.Open());
  Connection url("", "nats://token@" + (*server).address());
  const Status status = url.Open();
  EXPECT_EQ(status.code(), Code::kAuth) << status.message();
  Connection needless("nkey-seed=" + std::string(kUserSeed));
  EXPECT_TRUE(Has(needless.Open().message(), "with an NKey"));
}

// A file that is renewed while the process runs counts at the next login.
TEST(NatsLogin, TheCredentialsFileIsReadAtEveryLogin) {
  OwnServer server({"operator: " + std::string(kOperatorJwt), "resolver: MEMORY",
                    "jetstream: disabled",
                    "resolver_preload: { " + std::string(kAccount) + ": " + kAccountJwt + " }"});
  const TemporaryFolder folder;
  const std::string path = folder.Write("user.creds", CredentialsText(kExpiredJwt));
  Connection connection("credentials=" + path, AddressOf(*server));
  const Status expired = connection.Open();
  EXPECT_EQ(expired.code(), Code::kAuth) << expired.message();
  folder.Write("user.creds", CredentialsText(kUserJwt));
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send("nowhere", "x"));
  ASSERT_OK(connection.WaitCompleted(1));
}

class NatsTls : public ::testing::Test {
 protected:
  void SetUp() override {
    const test::Key ca_key = test::NewKey(), key = test::NewKey();
    const test::Cert ca = test::NewCert(ca_key.get(), "authority", "", nullptr, ca_key.get()),
                     cert =
                         test::NewCert(key.get(), "server", "IP:127.0.0.1", ca.get(), ca_key.get());
    test::WriteCert(folder_.File("ca.pem"), ca.get());
    test::WriteCert(folder_.File("cert.pem"), cert.get());
    test::WriteKey(folder_.File("key.pem"), key.get());
    sigset_t pipe;  // as on the I/O thread
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  }
  std::string Lines(const std::string& more) const {
    return "tls { cert_file: \"" + folder_.File("cert.pem") + "\", key_file: \"" +
           folder_.File("key.pem") + "\"" + more + " }";
  }
  std::string Trust() const { return "enable-tls=1\ntls-cafile=" + folder_.File("ca.pem"); }

  const TemporaryFolder folder_;
};

TEST_F(NatsTls, UpgradedAndFromTheFirstByte) {
  constexpr char kFirst[] = ", handshake_first: true";
  for (const auto& [server_more, config] :
       {std::pair<std::string, std::string>("", Trust()),
        std::pair<std::string, std::string>(kFirst, Trust() + "\ntls-first=1"),
        std::pair<std::string, std::string>(kFirst, Trust())}) {
    OwnServer server({Lines(server_more)});
    Connection connection(config, AddressOf(*server));
    ASSERT_OK(connection.Open(Millis(8000)));
    ASSERT_OK(connection.Send("nowhere", std::string(500'000, 'x')));
    ASSERT_OK(connection.WaitCompleted(1));
    EXPECT_EQ(connection.Outcome(1), Code::kUnknownTopic) << connection.Text(1);
  }
}

TEST_F(NatsTls, NothingGoesOutInClearTextAndCertificatesAreChecked) {
  OwnServer secure({Lines("")});
  Connection clear("", AddressOf(*secure)), unknown("enable-tls=1", AddressOf(*secure)),
      none(Trust());
  EXPECT_TRUE(Has(clear.Open().message(), "set enable-tls=1"));
  const Status status = unknown.Open();
  EXPECT_EQ(status.code(), Code::kAuth) << status.message();
  EXPECT_TRUE(Has(none.Open().message(), "offers no TLS"));
}

}  // namespace
}  // namespace dsmsg::nats
