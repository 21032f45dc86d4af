// SPDX-License-Identifier: Apache-2.0
// What a person may try when a server cannot be used: one table of situations and texts for the
// network code, TLS and all adaptors (docs/troubleshooting.md lists it). The caller says which step
// failed and how much this server has answered so far; the table has the advice. So a server that
// worked a moment ago is never suspected of being something else.
//
// Threads: pure functions, any thread.
#ifndef DSMSG_CORE_NET_HINTS_H_
#define DSMSG_CORE_NET_HINTS_H_

#include <string>
#include <string_view>

namespace dsmsg {

/// How much a server has answered.
enum class Answered {
  kNever,
  kPartly,  // on this connection, in an earlier step: it speaks the protocol
  kBefore,  // an earlier connection of this handle to it worked
};

/// The step that failed, and how.
enum class Situation {
  // Name lookup.
  kNameUnknown,     // the name server knows no such name
  kNameServerAway,  // the name server does not answer
  // TCP.
  kRefused,
  kNoAnswer,
  kUnreachable,
  kFirewall,   // this machine forbids it
  kNoAddress,  // this machine has no address for it
  // TLS handshake.
  kTlsNotSpoken,  // the answer is not TLS
  kTlsClosed,     // the connection ended in the handshake
  kTlsSilent,
  kTlsVersion,
  kTlsServerName,     // the server has no certificate for the name that we ask for
  kTlsNothingCommon,  // "handshake failure"
  kTlsOurCertificate,
  kTlsOtherAlert,
  // The server's certificate.
  kCertificateName,
  kCertificateExpired,
  kCertificateEarly,
  kCertificateIssuer,
  kCertificateWeak,
  kCertificatePurpose,
  // The protocol's greeting and the login.
  kAnswerIsTls,    // on a connection without TLS
  kAnswerForeign,  // another protocol
  kClosed,         // the connection ended before the login was done
  kSilent,         // no answer within the time of an attempt
  // An open connection.
  kStalled,  // no answer any more
};

struct Peer {
  std::string_view kind = "a broker";  // "an MQTT server"
  Answered answered = Answered::kNever;
  bool plain = false;  // no TLS, in a protocol whose servers may want it
};

/// " (what to try)", or "" where nothing is known.
std::string Hint(Situation situation, const Peer& peer = {});

/// What a certificate is refused for, an X509_V_ERR_ number, as advice like Hint's.
std::string CertificateHint(int x509_error);

/// Why the first bytes of an answer are not the expected protocol, with advice: "an HTTP server
/// answers (...)", "it answers with TLS (...)". `otherwise`: what to say of unknown bytes.
std::string ForeignAnswer(std::string_view bytes, const Peer& peer, std::string_view otherwise);

}  // namespace dsmsg

#endif  // DSMSG_CORE_NET_HINTS_H_
