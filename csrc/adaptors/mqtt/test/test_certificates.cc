// SPDX-License-Identifier: Apache-2.0
#include "adaptors/mqtt/test/test_certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdexcept>

namespace dsmsg::mqtt {
namespace {

template <auto kFree>
struct Free {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Cert = std::unique_ptr<X509, Free<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>>;

void Check(bool good) {
  if (!good) throw std::runtime_error("OpenSSL cannot make a certificate");
}

/// Signed by `issuer`; without one, a self-signed authority.
Cert MakeCert(EVP_PKEY* key, const char* name, const std::string& names, X509* issuer,
              EVP_PKEY* issuer_key) {
  static long serial = 1;
  Cert cert(X509_new());
  X509_set_version(cert.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), serial++);
  X509_gmtime_adj(X509_getm_notBefore(cert.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert.get()), 24L * 3600);
  X509_NAME* subject = X509_get_subject_name(cert.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  X509_set_issuer_name(cert.get(), issuer != nullptr ? X509_get_subject_name(issuer) : subject);
  X509_set_pubkey(cert.get(), key);
  const auto add = [&](int nid, const std::string& value) {
    const Extension extension(X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str()));
    Check(extension && X509_add_ext(cert.get(), extension.get(), -1) == 1);
  };
  add(NID_basic_constraints, issuer != nullptr ? "CA:FALSE" : "critical,CA:TRUE");
  if (!names.empty()) add(NID_subject_alt_name, names);
  Check(X509_sign(cert.get(), issuer_key, EVP_sha256()) > 0);
  return cert;
}

template <class Write>
std::string Pem(Write write) {
  const std::unique_ptr<BIO, Free<BIO_free_all>> memory(BIO_new(BIO_s_mem()));
  Check(write(memory.get()) == 1);
  char* text = nullptr;
  const long length = BIO_get_mem_data(memory.get(), &text);
  return std::string(text, static_cast<size_t>(length));
}

std::string CertPem(X509* cert) {
  return Pem([&](BIO* bio) { return PEM_write_bio_X509(bio, cert); });
}

}  // namespace

struct TestAuthority::Parts {
  Key key{EVP_EC_gen("P-256")};
  Cert cert = MakeCert(key.get(), "test authority", "", nullptr, key.get());
};

TestAuthority::TestAuthority() : parts_(std::make_unique<Parts>()) {}
TestAuthority::~TestAuthority() = default;

std::string TestAuthority::Certificate() const { return CertPem(parts_->cert.get()); }

TestAuthority::Identity TestAuthority::Issue(const std::string& names) const {
  const Key key(EVP_EC_gen("P-256"));
  const Cert cert = MakeCert(key.get(), "test", names, parts_->cert.get(), parts_->key.get());
  return {CertPem(cert.get()), Pem([&](BIO* bio) {
            return PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

}  // namespace dsmsg::mqtt
