// SPDX-License-Identifier: Apache-2.0
#include "core/net/tls.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <utility>

#include "unit/certificates.h"

namespace dsmsg {
namespace {

using test::Cert;
using test::Free;
using test::kDay;
using test::Key;
using test::NewCert;
using test::NewKey;
using Ssl = std::unique_ptr<SSL, Free<SSL_free>>;

class TlsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "dsmsg-tls-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    ca_key_ = NewKey();
    ca_ = NewCert(ca_key_.get(), "authority", "", nullptr, ca_key_.get());
    WriteCert("ca.pem", ca_.get());
    client_key_ = NewKey();
    client_ = NewCert(client_key_.get(), "client", "", ca_.get(), ca_key_.get());
    WriteCert("client.pem", client_.get());
    WriteKey("client.key", client_key_.get());
    WriteKey("locked.key", client_key_.get(), "open sesame");
    WriteKey("other.key", NewKey().get());
    std::ofstream(File("text")) << "no certificate\n";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string File(const std::string& name) const { return folder_ / name; }

  void WriteCert(const std::string& name, X509* certificate) const {
    test::WriteCert(File(name), certificate);
  }
  void WriteKey(const std::string& name, EVP_PKEY* key, const char* password = nullptr) const {
    test::WriteKey(File(name), key, password);
  }

  // FOLDER in `text` is replaced by the test's folder.
  Result<TlsSettings> Read(std::string text, bool scheme = false) const {
    for (size_t at; (at = text.find("FOLDER")) != text.npos;) text.replace(at, 6, folder_.string());
    const auto config = Config::Parse("[message-broker]\n" + text, "test.cfg", OptionTable({}));
    if (!config.ok()) return config.status();
    Endpoints endpoints;
    endpoints.hosts = {{"localhost", 1}};
    endpoints.tls = scheme;
    return ReadTlsSettings(endpoints, config.value());
  }
  std::string Error(const std::string& text, bool scheme = false) const {
    const Result<TlsSettings> settings = Read(text, scheme);
    EXPECT_FALSE(settings.ok());
    EXPECT_EQ(settings.status().code(), Code::kInvalidArgument);
    EXPECT_EQ(ERR_peek_error(), 0U) << "OpenSSL's queue of errors must be left empty";
    return settings.ok() ? "" : settings.status().message();
  }

  // A handshake in memory with a server that presents `certificate`; the client's verdict.
  std::string Handshake(const TlsSettings& settings, const std::string& host, X509* certificate,
                        EVP_PKEY* key, Status* explained = nullptr) const {
    TlsVerdict verdict;
    const Result<SslContext> client_context = MakeTlsContext(settings, host, &verdict);
    EXPECT_TRUE(client_context.ok()) << client_context.status().message();
    if (!client_context.ok()) return "no context";
    const SslContext server_context(SSL_CTX_new(TLS_server_method()));
    SSL_CTX_use_certificate(server_context.get(), certificate);
    SSL_CTX_use_PrivateKey(server_context.get(), key);
    const Ssl client(SSL_new(client_context.value().get())), server(SSL_new(server_context.get()));
    BIO *client_end = nullptr, *server_end = nullptr;
    BIO_new_bio_pair(&client_end, 0, &server_end, 0);
    SSL_set_bio(client.get(), client_end, client_end);
    SSL_set_bio(server.get(), server_end, server_end);
    SSL_set_connect_state(client.get());
    SSL_set_accept_state(server.get());
    int result = 0;
    for (int step = 0; step < 10 && result != 1; ++step) {
      ERR_clear_error();
      result = SSL_do_handshake(client.get());
      if (result != 1 && SSL_get_error(client.get(), result) == SSL_ERROR_SSL) break;
      SSL_do_handshake(server.get());
    }
    if (result == 1) return "ok";
    if (explained != nullptr) *explained = verdict.Explain(host + ":1");
    ERR_clear_error();
    return verdict.reason();
  }

