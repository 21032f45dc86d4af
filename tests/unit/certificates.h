// SPDX-License-Identifier: Apache-2.0
// Creates keys and certificates for tests of TLS. Any thread, one at a time.
#ifndef DSMSG_TESTS_UNIT_CERTIFICATES_H_
#define DSMSG_TESTS_UNIT_CERTIFICATES_H_

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstring>
#include <memory>
#include <string>

namespace dsmsg::test {

constexpr long kDay = 24L * 60 * 60;

template <auto kFree>
struct Free {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Cert = std::unique_ptr<X509, Free<X509_free>>;
using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;

inline Key NewKey() { return Key(EVP_EC_gen("P-256")); }

inline void AddExtension(X509* certificate, int nid, const std::string& value) {
  const std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str()));
  ASSERT_EQ(X509_add_ext(certificate, extension.get(), -1), 1);
}

// Signed by `issuer` with `issuer_key`; without an issuer, by itself and as an authority.
inline Cert NewCert(EVP_PKEY* key, const char* name, const std::string& hosts, X509* issuer,
                    EVP_PKEY* issuer_key, long ends = 30 * kDay) {
  static long serial = 1;
  Cert certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60 * kDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), ends);
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  X509_set_issuer_name(certificate.get(),
                       issuer != nullptr ? X509_get_subject_name(issuer) : subject);
  X509_set_pubkey(certificate.get(), key);
  AddExtension(certificate.get(), NID_basic_constraints,
               issuer != nullptr ? "CA:FALSE" : "critical,CA:TRUE");
  if (!hosts.empty()) AddExtension(certificate.get(), NID_subject_alt_name, hosts);
  EXPECT_GT(X509_sign(certificate.get(), issuer_key, EVP_sha256()), 0);
  return certificate;
}

/// As PEM files. `password` encrypts the key.
inline void WriteCert(const std::string& path, X509* certificate) {
  const Bio file(BIO_new_file(path.c_str(), "w"));
  ASSERT_EQ(PEM_write_bio_X509(file.get(), certificate), 1);
}

inline void WriteKey(const std::string& path, EVP_PKEY* key, const char* password = nullptr) {
  const Bio file(BIO_new_file(path.c_str(), "w"));
  const int length = password != nullptr ? static_cast<int>(std::strlen(password)) : 0;
  const EVP_CIPHER* cipher = password != nullptr ? EVP_aes_128_cbc() : nullptr;
  ASSERT_EQ(
      PEM_write_bio_PKCS8PrivateKey(file.get(), key, cipher, password, length, nullptr, nullptr),
      1);
}

}  // namespace dsmsg::test

#endif  // DSMSG_TESTS_UNIT_CERTIFICATES_H_
