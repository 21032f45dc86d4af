// SPDX-License-Identifier: Apache-2.0
// Creates keys and certificates for tests. Throws if OpenSSL fails.
#ifndef DSMSG_ADAPTORS_MQTT_TEST_TEST_CERTIFICATES_H_
#define DSMSG_ADAPTORS_MQTT_TEST_TEST_CERTIFICATES_H_

#include <memory>
#include <string>

namespace dsmsg::mqtt {

class TestAuthority {
 public:
  /// Its certificate in PEM form.
  TestAuthority();
  ~TestAuthority();
  std::string Certificate() const;

  struct Identity {
    std::string certificate, key;  // PEM
  };
  /// `names`: as in a configuration of OpenSSL, "DNS:localhost,IP:127.0.0.1".
  Identity Issue(const std::string& names) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace dsmsg::mqtt

#endif  // DSMSG_ADAPTORS_MQTT_TEST_TEST_CERTIFICATES_H_