  std::filesystem::path folder_;
  Key ca_key_, client_key_;
  Cert ca_, client_;
};

bool Has(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

TEST_F(TlsTest, OffByDefault) {
  const auto settings = Read("");
  ASSERT_TRUE(settings.ok()) << settings.status().message();
  EXPECT_FALSE(settings.value().enabled);
}

TEST_F(TlsTest, OnByOptionAndByScheme) {
  const auto by_option = Read("enable-tls=1\ntls-cafile=FOLDER/ca.pem\ntls-server-name=broker\n");
  ASSERT_TRUE(by_option.ok()) << by_option.status().message();
  EXPECT_TRUE(by_option.value().enabled);
  EXPECT_TRUE(by_option.value().verify);
  EXPECT_EQ(by_option.value().ExpectedName("host"), "broker");
  const auto with_dot = Read("enable-tls=1\ntls-server-name=broker.example.\n");
  ASSERT_TRUE(with_dot.ok()) << with_dot.status().message();
  EXPECT_EQ(with_dot.value().server_name, "broker.example");
  const auto by_scheme = Read("tls-verify=0\n", true);
  ASSERT_TRUE(by_scheme.ok()) << by_scheme.status().message();
  EXPECT_TRUE(by_scheme.value().enabled);
  EXPECT_FALSE(by_scheme.value().verify);
  EXPECT_EQ(by_scheme.value().ExpectedName("host"), "host");
}

TEST_F(TlsTest, ClientCertificates) {
  const std::string base =
      "enable-tls=1\ntls-cafile=FOLDER/ca.pem\ntls-certfile=FOLDER/client.pem\n";
  const auto plain = Read(base + "tls-keyfile=FOLDER/client.key\n");
  EXPECT_TRUE(plain.ok()) << plain.status().message();
  const auto locked = Read(base + "tls-keyfile=FOLDER/locked.key\ntls-key-password=open sesame\n");
  EXPECT_TRUE(locked.ok()) << locked.status().message();
}

TEST_F(TlsTest, SettingsThatContradict) {
  EXPECT_TRUE(Has(Error("enable-tls=0\n", true), "enable-tls=0"));
  for (const char* option :
       {"tls-cafile=FOLDER/ca.pem", "tls-capath=FOLDER", "tls-certfile=FOLDER/client.pem",
        "tls-keyfile=FOLDER/client.key", "tls-server-name=x", "tls-key-password=hush"}) {
    const std::string text = option;
    const std::string error = Error(text + "\n");
    EXPECT_TRUE(error.starts_with(text.substr(0, text.find('=')))) << error;
    EXPECT_TRUE(Has(error, "enable-tls=1")) << error;
    EXPECT_FALSE(Has(error, "hush")) << error;
  }
  EXPECT_TRUE(Error("enable-tls=1\ntls-certfile=FOLDER/client.pem\n")
                  .starts_with("tls-certfile is set without tls-keyfile"));
  EXPECT_TRUE(Error("enable-tls=1\ntls-keyfile=FOLDER/client.key\n")
                  .starts_with("tls-keyfile is set without tls-certfile"));
}

TEST_F(TlsTest, OffByOptionIgnoresTheOthers) {
  constexpr char kText[] = "enable-tls=0\ntls-cafile=/none/ca.pem\ntls-key-password=hush\n";
  const auto settings = Read(kText);
  ASSERT_TRUE(settings.ok()) << settings.status().message();
  EXPECT_FALSE(settings.value().enabled);
  EXPECT_TRUE(Has(Error(kText, true), "enable-tls=0 forbids it")) << "a URL with TLS";
}

TEST_F(TlsTest, FilesThatAreNotThere) {
  for (const char* option : {"tls-cafile", "tls-capath"}) {
    const std::string error = Error(std::string("enable-tls=1\n") + option + "=FOLDER/none\n");
    EXPECT_TRUE(error.starts_with(std::string(option) + "=" + folder_.string() + "/none")) << error;
    EXPECT_TRUE(Has(error, "No such file")) << error;
  }
  const std::string cert =
      Error("enable-tls=1\ntls-certfile=FOLDER/none\ntls-keyfile=FOLDER/client.key\n");
  EXPECT_TRUE(cert.starts_with("tls-certfile=") && Has(cert, "No such file")) << cert;
  const std::string key =
      Error("enable-tls=1\ntls-certfile=FOLDER/client.pem\ntls-keyfile=FOLDER/none\n");
  EXPECT_TRUE(key.starts_with("tls-keyfile=") && Has(key, "No such file")) << key;
}

TEST_F(TlsTest, FilesOfTheWrongKind) {
  const std::string ca = Error("enable-tls=1\ntls-cafile=FOLDER/text\n");
  EXPECT_TRUE(ca.starts_with("tls-cafile=") && Has(ca, "no certificate in PEM form")) << ca;
  const std::string folder = Error("enable-tls=1\ntls-cafile=FOLDER\n");
  EXPECT_TRUE(folder.starts_with("tls-cafile=") && Has(folder, "is a directory")) << folder;
  const std::string file = Error("enable-tls=1\ntls-capath=FOLDER/ca.pem\n");
  EXPECT_TRUE(file.starts_with("tls-capath=") && Has(file, "is not a directory")) << file;
  const std::string cert =
      Error("enable-tls=1\ntls-certfile=FOLDER/text\ntls-keyfile=FOLDER/client.key\n");
  EXPECT_TRUE(cert.starts_with("tls-certfile=") && Has(cert, "no certificate in PEM form")) << cert;
  const std::string key =
      Error("enable-tls=1\ntls-certfile=FOLDER/client.pem\ntls-keyfile=FOLDER/text\n");
  EXPECT_TRUE(key.starts_with("tls-keyfile=") && Has(key, "not a private key in PEM form")) << key;
}

TEST_F(TlsTest, KeysThatDoNotFit) {
  WriteKey("rsa.key", Key(EVP_RSA_gen(2048)).get());
  for (const char* name : {"other.key", "rsa.key"}) {
    const std::string error =
        Error(std::string("enable-tls=1\ntls-certfile=FOLDER/client.pem\ntls-keyfile=FOLDER/") +
              name + "\n");
    EXPECT_TRUE(error.starts_with("tls-keyfile=") && Has(error, "does not belong to")) << error;
  }
}

TEST_F(TlsTest, KeyPasswords) {
  const std::string base =
      "enable-tls=1\ntls-certfile=FOLDER/client.pem\ntls-keyfile=FOLDER/locked.key\n";
  const std::string none = Error(base);
  EXPECT_TRUE(none.starts_with("tls-keyfile=") && Has(none, "set tls-key-password")) << none;
  const std::string wrong = Error(base + "tls-key-password=hush\n");
  EXPECT_TRUE(wrong.starts_with("tls-key-password") && Has(wrong, "does not open")) << wrong;
  EXPECT_FALSE(Has(wrong, "hush")) << wrong;
}

TEST_F(TlsTest, VerdictsNameTheCause) {
  TlsSettings settings;
  settings.enabled = true;
  settings.cafile = File("ca.pem");
  const Key key = NewKey();
  const auto issue = [&](const std::string& hosts, long ends = 30 * kDay) {
    return NewCert(key.get(), "server", hosts, ca_.get(), ca_key_.get(), ends);
  };
  const Cert good = issue("DNS:localhost,IP:127.0.0.1");
  EXPECT_EQ(Handshake(settings, "localhost", good.get(), key.get()), "ok");
  EXPECT_EQ(Handshake(settings, "127.0.0.1", good.get(), key.get()), "ok");
  EXPECT_EQ(Handshake(settings, "localhost.", good.get(), key.get()), "ok");

  Status status;
  EXPECT_TRUE(Has(Handshake(settings, "elsewhere", good.get(), key.get(), &status), "mismatch"));
  EXPECT_EQ(status.code(), Code::kAuth);
  EXPECT_TRUE(Has(status.message(), "elsewhere:1") && Has(status.message(), "tls-server-name"))
      << status.message();
  EXPECT_TRUE(Has(Handshake(settings, "127.0.0.2", good.get(), key.get()), "mismatch"));
  settings.server_name = "localhost";
  EXPECT_EQ(Handshake(settings, "elsewhere", good.get(), key.get()), "ok");

  const Cert expired = issue("DNS:localhost", -kDay);
  EXPECT_TRUE(Has(Handshake(settings, "localhost", expired.get(), key.get(), &status), "expired"));
  EXPECT_TRUE(Has(status.message(), "renew it")) << status.message();

  const Key other_key = NewKey();
  const Cert other_ca = NewCert(other_key.get(), "other", "", nullptr, other_key.get());
  const Cert foreign =
      NewCert(key.get(), "server", "DNS:localhost", other_ca.get(), other_key.get());
  EXPECT_TRUE(Has(Handshake(settings, "localhost", foreign.get(), key.get(), &status), "issuer"));
  EXPECT_TRUE(Has(status.message(), "tls-cafile")) << status.message();
  settings.verify = false;
  EXPECT_EQ(Handshake(settings, "elsewhere", foreign.get(), key.get()), "ok");
}

TEST_F(TlsTest, ServerNamesAreChecked) {
  const std::string error = Error("enable-tls=1\ntls-server-name=two words\n");
  EXPECT_TRUE(error.starts_with("tls-server-name")) << error;
}

TEST_F(TlsTest, AlertsOfTheBroker) {
  const TlsVerdict none;
  const Status about_us = none.Explain("h:1", "tlsv13 alert certificate required");
  EXPECT_EQ(about_us.code(), Code::kAuth);
  EXPECT_TRUE(Has(about_us.message(), "tls-certfile")) << about_us.message();
  EXPECT_EQ(none.Explain("h:1", "tlsv1 alert unknown ca").code(), Code::kAuth);
  EXPECT_EQ(none.Explain("h:1", "sslv3 alert handshake failure").code(), Code::kAuth);
  const Status no_tls = none.Explain("h:1", "wrong version number");
  EXPECT_EQ(no_tls.code(), Code::kUnavailable);
  EXPECT_TRUE(Has(no_tls.message(), "does not speak TLS")) << no_tls.message();
}

TEST_F(TlsTest, TheFirstReasonCounts) {
  TlsVerdict verdict;
  verdict.Set(X509_V_ERR_CERT_HAS_EXPIRED);
  verdict.Set(X509_V_ERR_HOSTNAME_MISMATCH);
  EXPECT_NE(verdict.reason().find("expired"), std::string::npos) << verdict.reason();
  verdict.Clear();
  verdict.Set(X509_V_ERR_HOSTNAME_MISMATCH);
  EXPECT_NE(verdict.reason().find("mismatch"), std::string::npos) << verdict.reason();
}

}  // namespace
}  // namespace dsmsg
