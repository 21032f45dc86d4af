// SPDX-License-Identifier: Apache-2.0
// Lost, silent and foreign servers; logins and TLS of real ones.
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <set>

#include "adaptors/pulsar/test/fixture.h"

namespace dsmsg::pulsar {
namespace {

std::string Base64Url(const std::string& bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(size));
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  text.erase(std::find(text.begin(), text.end(), '='), text.end());
  return text;
}

const std::string kKey(32, 'k');  // NOLINT(cert-err58-cpp)

/// A JSON web token (HS256) of the superuser.
std::string WebToken(int64_t expires_in_s) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto until = std::chrono::duration_cast<std::chrono::seconds>(now).count() + expires_in_s;
  const std::string text = Base64Url(R"({"alg":"HS256"})") + "." +
                           Base64Url(R"({"sub":"dsmsg","exp":)" + std::to_string(until) + "}");
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), kKey.data(), static_cast<int>(kKey.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac, &size);
  return text + "." + Base64Url(std::string(reinterpret_cast<char*>(mac), size));
}

std::vector<std::string> WithTokens(const std::string& own) {
  const std::string classes = "org.apache.pulsar.";
  return {
      "authenticationEnabled=true",
      "authorizationEnabled=true",
      "authenticationProviders=" + classes + "broker.authentication.AuthenticationProviderToken",
      "tokenSecretKey=data:;base64,a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=",
      "superUserRoles=dsmsg",
      "authenticationRefreshCheckSeconds=1",
      "brokerClientAuthenticationPlugin=" + classes + "client.impl.auth.AuthenticationToken",
      "brokerClientAuthenticationParameters=token:" + own};
}

TEST(PulsarOutage, ForeignServersAreNamed) {
  conformance::BadServer reset(conformance::BadServer::Mode::kReset),
      silent(conformance::BadServer::Mode::kSilent);
  Connection to_reset("", "127.0.0.1;" + std::to_string(reset.port()));
  EXPECT_EQ(to_reset.Open(Millis(2000)).code(), Code::kUnavailable);
  Connection to_silent("", "127.0.0.1;" + std::to_string(silent.port()));
  Status status = to_silent.Open(Millis(300));
  EXPECT_EQ(status.code(), Code::kTimeout);
  EXPECT_TRUE(Has(status.message(), "a Pulsar broker")) << status.message();
  Connection to_http("", "127.0.0.1;" + std::to_string(Shared().extra_port("web")));
  status = to_http.Open(Millis(5000));
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_TRUE(Has(status.message(), "an HTTP server")) << status.message();
}

// One server of its own for what ends it or its settings, one after the other: it starts in some
// seconds.
class PulsarOwnServer : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = std::make_unique<Server>("pulsar", "{}"); }
  static void TearDownTestSuite() { server_.reset(); }
  void SetUp() override { server().EnsureUp(); }
  static Server& server() { return *server_; }

 private:
  static std::unique_ptr<Server> server_;
};

std::unique_ptr<Server> PulsarOwnServer::server_;

TEST_F(PulsarOwnServer, AFrozenOneIsNoticed) {
  Connection connection("connect-timeout=1s", AddressOf(server())), reader("", AddressOf(server()));
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send("t", "x"));
  ASSERT_OK(connection.WaitCompleted(1));
  ASSERT_OK(reader.Open(Role::kConsumer));
  ASSERT_OK(reader.Subscribe({"t"}));
  server().Pause();
  ASSERT_OK(connection.Send("t", "y"));
  const Status status = connection.WaitCompleted(2);
  EXPECT_EQ(status.code(), Code::kTimeout) << status.message();
  EXPECT_TRUE(Has(status.message(), "has not answered")) << status.message();
  EXPECT_EQ(reader.PumpUntil([] { return false; }).code(), Code::kTimeout);
  connection.driver.Close(Millis(0), -1);
  server().Resume();
  ASSERT_OK(connection.Open());
}

