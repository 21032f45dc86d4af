// SPDX-License-Identifier: Apache-2.0
// TLS: it is used, it verifies, and each failure has its error text.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <thread>

#include "adaptors/mqtt/test/fixture.h"
#include "adaptors/mqtt/test/test_certificates.h"

namespace dsmsg::mqtt {
namespace {

class MqttTls : public ::testing::Test {
 protected:
  /// A server whose certificate contains `names`, with more lines of mosquitto.conf.
  std::unique_ptr<MosquittoServer> Serve(const std::string& names, const std::string& more = "") {
    const auto identity = authority_.Issue(names);
    folder_.Write("server.pem", identity.certificate);
    folder_.Write("server.key", identity.key);
    folder_.Write("ca.pem", authority_.Certificate());
    return std::make_unique<MosquittoServer>("certfile " + folder_.File("server.pem") +
                                                 "\nkeyfile " + folder_.File("server.key") + "\n" +
                                                 more,
                                             false);
  }
  std::string Trust() const { return "enable-tls=1\ntls-cafile=" + folder_.File("ca.pem") + "\n"; }

  TemporaryFolder folder_;
  TestAuthority authority_;
};

TEST_F(MqttTls, MessagesGoBothWays) {
  const auto server = Serve("DNS:localhost,IP:127.0.0.1");
  const std::string port = std::to_string(server->port());
  for (const std::string& address :
       {"localhost;" + port, "127.0.0.1;" + port, "mqtts://localhost:" + port}) {
    for (const std::string protocol : {"5", "3.1.1"}) {
      Connection connection(address, Trust() + "protocol=" + protocol);
      const Status status = connection.Open();
      ASSERT_TRUE(status.ok()) << address << ": " << status.message();
      ASSERT_TRUE(connection.Subscribe({"t"}).ok());
      const std::string large(2'000'000, 'x');
      ASSERT_TRUE(connection.Send("t", large).ok());
      for (int i = 0; i < 200; ++i) ASSERT_TRUE(connection.Send("t", std::to_string(i)).ok());
      ASSERT_TRUE(connection.WaitCompleted(201).ok());
      ASSERT_TRUE(connection.WaitDelivered(201).ok());
      EXPECT_EQ(connection.host.ok, 201u);
      EXPECT_TRUE(connection.host.delivered[0].payload == large);
      EXPECT_EQ(connection.host.delivered[200].payload, "199");
    }
  }
}

TEST_F(MqttTls, ACertificateOfAnUnknownAuthorityIsRefused) {
  const auto server = Serve("IP:127.0.0.1");
  folder_.Write("other.pem", TestAuthority().Certificate());
  for (const std::string& config :
       {std::string("enable-tls=1"), "enable-tls=1\ntls-cafile=" + folder_.File("other.pem")}) {
    const Status status = Connection(server->Address(), config).Open();
    EXPECT_EQ(status.code(), Code::kAuth) << status.message();
    EXPECT_NE(status.message().find("tls-cafile"), std::string::npos) << status.message();
    EXPECT_NE(status.message().find("is refused"), std::string::npos) << status.message();
  }
  EXPECT_TRUE(Connection(server->Address(), "enable-tls=1\ntls-verify=0").Open().ok());
}

TEST_F(MqttTls, TheNameIsVerified) {
  const auto server = Serve("DNS:broker.example");
  const Status status = Connection(server->Address(), Trust()).Open();
  EXPECT_EQ(status.code(), Code::kAuth) << status.message();
  EXPECT_NE(status.message().find("mismatch"), std::string::npos) << status.message();
  EXPECT_TRUE(
      Connection(server->Address(), Trust() + "tls-server-name=broker.example").Open().ok());
  EXPECT_FALSE(Connection(server->Address(), Trust() + "tls-server-name=other").Open().ok());
}

TEST_F(MqttTls, ClientCertificates) {
  const auto server =
      Serve("IP:127.0.0.1", "require_certificate true\ncafile " + folder_.File("ca.pem"));
  const Status without = Connection(server->Address(), Trust()).Open();
  EXPECT_EQ(without.code(), Code::kAuth) << without.message();
  EXPECT_NE(without.message().find("tls-certfile"), std::string::npos) << without.message();
  const auto identity = authority_.Issue("");
  const std::string files = "tls-certfile=" + folder_.Write("client.pem", identity.certificate) +
                            "\ntls-keyfile=" + folder_.Write("client.key", identity.key);
  const Status with = Connection(server->Address(), Trust() + files).Open();
  EXPECT_TRUE(with.ok()) << with.message();
}

TEST_F(MqttTls, APlainServerAndAPlainClientSayWhatIsWrong) {
  MosquittoServer plain;
  folder_.Write("ca.pem", authority_.Certificate());
  const Status asked = Connection(plain.Address(), Trust()).Open(Millis(2000));
  EXPECT_TRUE(asked.retryable()) << asked.message();
  EXPECT_NE(asked.message().find("does that port speak TLS"), std::string::npos) << asked.message();
  const auto server = Serve("IP:127.0.0.1");
  const Status not_asked = Connection(server->Address()).Open(Millis(2000));
  EXPECT_TRUE(not_asked.retryable()) << not_asked.message();
  EXPECT_NE(not_asked.message().find("enable-tls"), std::string::npos) << not_asked.message();
}

TEST_F(MqttTls, AFrozenServerIsBounded) {
  const auto server = Serve("IP:127.0.0.1");
  server->Freeze();
  const auto start = Clock::now();
  const Status status = Connection(server->Address(), Trust()).Open(Millis(500));
  EXPECT_EQ(status.code(), Code::kTimeout) << status.message();
  EXPECT_NE(status.message().find("TLS: the handshake with"), std::string::npos)
      << status.message();
  EXPECT_LT(Clock::now() - start, Millis(10'000));
  server->Thaw();
}

// The server name indication is the name of the connection string, not the address.
TEST_F(MqttTls, TheServerGetsItsName) {
  const auto identity = authority_.Issue("DNS:localhost");
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_server_method()),
                                                             SSL_CTX_free);
  SSL_CTX_use_certificate_chain_file(context.get(),
                                     folder_.Write("server.pem", identity.certificate).c_str());
  SSL_CTX_use_PrivateKey_file(context.get(), folder_.Write("server.key", identity.key).c_str(),
                              SSL_FILETYPE_PEM);
  folder_.Write("ca.pem", authority_.Certificate());
  UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ASSERT_EQ(listen(listener.get(), 5), 0);
  ASSERT_EQ(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  std::string name;
  std::thread server([&] {
    UniqueFd fd(accept(listener.get(), nullptr, nullptr));
    const std::unique_ptr<SSL, void (*)(SSL*)> ssl(SSL_new(context.get()), SSL_free);
    SSL_set_fd(ssl.get(), fd.get());
    if (SSL_accept(ssl.get()) == 1) {
      const char* told = SSL_get_servername(ssl.get(), TLSEXT_NAMETYPE_host_name);
      name = told != nullptr ? told : "";
    }
  });
  const std::string port = std::to_string(ntohs(address.sin_port));
  const Status status =
      Connection("localhost;" + port, Trust() + "protocol=3.1.1").Open(Millis(5000));
  EXPECT_FALSE(status.ok());  // it is not an MQTT server
  server.join();
  EXPECT_EQ(name, "localhost");
}

}  // namespace
}  // namespace dsmsg::mqtt
