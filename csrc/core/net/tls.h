// SPDX-License-Identifier: Apache-2.0
// TLS in one place: what enable-tls and the tls-* options mean, the checks of the files before
// anything is dialled, and the OpenSSL context for the client libraries that take one. Verification
// of chain and host name happens in OpenSSL itself, so that every adaptor names the same causes.
//
// Threads: TlsSettings are values. A TlsVerdict belongs to one connection and is used by the thread
// that makes the handshake; it outlives the SSL_CTX it was given to.
#ifndef DSMSG_CORE_NET_TLS_H_
#define DSMSG_CORE_NET_TLS_H_

#include <memory>
#include <string>

#include "core/base/status.h"
#include "core/net/hints.h"
#include "core/options/config.h"
#include "core/options/conn_string.h"

struct ssl_ctx_st;

namespace dsmsg {

/// "broker.example.com" of "broker.example.com.": the dot is for name servers. Neither certificates
/// nor the server name indication have it (RFC 6066).
std::string WithoutFinalDot(std::string host);

struct TlsSettings {
  bool enabled = false;  // enable-tls=1, or a scheme such as mqtts://
  bool verify = true;
  std::string cafile, capath;     // both empty: the system's trusted certificates
  std::string certfile, keyfile;  // both or none
  std::string key_password;       // secret
  std::string server_name;        // expected in the certificate; empty: the host that is dialled

  /// The name that the certificate of `host` has to carry and that the server is asked for.
  std::string ExpectedName(const std::string& host) const {
    return WithoutFinalDot(server_name.empty() ? host : server_name);
  }
};

/// Reads the options. With TLS on, all files are read and checked (existing, readable, PEM, the key
/// belongs to the certificate, the password opens it); an error names the option and what to do.
/// tls-* options with TLS off are an error too, except after enable-tls=0: a connection that its
/// owner believes to be encrypted must not go out in clear. A warning of tls-verify=0 is left to
/// the caller (kInsecureWarning).
Result<TlsSettings> ReadTlsSettings(const Endpoints& endpoints, const Config& config);

inline constexpr char kInsecureWarning[] =
    "tls-verify=0: the broker's certificate is not checked, so anybody on the network path can "
    "read and change the messages (name the CA with tls-cafile instead)";

/// The text of this thread's newest OpenSSL error; the queue of errors is emptied.
std::string TakeTlsError();

/// Why OpenSSL refused the peer's certificate. Empty: it did not.
class TlsVerdict {
 public:
  void Clear() { error_ = 0; }
  /// An X509_V_ERR_ number.
  void Set(int error) {
    if (error_ == 0) error_ = error;  // the first error is the cause
  }
  bool refused() const { return error_ != 0; }
  std::string reason() const;  // "" when it was not

  /// The error of a failed handshake with `peer` ("host:port"): kAuth with the reason and advice
  /// when a certificate was refused by either side, else kUnavailable. `detail`: what the client
  /// library says, or empty for the thread's OpenSSL error queue, which is emptied. `answered`:
  /// kPartly when TLS messages came in this handshake.
  Status Explain(const std::string& peer, const std::string& detail = {},
                 Answered answered = Answered::kNever) const;

 private:
  int error_ = 0;
};

struct FreeSslContext {
  void operator()(ssl_ctx_st* context) const;
};
using SslContext = std::unique_ptr<ssl_ctx_st, FreeSslContext>;

/// Puts the settings on a client context (TLS 1.2 or newer): trusted certificates, client
/// certificate and key (never asks for a password on a terminal), verification of the chain and of
/// ExpectedName(host), and `verdict` (may be null) told the reason of a refusal. The server name
/// indication belongs to the SSL object and is not set here.
Status ConfigureTls(const TlsSettings& settings, const std::string& host, ssl_ctx_st* context,
                    TlsVerdict* verdict);

/// A new client context, configured.
Result<SslContext> MakeTlsContext(const TlsSettings& settings, const std::string& host,
                                  TlsVerdict* verdict);

}  // namespace dsmsg

#endif  // DSMSG_CORE_NET_TLS_H_
