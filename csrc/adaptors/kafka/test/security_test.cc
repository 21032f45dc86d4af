// SPDX-License-Identifier: Apache-2.0
#include "adaptors/kafka/security.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include "adaptors/kafka/settings.h"
#include "unit/certificates.h"

namespace dsmsg::kafka {
namespace {

using Map = std::map<std::string, std::string>;

class KafkaSecurity : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "dsmsg-tls-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    key_ = test::NewKey();
    cert_ =
        test::NewCert(key_.get(), "broker", "DNS:broker.example,IP:127.0.0.1", nullptr, key_.get());
    test::WriteCert(folder_ / "cert.pem", cert_.get());
    test::WriteKey(folder_ / "cert.key", key_.get(), "open sesame");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static Endpoints Broker() {
    Endpoints endpoints;
    endpoints.hosts = {{"h1", 9092}};
    return endpoints;
  }
  // FOLDER in `text` stands for the test's folder.
  Result<Config> Parse(std::string text) const {
    for (size_t at; (at = text.find("FOLDER")) != text.npos;) text.replace(at, 6, folder_.string());
    return Config::Parse("[message-broker]\n" + text, "test.cfg", OptionTable(Options()));
  }
  Map Properties(const std::string& text) const {
    const auto config = Parse(text);
    EXPECT_TRUE(config.ok()) << config.status().message();
    const auto security = ReadSecurity(Broker(), config.value());
    EXPECT_TRUE(security.ok()) << security.status().message();
    Map all;
    if (!security.ok()) return all;
    for (const auto& property : security.value().Properties()) all[property.name] = property.value;
    return all;
  }
  // Of the settings as a whole, conflicts with proto-cfg included.
  std::string Error(const std::string& text) const {
    const auto config = Parse(text);
    if (!config.ok()) return config.status().message();
    static Logger log("KAFKA");
    log.SetLevel(LogLevel::kError);
    const auto settings = KafkaSettings::Make(Broker(), config.value(), log);
    return settings.ok() ? "" : settings.status().message();
  }

  // A property of the producer as librdkafka gets it; what was logged is in log_.
  std::string Final(const std::string& text, const char* name) {
    const auto config = Parse(text);
    EXPECT_TRUE(config.ok()) << config.status().message();
    Logger log("KAFKA");
    testing::internal::CaptureStderr();
    const auto settings = KafkaSettings::Make(Broker(), config.value(), log);
    log_ = testing::internal::GetCapturedStderr();
    EXPECT_TRUE(settings.ok()) << settings.status().message();
    if (!settings.ok()) return "";
    char value[64] = "";
    size_t size = sizeof value;
    const ConfPtr conf = settings.value().NewConf(Role::kProducer);
    EXPECT_EQ(rd_kafka_conf_get(conf.get(), name, value, &size), RD_KAFKA_CONF_OK);
    return value;
  }

