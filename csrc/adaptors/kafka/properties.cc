// SPDX-License-Identifier: Apache-2.0
#include "adaptors/kafka/properties.h"

#include <algorithm>
#include <utility>

namespace dsmsg::kafka {
namespace {

// Shorter secrets would mask half of a text.
constexpr size_t kShortestSecret = 4;
// This much of a longer secret would reveal it.
constexpr size_t kShortestPart = 6;

// librdkafka: 'Configuration property "x" value 7 is outside allowed range 1..3'
std::string AllowedRange(std::string_view reason) {
  constexpr std::string_view kMark = "outside allowed range ";
  const size_t at = reason.find(kMark);
  if (at == reason.npos) return "";
  return " (allowed: " + std::string(reason.substr(at + kMark.size())) + ")";
}

}  // namespace

std::string Canonical(std::string_view name) {
  static constexpr std::pair<std::string_view, std::string_view> kAliases[] = {
      {"request.required.acks", "acks"},
      {"max.in.flight.requests.per.connection", "max.in.flight"},
      {"compression.type", "compression.codec"},
      {"queue.buffering.max.ms", "linger.ms"},
      {"delivery.timeout.ms", "message.timeout.ms"},
      {"metadata.broker.list", "bootstrap.servers"},
      {"retries", "message.send.max.retries"},
      {"sasl.mechanism", "sasl.mechanisms"},
      {"fetch.message.max.bytes", "max.partition.fetch.bytes"},
  };
  for (const auto& [alias, canonical] : kAliases) {
    if (alias == name) return std::string(canonical);
  }
  return std::string(name);
}

bool IsTrue(std::string_view value) {
  std::string lower(value);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return lower == "true" || lower == "1" || lower == "yes" || lower == "t";
}

bool IsSecret(std::string_view name) {
  for (const char* part : {"password", "secret", "token", "pem", "oauthbearer.config"}) {
    if (name.find(part) != name.npos) return true;
  }
  return false;
}

Status CheckAllowed(const std::string& option, const std::string& name, const std::string& value) {
  const std::string canonical = Canonical(name);
  std::string why;
  if (canonical == "delivery.report.only.error" && IsTrue(value)) {
    why = "every message needs its delivery report; leave it out";
  } else if (canonical == "bootstrap.servers") {
    why = "brokers are named in the connection string, for example \"h1:9092,h2:9092\"";
  } else if (canonical == "transactional.id") {
    why = "transactions are not supported; idempotence=1 avoids duplicates from retries";
  } else if (canonical == "log.queue" && IsTrue(value)) {
    why = "log lines go to the adaptor's log; set log-level instead";
  }
  if (why.empty()) return {};
  return {Code::kInvalidArgument, option + ": " + name + " cannot be set: " + why};
}

Status Refused(const std::string& name, const Property& property, rd_kafka_conf_res_t result,
               std::string_view reason) {
  std::string text = property.source.empty() ? "" : property.source + ": ";
  text += "librdkafka " + std::string(rd_kafka_version_str());
  if (result == RD_KAFKA_CONF_UNKNOWN) {
    text += " does not know " + name + ": No such configuration property (is the name right?)";
  } else if (property.source.ends_with("proto-cfg") || IsSecret(name)) {
    text += " refuses the value of " + name + AllowedRange(reason);
  } else {  // one of our options, which is not a secret
    text += " refuses " + name + "=" + property.value + ": " + std::string(reason);
  }
  if (name == "compression.codec") {
    text += " (does this build of librdkafka lack it? compression=none and gzip work everywhere)";
  }
  return {Code::kInvalidArgument, text};
}

void Redactor::Add(std::string_view secret) {
  if (secret.size() >= kShortestSecret) secrets_.emplace_back(secret);
}

std::string Redactor::operator()(std::string_view text) const {
  std::string out(text);
  for (const std::string& secret : secrets_) {
    const size_t part = std::min(secret.size(), kShortestPart);
    for (size_t i = 0; i + part <= text.size(); ++i) {
      if (secret.find(text.substr(i, part)) == secret.npos) continue;
      std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(i), part, '*');
    }
  }
  return out;
}

}  // namespace dsmsg::kafka
