// SPDX-License-Identifier: Apache-2.0
#include "adaptors/nats/errors.h"

namespace dsmsg::nats {
namespace {

struct KnownError {
  std::string_view begin;
  Code code;
  std::string_view advice;
};

constexpr KnownError kConnection[] = {
    {"Authorization Violation", Code::kAuth, ""},
    {"Authentication Timeout", Code::kUnavailable, " (is the server overloaded?)"},
    {"User Authentication Expired", Code::kAuth, " (write a new credentials file)"},
    {"Account Authentication Expired", Code::kAuth, " (the account's JWT has expired)"},
    {"User Authentication Revoked", Code::kAuth, ""},
    {"Secure Connection - TLS Required", Code::kAuth, " (set enable-tls=1)"},
    {"maximum connections exceeded", Code::kUnavailable, " (raise max_connections of the server)"},
    {"maximum account active connections exceeded", Code::kUnavailable,
     " (the account's limit of connections is reached)"},
    {"Slow Consumer", Code::kUnavailable,
     " (callbacks are slower than the messages come: read from a stream, jetstream=1)"},
    {"Stale Connection", Code::kUnavailable, ""},
    {"Maximum Payload Violation", Code::kUnavailable,
     " (a message is larger than max_payload of the server)"},
    {"maximum control line exceeded", Code::kUnavailable,
     " (a subject is longer than max_control_line of the server allows)"},
    {"Server Shutdown", Code::kUnavailable, ""},
};

struct KnownNumber {
  int number;
  Code code;
  std::string_view advice;
};

// err_code of JetStream's answers. Others are judged by their code, like those of HTTP.
constexpr KnownNumber kJetStream[] = {
    {10077, Code::kUnavailable,
     " (the stream is full and discards new messages: raise its limits, or read from it; the "
     "message is kept)"},
    {10023, Code::kUnavailable,
     " (JetStream's limits of memory or disk are reached; the message is kept)"},
    {10002, Code::kUnavailable,
     " (the account's JetStream limits are reached; the message is kept)"},
    {10054, Code::kTooLarge, " (max_msg_size of the stream is the limit)"},
    {10060, Code::kRejected, " (the option stream names another one than has the subject)"},
    {10109, Code::kRejected, " (the stream is sealed)"},
    {10039, Code::kNotSupported,
     " (JetStream is not enabled for this account: enable it, or set jetstream=0)"},
    {10076, Code::kNotSupported,
     " (JetStream is not enabled on this server: enable it, or set jetstream=0)"},
    {10059, Code::kUnknownTopic, " (nats stream ls lists the streams)"},
    {10148, Code::kInvalidArgument,
     " (a consumer of that name has other settings: choose another durable, or delete it)"},
};

// What stands between the quotes behind `begin`.
std::string_view Quoted(std::string_view error, std::string_view begin) {
  if (!error.starts_with(begin)) return {};
  const size_t first = error.find('"');
  const size_t last = error.find('"', first + 1);
  if (first == error.npos || last == error.npos) return {};
  return error.substr(first + 1, last - first - 1);
}

}  // namespace

std::string_view ForbiddenPublish(std::string_view error) {
  return Quoted(error, "Permissions Violation for Publish");
}

std::string_view ForbiddenSubscription(std::string_view error) {
  return Quoted(error, "Permissions Violation for Subscription");
}

Status ConnectionError(const std::string& server, std::string_view error) {
  Code code = Code::kUnavailable;
  std::string_view advice;
  for (const KnownError& known : kConnection) {
    if (!error.starts_with(known.begin)) continue;
    code = known.code;
    advice = known.advice;
  }
  return {code, server + " ends the connection: " + std::string(error) + std::string(advice)};
}

Status JetStreamError(int code, int number, std::string_view description) {
  // 400, 403, 404, ...: the request is wrong. 409, 429: not now. 5xx: the server cannot.
  Code meaning = code >= 400 && code < 500 && code != 409 && code != 429 ? Code::kRejected
                                                                         : Code::kUnavailable;
  std::string_view advice;
  for (const KnownNumber& known : kJetStream) {
    if (known.number != number) continue;
    meaning = known.code;
    advice = known.advice;
  }
  return {meaning, std::string(description) + ", JetStream error " + std::to_string(number) +
                       std::string(advice)};
}

}  // namespace dsmsg::nats