  std::string log_;
  std::filesystem::path folder_;
  test::Key key_;
  test::Cert cert_;
};

bool Has(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

TEST_F(KafkaSecurity, ProtocolFollowsTlsAndLogin) {
  const std::string login = "sasl-mechanism=plain\nusername=u\npassword=p\n";
  EXPECT_EQ(Properties("")["security.protocol"], "plaintext");
  EXPECT_EQ(Properties("enable-tls=1\n")["security.protocol"], "ssl");
  EXPECT_EQ(Properties(login)["security.protocol"], "sasl_plaintext");
  Map both = Properties(login + "enable-tls=1\n");
  EXPECT_EQ(both["security.protocol"], "sasl_ssl");
  EXPECT_EQ(both["sasl.mechanisms"], "PLAIN");
}

TEST_F(KafkaSecurity, TlsOptionsBecomeProperties) {
  Map all = Properties(
      "enable-tls=1\ntls-cafile=FOLDER/cert.pem\ntls-certfile=FOLDER/cert.pem\n"
      "tls-keyfile=FOLDER/cert.key\ntls-key-password=open sesame\n");
  EXPECT_EQ(all["ssl.ca.location"], folder_ / "cert.pem");
  EXPECT_EQ(all["ssl.certificate.location"], folder_ / "cert.pem");
  EXPECT_EQ(all["ssl.key.location"], folder_ / "cert.key");
  EXPECT_EQ(all["ssl.key.password"], "open sesame");
  EXPECT_EQ(all["enable.ssl.certificate.verification"], "true");
  EXPECT_EQ(all["ssl.endpoint.identification.algorithm"], "https");
  EXPECT_EQ(Properties("enable-tls=1\ntls-capath=FOLDER\n")["ssl.ca.location"], folder_);
  // Then the name is CertificateCheck's.
  all = Properties("enable-tls=1\ntls-server-name=broker.example\n");
  EXPECT_EQ(all["enable.ssl.certificate.verification"], "true");
  EXPECT_EQ(all["ssl.endpoint.identification.algorithm"], "none");
  all = Properties("enable-tls=1\ntls-verify=0\n");
  EXPECT_EQ(all["enable.ssl.certificate.verification"], "false");
}

TEST_F(KafkaSecurity, RefusalsSayWhatToDo) {
  EXPECT_TRUE(Has(Error("sasl-mechanism=KERBEROS\n"), "must be PLAIN"));
  EXPECT_TRUE(Has(Error("sasl-mechanism=PLAIN\nusername=u\n"), "PASSWORD_KAFKA"));
  EXPECT_TRUE(Has(Error("enable-tls=1\ntls-cafile=FOLDER/cert.pem\ntls-capath=FOLDER\n"),
                  "takes one of them"));
  EXPECT_TRUE(
      Error("tls-cafile=FOLDER/cert.pem\n").starts_with("tls-cafile is set but TLS is off"));
}

TEST_F(KafkaSecurity, ConflictsWithProtoCfgAreErrors) {
  const std::string tls = "enable-tls=1\ntls-cafile=FOLDER/cert.pem\n";
  const std::string login = "sasl-mechanism=PLAIN\nusername=u\npassword=hush\n";
  EXPECT_TRUE(
      Has(Error(tls + "proto-cfg=security.protocol=plaintext\n"), "contradicts enable-tls"));
  EXPECT_TRUE(Has(Error("enable-tls=0\nproto-cfg=security.protocol=SSL\n"), "security.protocol"));
  EXPECT_TRUE(Has(Error(tls + "proto-cfg=ssl.ca.location=/etc/ssl\n"), "contradicts tls-cafile"));
  EXPECT_TRUE(Has(Error(login + "proto-cfg=security.protocol=ssl\n"), "security.protocol"));
  EXPECT_TRUE(
      Has(Error(login + "proto-cfg=sasl.mechanism=SCRAM-SHA-256\n"), "contradicts sasl-mechanism"));
  const std::string password = Error(login + "proto-cfg=sasl.password=other\n");
  EXPECT_TRUE(Has(password, "sasl.password contradicts password")) << password;
  EXPECT_FALSE(Has(password, "hush") || Has(password, "other")) << password;
}

TEST_F(KafkaSecurity, ProtoCfgMaySetWhatNoOptionSets) {
  EXPECT_EQ(Error("proto-cfg=\"security.protocol=ssl;ssl.ca.location=FOLDER/cert.pem\"\n"), "");
  EXPECT_EQ(Error("username=u\npassword=p\nproto-cfg=\"security.protocol=sasl_ssl;"
                  "sasl.mechanism=PLAIN\"\n"),
            "");
  EXPECT_EQ(Error("enable-tls=1\nproto-cfg=\"security.protocol=ssl\"\n"), "") << "both agree";
  EXPECT_EQ(Error("enable-tls=1\nproto-cfg=\"ssl.cipher.suites=HIGH\"\n"), "");
}

// Before 2.0 librdkafka's default is to take any certificate of a known CA for any host.
TEST_F(KafkaSecurity, TlsOfProtoCfgVerifiesTheHostToo) {
  constexpr char kAlgorithm[] = "ssl.endpoint.identification.algorithm";
  EXPECT_EQ(Final("proto-cfg=security.protocol=ssl\n", kAlgorithm), "https");
  EXPECT_EQ(Final("proto-cfg=\"security.protocol=SASL_SSL;sasl.mechanism=PLAIN\"\nusername=u\n"
                  "password=p\n",
                  kAlgorithm),
            "https");
  EXPECT_EQ(Final("producer-proto-cfg=security.protocol=ssl\n", kAlgorithm), "https");
  EXPECT_EQ(Final("enable-tls=1\n", kAlgorithm), "https");
  EXPECT_EQ(log_, "");
  const std::string chosen = "proto-cfg=\"security.protocol=ssl;" + std::string(kAlgorithm) + "=";
  EXPECT_EQ(Final(chosen + "https\"\n", kAlgorithm), "https");
  EXPECT_EQ(log_, "");
  EXPECT_EQ(Final(chosen + "none\"\n", kAlgorithm), "none");
  EXPECT_TRUE(Has(log_, "proto-cfg: ssl.endpoint.identification.algorithm=none")) << log_;
  // The name is CertificateCheck's then.
  EXPECT_EQ(Final("enable-tls=1\ntls-server-name=broker.example\n", kAlgorithm), "none");
  EXPECT_EQ(log_, "");
}

TEST_F(KafkaSecurity, SwitchingVerificationOffWarns) {
  constexpr char kVerify[] = "enable.ssl.certificate.verification";
  EXPECT_EQ(Final("enable-tls=1\ntls-verify=0\n", kVerify), "false");
  EXPECT_TRUE(Has(log_, "tls-verify=0")) << log_;
  for (const std::string tls :
       {"enable-tls=1\nproto-cfg=\"", "proto-cfg=\"security.protocol=ssl;"}) {
    EXPECT_EQ(Final(tls + kVerify + "=false\"\n", kVerify), "false");
    EXPECT_TRUE(Has(log_, "proto-cfg: enable.ssl.certificate.verification is off")) << log_;
  }
  EXPECT_EQ(Final("proto-cfg=\"" + std::string(kVerify) + "=false\"\n", kVerify), "false");
  EXPECT_EQ(log_, "") << "there is no TLS to verify";
}

TEST_F(KafkaSecurity, CertificateChecks) {
  unsigned char* der = nullptr;
  const int size = i2d_X509(cert_.get(), &der);
  const std::string bytes(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  const auto judge = [&](CertificateCheck& check, int error, int depth) {
    const bool taken = check.Judge("h1:9093", &error, depth, bytes.data(), bytes.size());
    EXPECT_EQ(taken, error == X509_V_OK);
    return taken;
  };
  CertificateCheck host;  // the name is librdkafka's to check
  EXPECT_TRUE(judge(host, X509_V_OK, 0));
  EXPECT_EQ(host.Explain("h1:9093", "unexpected eof").code(), Code::kUnavailable);
  EXPECT_FALSE(judge(host, X509_V_ERR_CERT_HAS_EXPIRED, 1));
  const Status expired = host.Explain("h1:9092,h2:9092", "certificate verify failed");
  EXPECT_EQ(expired.code(), Code::kAuth);
  EXPECT_TRUE(Has(expired.message(), "h1:9093") && Has(expired.message(), "expired"))
      << expired.message();

  for (const char* name : {"broker.example", "127.0.0.1"}) {
    CertificateCheck check;
    check.Expect(name);
    EXPECT_TRUE(judge(check, X509_V_OK, 0)) << name;
  }
  for (const char* name : {"elsewhere.example", "example", "127.0.0.2"}) {
    CertificateCheck check;
    check.Expect(name);
    EXPECT_TRUE(judge(check, X509_V_OK, 1)) << "an authority has no host name";
    EXPECT_FALSE(judge(check, X509_V_OK, 0)) << name;
    EXPECT_TRUE(Has(check.Explain("h1:9093", "").message(), "mismatch")) << name;
  }
}

}  // namespace
}  // namespace dsmsg::kafka