// Killed in the middle of 5000: with deduplication and a fixed name none is lost, doubled or out of
// order.
TEST_F(PulsarOwnServer, AKilledOneKeepsWhatItAcknowledgedAndKnowsTheNumbers) {
  constexpr Token kCount = 5000;
  Admin(server(), {"POST", "namespaces/public/default/deduplication", "true"});
  const std::string topic = NewName();
  Connection connection("producer-name=killed", AddressOf(server()));
  ASSERT_OK(connection.Open());
  std::vector<std::string> payloads;
  for (Token token = 0; token <= kCount; ++token) payloads.push_back(std::to_string(token));
  Message message;
  message.topic = topic;
  Token sent = 0;
  const auto submit = [&](Token token, uint32_t attempt) {
    message.payload = payloads[token];
    message.attempt = attempt;
    return connection.SubmitAs(message, token);
  };
  while (connection.host.ok < kCount / 4) {
    ASSERT_OK(submit(++sent, 0));
    if (sent == kCount) {
      ASSERT_OK(connection.WaitCompleted(kCount / 4));
    }
  }
  server().Kill();
  while (sent < kCount && submit(sent + 1, 0).ok()) ++sent;
  if (sent == kCount) {
    EXPECT_FALSE(connection.WaitCompleted(kCount + 1).ok());
  }
  connection.driver.Close(Millis(0), -1);
  server().EnsureUp();
  for (Status status = connection.Open(); !status.ok(); status = connection.Open()) {
    ASSERT_TRUE(status.retryable()) << status.message();
  }
  for (Token token = 1; token <= kCount; ++token) {
    if (connection.host.completed.contains(token)) continue;
    Status status;
    do {  // ServiceNotReady while the topic is recovered
      status = submit(token, token <= sent ? 1 : 0);
      if (status.retryable()) {
        ASSERT_OK(connection.driver.Poll(Millis(50), connection.wake.fd()));
      }
    } while (status.retryable());
    ASSERT_OK(status);
  }
  ASSERT_OK(connection.WaitCompleted(kCount));
  EXPECT_EQ(connection.host.ok, kCount);
  const auto found = PulsarClient(server()).ReadAll(topic);
  ASSERT_EQ(found.size(), kCount);
  for (Token token = 1; token <= kCount; ++token) {
    ASSERT_EQ(found[token - 1].payload, payloads[token]);
  }
}

TEST_F(PulsarOwnServer, TokensExpireAndAreRenewed) {
  Restart(server(), WithTokens(WebToken(3600)));
  const testing::TemporaryFolder folder;
  const std::string path = folder.Write("token", WebToken(-10));
  Connection connection("token-file=" + path, AddressOf(server()));
  Status status = connection.Open();
  EXPECT_EQ(status.code(), Code::kAuth);
  EXPECT_TRUE(Has(status.message(), "it is read again")) << status.message();
  folder.Write("token", WebToken(3600));
  ASSERT_OK(connection.Open());
  ASSERT_OK(connection.Send("t", "x"));
  ASSERT_OK(connection.WaitCompleted(1));
  connection.driver.Close(Millis(0), -1);
  // Renewed while the connection is open: it goes on after the first token has expired.
  folder.Write("token", WebToken(5));
  ASSERT_OK(connection.Open());
  folder.Write("token", WebToken(3600));
  const Deadline expired = Clock::now() + Millis(8000);
  ASSERT_OK(connection.PumpUntil([&] { return Clock::now() > expired; }));
  ASSERT_OK(connection.Send("t", "y"));
  ASSERT_OK(connection.WaitCompleted(2));
  EXPECT_EQ(connection.host.ok, 2U);
  // Not renewed: the broker ends the connection and says why at the next one.
  connection.driver.Close(Millis(0), -1);
  folder.Write("token", WebToken(5));
  ASSERT_OK(connection.Open());
  EXPECT_FALSE(connection.PumpUntil([] { return false; }).ok());
  connection.driver.Close(Millis(0), -1);
  EXPECT_EQ(connection.Open().code(), Code::kAuth);
}

}  // namespace
}  // namespace dsmsg::pulsar
