// SPDX-License-Identifier: Apache-2.0
#include "adaptors/kafka/security.h"
#include "core/net/hints.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <memory>

namespace dsmsg::kafka {
namespace {

// Mechanisms that need only a user name and a password.
constexpr std::array<std::string_view, 3> kPasswordMechanisms = {"PLAIN", "SCRAM-SHA-256",
                                                                 "SCRAM-SHA-512"};

std::string Upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return text;
}

Status CheckMechanism(const Security& security) {
  const std::string& mechanism = security.mechanism;
  const auto& known = kPasswordMechanisms;
  if (std::find(known.begin(), known.end(), mechanism) == known.end()) {
    return {Code::kInvalidArgument,
            "sasl-mechanism=" + mechanism +
                ": must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 (configure others, such as GSSAPI "
                "or OAUTHBEARER, with proto-cfg: sasl.mechanisms and the properties they need)"};
  }
  if (security.login.user.empty() || security.login.password.empty()) {
    return {Code::kInvalidArgument, "sasl-mechanism=" + mechanism +
                                        " needs a user name and a password (set USER_KAFKA "
                                        "and PASSWORD_KAFKA in the environment)"};
  }
  return {};
}

bool CarriesName(const char* der, size_t size, const std::string& name) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der);
  const std::unique_ptr<X509, void (*)(X509*)> certificate(
      d2i_X509(nullptr, &bytes, static_cast<long>(size)), X509_free);  // NOLINT(google-runtime-int)
  if (certificate == nullptr) return false;
  unsigned char address[sizeof(in6_addr)];
  const bool is_address = inet_pton(AF_INET, name.c_str(), address) == 1 ||
                          inet_pton(AF_INET6, name.c_str(), address) == 1;
  if (is_address) return X509_check_ip_asc(certificate.get(), name.c_str(), 0) == 1;
  return X509_check_host(certificate.get(), name.data(), name.size(),
                         X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr) == 1;
}

}  // namespace

Result<Security> ReadSecurity(const Endpoints& endpoints, const Config& config) {
  Security security;
  Result<TlsSettings> tls = ReadTlsSettings(endpoints, config);
  if (!tls.ok()) return tls.status();
  security.tls = std::move(tls.value());
  if (!security.tls.cafile.empty() && !security.tls.capath.empty()) {
    return Status(Code::kInvalidArgument,
                  "tls-capath and tls-cafile are both set: librdkafka takes one of them (leave one "
                  "out)");
  }
  security.login = ReadLogin(endpoints, config, "KAFKA");
  security.mechanism = Upper(config.GetString("sasl-mechanism"));
  if (!security.mechanism.empty()) {
    if (Status status = CheckMechanism(security); !status.ok()) return status;
  }
  return security;
}

std::vector<Security::Property> Security::Properties() const {
  std::vector<Property> all;
  const bool sasl = !mechanism.empty();
  const std::string protocol =
      tls.enabled ? (sasl ? "sasl_ssl" : "ssl") : (sasl ? "sasl_plaintext" : "plaintext");
  all.push_back({"security.protocol", protocol, sasl ? "sasl-mechanism" : "enable-tls"});
  if (sasl) all.push_back({"sasl.mechanisms", mechanism, "sasl-mechanism"});
  if (!tls.enabled) return all;
  const auto add = [&all](const char* name, const std::string& value, const char* option) {
    if (!value.empty()) all.push_back({name, value, option});
  };
  add("ssl.ca.location", tls.cafile, "tls-cafile");
  add("ssl.ca.location", tls.capath, "tls-capath");
  add("ssl.certificate.location", tls.certfile, "tls-certfile");
  add("ssl.key.location", tls.keyfile, "tls-keyfile");
  add("ssl.key.password", tls.key_password, "tls-key-password");
  add("enable.ssl.certificate.verification", tls.verify ? "true" : "false", "tls-verify");
  // librdkafka checks only the broker's own host; CertificateCheck handles any other name.
  const bool host = tls.verify && tls.server_name.empty();
  add("ssl.endpoint.identification.algorithm", host ? "https" : "none", "tls-server-name");
  return all;
}

bool ParseProtocol(std::string_view protocol, bool* tls, bool* sasl) {
  const std::string upper = Upper(std::string(protocol));
  *sasl = upper.starts_with("SASL_");
  const std::string transport = *sasl ? upper.substr(5) : upper;
  *tls = transport == "SSL";
  return *tls || transport == "PLAINTEXT";
}

bool CertificateCheck::Judge(const char* broker, int* x509_error, int depth, const char* der,
                             size_t size) {
  if (*x509_error == X509_V_OK && depth == 0 && !server_name_.empty() &&
      !CarriesName(der, size, server_name_)) {
    *x509_error = X509_V_ERR_HOSTNAME_MISMATCH;
  }
  if (*x509_error == X509_V_OK) return true;
  const std::lock_guard lock(mutex_);
  verdict_.Clear();
  verdict_.Set(*x509_error);
  broker_ = broker;
  return false;
}

Status CertificateCheck::Explain(const std::string& brokers, const std::string& text,
                                 Answered answered) const {
  const std::lock_guard lock(mutex_);
  return verdict_.Explain(verdict_.refused() ? broker_ : brokers, text, answered);
}

}  // namespace dsmsg::kafka
