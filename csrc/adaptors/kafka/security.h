// SPDX-License-Identifier: Apache-2.0
// TLS and login of the Kafka adaptor: which librdkafka properties the options become, and the check
// of the broker's certificate.
#ifndef DSMSG_ADAPTORS_KAFKA_SECURITY_H_
#define DSMSG_ADAPTORS_KAFKA_SECURITY_H_

#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/status.h"
#include "core/net/hints.h"
#include "core/net/tls.h"
#include "core/options/config.h"
#include "core/options/conn_string.h"
#include "core/options/login.h"

namespace dsmsg::kafka {

/// What the options say. A value.
struct Security {
  TlsSettings tls;
  Login login;
  std::string mechanism;  // upper case; empty: no login, unless proto-cfg names one

  struct Property {
    const char* name;
    std::string value;
    const char* option;  // where it comes from
  };
  /// Everything except the login, which proto-cfg may also request.
  std::vector<Property> Properties() const;
};

/// An error begins with the option's name.
Result<Security> ReadSecurity(const Endpoints& endpoints, const Config& config);

/// Splits a value of security.protocol into its two parts; false: it is not a valid value.
bool ParseProtocol(std::string_view protocol, bool* tls, bool* sasl);

/// Checks certificates inside librdkafka's handshakes and keeps the reason for a refusal, which
/// librdkafka's own errors lack. Any thread.
class CertificateCheck {
 public:
  /// Call it before the first use: the name that certificates must contain instead of the broker's
  /// host. Empty: librdkafka checks the host.
  void Expect(std::string server_name) { server_name_ = std::move(server_name); }

  /// The answer for librdkafka's ssl_cert_verify_cb: false if the certificate is refused, with the
  /// reason in `x509_error`.
  bool Judge(const char* broker, int* x509_error, int depth, const char* der, size_t size);

  /// The error of a failed handshake; `text` is librdkafka's.
  Status Explain(const std::string& brokers, const std::string& text,
                 Answered answered = Answered::kNever) const;

 private:
  std::string server_name_;
  mutable std::mutex mutex_;  // guards the following
  TlsVerdict verdict_;
  std::string broker_;
};

}  // namespace dsmsg::kafka

#endif  // DSMSG_ADAPTORS_KAFKA_SECURITY_H_
