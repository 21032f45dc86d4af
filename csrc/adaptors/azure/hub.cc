// SPDX-License-Identifier: Apache-2.0
#include "adaptors/azure/hub.h"

#include <mosquitto.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "adaptors/azure/token.h"
#include "core/base/encoding.h"

namespace dsmsg::azure {
namespace {

// In the hub's order.
constexpr std::array<std::string_view, 8> kSystem = {Hub::kOutput, "$.mid", "$.cid",  "$.uid",
                                                     "$.ct",       "$.ce",  "$.ifid", "$.exp"};
constexpr std::string_view kMethods = "$iothub/methods/POST/", kTwin = "$iothub/twin/";
// Before a token ends by the hub's clock, which may be minutes ahead of ours.
constexpr std::chrono::seconds kEarly{600};

/// System properties come first, in their order, then others by name.
std::pair<size_t, std::string_view> Rank(std::string_view name) {
  return {std::ranges::find(kSystem, name) - kSystem.begin(), name};
}

int64_t UnixSeconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

/// Removes the text before the first `end`, or all, from *rest.
std::string_view Take(std::string_view* rest, char end) {
  const std::string_view part = rest->substr(0, rest->find(end));
  rest->remove_prefix(std::min(part.size() + 1, rest->size()));
  return part;
}

std::string Decoded(std::string_view text) {
  return PercentDecoded(text).value_or(std::string(text));
}

}  // namespace

bool Hub::IsSystemName(std::string_view name) { return Rank(name).first < kSystem.size(); }

Hub::Hub(HubSettings settings, Logger& log)
    : settings_(std::move(settings)),
      log_(log),
      inbox_(settings_.identity.path() +
             (settings_.identity.module.empty() ? "/messages/devicebound/" : "/inputs/")) {
  if (!settings_.identity.module.empty()) settings_.topic_property = kOutput;
}

// ---------------------------------------------------------------- login

Result<Login> Hub::NewLogin(Deadline deadline, int cancel_fd) {
  const Identity& identity = settings_.identity;
  renew_at_ = Clock::time_point::max();
  if (Status status = FetchTrustBundle(deadline, cancel_fd); !status.ok()) return status;
  const int64_t now = UnixSeconds();
  if (ExpiryOf(identity.token).value_or(INT64_MAX) <= now) {
    return Status(Code::kAuth,
                  "the SharedAccessSignature has expired (give another, or a SharedAccessKey, from "
                  "which tokens are made as they are needed)");
  }
  if (identity.x509 || !identity.token.empty()) return Login{settings_.user_name, identity.token};
  const auto made = Clock::now();
  Result<std::string> token =
      MakeToken(identity, now + settings_.token_life.count(), deadline, cancel_fd);
  if (!token.ok()) return token.status();
  renew_at_ = made + settings_.token_life - std::min(kEarly, settings_.token_life / 4);
  return Login{settings_.user_name, std::move(token.value())};
}

Status Hub::FetchTrustBundle(Deadline deadline, int cancel_fd) {
  if (!settings_.trust_bundle.valid() || trusted_) return {};
  const Result<std::string> bundle = TrustBundle(settings_.identity, deadline, cancel_fd);
  if (!bundle.ok()) return bundle.status();
  const std::string& pem = bundle.value();
  const ssize_t size = pwrite(settings_.trust_bundle.get(), pem.data(), pem.size(), 0);
  trusted_ = size == static_cast<ssize_t>(pem.size());
  return trusted_ ? Status()
                  : Status(Code::kInternal,
                           std::string("cannot keep the trust bundle: ") + std::strerror(errno));
}

std::string Hub::LoginAdvice() const {
  if (settings_.identity.x509) {
    return " (is this certificate, or its authority, registered for the device, and the device "
           "enabled?)";
  }
  return " (check HostName, DeviceId and the key in the connection string, whether the device is "
         "enabled, and this machine's clock: " +
         std::to_string(UnixSeconds()) + " seconds since 1970 now)";
}

std::string Hub::ShortLifeAdvice() const {
  return " (does another program use the identity " + settings_.identity.client_id() +
         "? A hub ends the older of two connections. Else: has the hub's daily quota been used up, "
         "or are messages too many for its units?)";
}

// ---------------------------------------------------------------- sending

void Hub::Put(std::string_view name, std::string_view value) {
  const auto rank = [](const auto& property) { return Rank(property.first); };
  const auto place = std::ranges::lower_bound(properties_, Rank(name), {}, rank);
  if (place != properties_.end() && place->first == name) {
    place->second = value;
  } else {
    properties_.emplace(place, name, value);
  }
}

Result<const char*> Hub::WireTopic(const Message& message) {
  properties_.clear();
  for (const auto& [name, value] : settings_.properties) Put(name, value);
  if (!settings_.topic_property.empty() && !message.topic.empty()) {
    Put(settings_.topic_property, message.topic);
  }
  for (const auto& [name, value] : message.headers) Put(name, value);

  wire_ = settings_.identity.path() + "/messages/events/";
  const size_t bare = wire_.size();
  for (const auto& [name, value] : properties_) {
    if (value.empty() && IsSystemName(name)) continue;
    if (wire_.size() > bare) wire_ += '&';
    AppendPercentEncoded(name, {}, &wire_);
    wire_ += '=';
    AppendPercentEncoded(value, {}, &wire_);
  }
  const size_t size = wire_.size() + message.payload.size();
  if (size > kMostBytes || wire_.size() > 65535) {
    return Status(Code::kTooLarge, "a message of " + std::to_string(message.payload.size()) +
                                       " bytes with " + std::to_string(wire_.size()) +
                                       " bytes of topic and properties: IoT Hub takes 256 KB "
                                       "together, 65535 bytes of them topic");
  }
  return wire_.c_str();
}

// ---------------------------------------------------------------- receiving

bool Hub::Matches(const std::string& topic, const std::string& received) const {
  return settings_.topic_property.empty() || topic == received || topic == "#";
}

std::span<const char* const> Hub::Requests() const {
  static constexpr const char* kFilters[] = {"$iothub/methods/POST/#",
                                             "$iothub/twin/PATCH/properties/desired/#"};
  return kFilters;
}

bool Hub::Read(const mosquitto_message& message, mosquitto* client, InMessage* out) {
  std::string_view topic = message.topic;
  if (topic.starts_with(kMethods) || topic.starts_with(kTwin)) {
    Refuse(topic, client);
    return false;
  }
  if (!topic.starts_with(inbox_)) return false;
  topic.remove_prefix(inbox_.size());
  const bool module = !settings_.identity.module.empty();
  out->topic = module ? Decoded(Take(&topic, '/')) : kDeviceTopic;
  while (!topic.empty()) {
    std::string_view value = Take(&topic, '&');
    std::string name = Decoded(Take(&value, '='));
    if (name.empty() || name == "$.to") continue;
    if (name == "$.mid") out->id = Decoded(value);
    if (!module && name == settings_.topic_property) out->topic = Decoded(value);
    out->headers.emplace_back(std::move(name), Decoded(value));
  }
  return true;
}

// The service waits for an answer to a direct method, not to desired properties.
void Hub::Refuse(std::string_view request, mosquitto* client) {
  const bool method = request.starts_with(kMethods);
  log_.Limited(LogLevel::kWarn, method ? "method" : "twin",
               method ? "a direct method was called, and answered with status 501: this adaptor "
                        "only sends and receives messages"
                      : "desired properties of the device twin were changed, which this adaptor "
                        "does not support");
  const size_t id = request.find("?$rid=");
  if (!method || id == request.npos) return;
  constexpr std::string_view kAnswer = R"({"error":"not supported"})";
  const std::string topic = "$iothub/methods/res/501/" + std::string(request.substr(id));
  (void)mosquitto_publish(client, nullptr, topic.c_str(), static_cast<int>(kAnswer.size()),
                          kAnswer.data(), 0, false);
}

}  // namespace dsmsg::azure
