// SPDX-License-Identifier: Apache-2.0
#include "core/net/hints.h"

#include <openssl/x509_vfy.h>

namespace dsmsg {
namespace {

using std::string_view;

// KIND stands for Peer::kind. If there is a text for a server that answered before (or in part), it
// takes precedence.
struct Row {
  Situation situation;
  string_view never;
  string_view partly = {};
  string_view before = {};
  string_view plain = {};  // instead of `never` without TLS
};

// The comment above a row says in which step this happens, and what: scripts/error_texts.py makes
// the tables of docs/troubleshooting.md of both.
constexpr Row kRows[] = {
    // Name lookup: The name server knows no such name
    {.situation = Situation::kNameUnknown,
     .never = "check the host name",
     .before = "the name resolved before: was it removed, or is another name server in use?"},
    // Name lookup: The name server does not answer
    {.situation = Situation::kNameServerAway,
     .never = "does this machine reach its name server? the host name may be right"},
    // TCP connection: Connection refused
    {.situation = Situation::kRefused,
     .never = "is the broker running, and is this its port?",
     .before = "it answered before: it has stopped or is restarting"},
    // TCP connection: No answer
    {.situation = Situation::kNoAnswer,
     .never = "is the machine up, or does a firewall drop the packets?",
     .before = "it answered before: is the machine down, or the network cut?"},
    // TCP connection: Network or host unreachable
    {.situation = Situation::kUnreachable,
     .never = "check the network and the address",
     .before = "it answered before: the network to it is down"},
    // TCP connection: The local system forbids it
    {.situation = Situation::kFirewall, .never = "does a local firewall block it?"},
    // TCP connection: No local address
    {.situation = Situation::kNoAddress,
     .never = "does this machine have an address of that kind, IPv4 or IPv6? or are all its local "
              "ports in use?"},

    // TLS handshake: The answer is not TLS
    {.situation = Situation::kTlsNotSpoken,
     .never = "that port does not speak TLS: name the server's TLS port, or set enable-tls=0"},
    // TLS handshake: The connection ended
    {.situation = Situation::kTlsClosed,
     .never = "does that port speak TLS? or is the server starting or stopping?",
     .partly = "it speaks TLS: does it want a client certificate, tls-certfile? its log says why",
     .before = "it answered before: it is restarting or overloaded"},
    // TLS handshake: No answer in time
    {.situation = Situation::kTlsSilent,
     .never = "does that port speak TLS? or is the server frozen?",
     .partly = "it began to answer: it is frozen or overloaded",
     .before = "it answered before: it is frozen or overloaded"},
    // TLS handshake: No common TLS version
    {.situation = Situation::kTlsVersion,
     .never = "the two sides share no TLS version: this side accepts 1.2 and newer"},
    // TLS handshake: The server does not know the name
    {.situation = Situation::kTlsServerName,
     .never = "the server has no certificate for that host name: check conn-str, or set "
              "tls-server-name"},
    // TLS handshake: "handshake failure"
    {.situation = Situation::kTlsNothingCommon,
     .never = "does the broker want a client certificate, tls-certfile and tls-keyfile? otherwise "
              "the two sides share no TLS version or cipher"},
    // TLS handshake: The server refuses our certificate, or we sent none
    {.situation = Situation::kTlsOurCertificate,
     .never = "set tls-certfile and tls-keyfile to a certificate that the broker trusts"},
    // TLS handshake: Any other alert
    {.situation = Situation::kTlsOtherAlert, .never = "the server's log says why"},

    // The server's certificate: Host name or address mismatch
    {.situation = Situation::kCertificateName,
     .never = "it does not contain the host name of conn-str; tls-server-name sets another name to "
              "expect"},
    // The server's certificate: It has expired
    {.situation = Situation::kCertificateExpired,
     .never = "renew it, or the CA's, unless this machine's clock is wrong"},
    // The server's certificate: It is not valid yet
    {.situation = Situation::kCertificateEarly,
     .never = "is this machine's clock right, and the server's?"},
    // The server's certificate: Unknown issuer, self-signed, wrong signature
    {.situation = Situation::kCertificateIssuer,
     .never = "tls-cafile must name the CA that signed it"},
    // The server's certificate: Key or signature too weak
    {.situation = Situation::kCertificateWeak,
     .never = "this machine's OpenSSL requires a stronger key or signature: renew it"},
    // The server's certificate: Not a server certificate
    {.situation = Situation::kCertificatePurpose,
     .never = "it was not issued for a server: give the server another one"},

    // Greeting and login: The answer is TLS
    {.situation = Situation::kAnswerIsTls, .never = "that port speaks TLS: set enable-tls=1"},
    // Greeting and login: Another protocol answers
    {.situation = Situation::kAnswerForeign,
     .never = "it is not KIND: check host and port",
     .before = "it was KIND before: does another program use the port now?"},
    // Greeting and login: The connection ended
    {.situation = Situation::kClosed,
     .never = "is it KIND? or is it still starting, or out of connections?",
     .partly = "it is KIND and answered: it is stopping or restarting, or refuses the login "
               "without giving a reason; its log says why",
     .before = "it answered before: it is restarting or overloaded, or out of connections",
     .plain = "is it KIND? does that port want TLS, enable-tls=1? or is the server still starting, "
              "or out of connections?"},
    // Greeting and login: No answer in time
    {.situation = Situation::kSilent,
     .never = "is it KIND? or is it frozen or overloaded?",
     .partly = "it began to answer: it is frozen or overloaded",
     .before = "it answered before: it is frozen or overloaded",
     .plain = "is it KIND? does that port want TLS, enable-tls=1? or is it frozen or overloaded?"},

    // An open connection: No answer any more
    {.situation = Situation::kStalled, .never = "is the server frozen, or the network cut?"},
};

string_view TextOf(const Row& row, const Peer& peer) {
  if (peer.answered == Answered::kBefore && !row.before.empty()) return row.before;
  if (peer.answered != Answered::kNever && !row.partly.empty()) return row.partly;
  return peer.plain && !row.plain.empty() ? row.plain : row.never;
}

// How other protocols start: four bytes, as many as librdkafka reports. TLS is handled separately.
struct Speaker {
  string_view prefix;
  string_view name;
};

constexpr Speaker kSpeakers[] = {
    {"HTTP", "an HTTP server"},       {"<html", "an HTTP server"}, {"AMQP", "an AMQP broker"},
    {"-ERR", "a Redis server"},       {"-NOA", "a Redis server"},  {"-DEN", "a Redis server"},
    {"+PON", "a Redis server"},       {"INFO", "a NATS server"},   {"SSH-", "an SSH server"},
    {"220 ", "a mail or FTP server"},
};

// An alert or a handshake record of TLS 1.0 to 1.3.
bool IsTls(string_view bytes) {
  return bytes.size() >= 3 && (bytes[0] == '\x15' || bytes[0] == '\x16') && bytes[1] == '\x03' &&
         bytes[2] <= '\x04' && bytes[2] >= '\0';
}

// The greeting of ZeroMQ: ff, eight bytes of length, 7f.
bool IsZmq(string_view bytes) {
  return bytes.size() >= 10 && bytes[0] == '\xff' && bytes[9] == '\x7f';
}

}  // namespace

std::string Hint(Situation situation, const Peer& peer) {
  constexpr string_view kKind = "KIND";
  for (const Row& row : kRows) {
    if (row.situation != situation) continue;
    std::string text(TextOf(row, peer));
    for (size_t at = 0; (at = text.find(kKind, at)) != text.npos; at += peer.kind.size()) {
      text.replace(at, kKind.size(), peer.kind);
    }
    return " (" + text + ")";
  }
  return {};
}

std::string CertificateHint(int x509_error) {
  switch (x509_error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return Hint(Situation::kCertificateName);
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return Hint(Situation::kCertificateExpired);
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return Hint(Situation::kCertificateEarly);
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_INVALID_CA:
      return Hint(Situation::kCertificateIssuer);
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
      return Hint(Situation::kCertificateWeak);
    case X509_V_ERR_INVALID_PURPOSE:
      return Hint(Situation::kCertificatePurpose);
    default:
      return {};
  }
}

std::string ForeignAnswer(string_view bytes, const Peer& peer, string_view otherwise) {
  if (peer.plain && IsTls(bytes)) return "it answers with TLS" + Hint(Situation::kAnswerIsTls);
  const std::string advice = Hint(Situation::kAnswerForeign, peer);
  if (IsZmq(bytes)) return "a ZeroMQ socket answers" + advice;
  for (const Speaker& speaker : kSpeakers) {
    // A protocol that the expected server speaks as well does not mean that it is another server.
    if (bytes.starts_with(speaker.prefix) && speaker.name != peer.kind) {
      return std::string(speaker.name) + " answers" + advice;
    }
  }
  return std::string(otherwise) + advice;
}

}  // namespace dsmsg
