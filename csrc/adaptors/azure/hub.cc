// SPDX-License-Identifier: Apache-2.0
#include "adaptors/azure/hub.h"

#include <mosquitto.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "adaptors/azure/token.h"
#include "adaptors/azure/workload.h"
#include "core/base/encoding.h"

namespace dsmsg::azure {
namespace {

// In the hub's order. The first is a module's output.
constexpr std::array<std::string_view, 8> kSystem = {"$.on", "$.mid", "$.cid",  "$.uid",
                                                     "$.ct", "$.ce",  "$.ifid", "$.exp"};
constexpr std::string_view kMethods = "$iothub/methods/POST/", kTwin = "$iothub/twin/";
// Before a token ends by the hub's clock, which may be minutes ahead of ours.
constexpr std::chrono::seconds kEarly{600};

size_t SystemIndex(std::string_view name) {
  return static_cast<size_t>(std::find(kSystem.begin(), kSystem.end(), name) - kSystem.begin());
}

int64_t UnixSeconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

}  // namespace

bool Hub::IsSystemName(std::string_view name) { return SystemIndex(name) < kSystem.size(); }

// ---------------------------------------------------------------- login

Result<Login> Hub::NewLogin(Deadline deadline, int cancel_fd) {
  const Identity& identity = settings_.identity;
  renew_at_ = Clock::time_point::max();
  if (Status status = FetchTrustBundle(deadline, cancel_fd); !status.ok()) return status;
  if (identity.x509) return Login{settings_.user_name, ""};
  if (!identity.token.empty()) {
    const std::optional<int64_t> expires = ExpiryOf(identity.token);
    if (expires && *expires <= UnixSeconds()) {
      return Status(Code::kAuth,
                    "the SharedAccessSignature has expired (give another, or a "
                    "SharedAccessKey, from which tokens are made as they are needed)");
    }
    return Login{settings_.user_name, identity.token};
  }
  const int64_t expires = UnixSeconds() + settings_.token_life.count();
  const auto made = Clock::now();
  Result<std::string> signature = Sign(expires, deadline, cancel_fd);
  if (!signature.ok()) return signature.status();
  renew_at_ = made + settings_.token_life - std::min(kEarly, settings_.token_life / 4);
  return Login{settings_.user_name, Token(identity, signature.value(), expires)};
}

Result<std::string> Hub::Sign(int64_t expires, Deadline deadline, int cancel_fd) {
  const std::string text = TextToSign(settings_.identity, expires);
  if (!settings_.identity.workload) return Signature(settings_.identity.key, text);
  return SignByWorkload(settings_.identity, text, deadline, cancel_fd);
}

Status Hub::FetchTrustBundle(Deadline deadline, int cancel_fd) {
  if (!settings_.trust_bundle.valid() || trusted_) return {};
  const Result<std::string> bundle = TrustBundle(*settings_.identity.workload, deadline, cancel_fd);
  if (!bundle.ok()) return bundle.status();
  const std::string& pem = bundle.value();
  const ssize_t size = pwrite(settings_.trust_bundle.get(), pem.data(), pem.size(), 0);
  if (size != static_cast<ssize_t>(pem.size())) {
    return {Code::kInternal, std::string("cannot keep the trust bundle: ") + std::strerror(errno)};
  }
  trusted_ = true;
  return {};
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
  if (const size_t index = SystemIndex(name); index < system_.size()) {
    system_[index] = value;
    return;
  }
  const auto found = std::find_if(own_.begin(), own_.end(),
                                  [name](const auto& property) { return property.first == name; });
  if (found != own_.end()) {
    found->second = value;
  } else {
    own_.emplace_back(name, value);
  }
}

Result<const char*> Hub::WireTopic(const Message& message) {
  system_.fill({});
  own_.clear();
  const bool module = !settings_.identity.module.empty();
  for (const auto& [name, value] : settings_.properties) Put(name, value);
  if (!module && !settings_.topic_property.empty() && !message.topic.empty()) {
    Put(settings_.topic_property, message.topic);
  }
  for (const auto& [name, value] : message.headers) Put(name, value);
  if (module) system_[0] = message.topic;
  std::sort(own_.begin(), own_.end());

  wire_ = settings_.identity.path() + "/messages/events/";
  const size_t bare = wire_.size();
  const auto add = [this, bare](std::string_view name, std::string_view value) {
    if (wire_.size() > bare) wire_ += '&';
    AppendPercentEncoded(name, {}, &wire_);
    wire_ += '=';
    AppendPercentEncoded(value, {}, &wire_);
  };
  for (size_t i = 0; i < system_.size(); ++i) {
    if (!system_[i].empty()) add(kSystem[i], system_[i]);
  }
  for (const auto& [name, value] : own_) add(name, value);
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

std::string Hub::Filter(const std::string& /*topic*/) const {
  const bool module = !settings_.identity.module.empty();
  return settings_.identity.path() + (module ? "/inputs/#" : "/messages/devicebound/#");
}

bool Hub::Matches(const std::string& topic, const std::string& received) const {
  const bool one_topic = settings_.identity.module.empty() && settings_.topic_property.empty();
  return one_topic || topic == received || topic == "#";
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
  const bool module = !settings_.identity.module.empty();
  const std::string begin =
      settings_.identity.path() + (module ? "/inputs/" : "/messages/devicebound/");
  if (!topic.starts_with(begin)) return false;
  topic.remove_prefix(begin.size());
  out->topic = kDeviceTopic;
  if (module) {
    const size_t slash = std::min(topic.find('/'), topic.size());
    out->topic =
        PercentDecoded(topic.substr(0, slash)).value_or(std::string(topic.substr(0, slash)));
    topic.remove_prefix(std::min(slash + 1, topic.size()));
  }
  while (!topic.empty()) {
    const std::string_view property = topic.substr(0, topic.find('&'));
    topic.remove_prefix(std::min(property.size() + 1, topic.size()));
    const size_t equals = std::min(property.find('='), property.size());
    const std::string_view value = property.substr(std::min(equals + 1, property.size()));
    const auto text = [](std::string_view part) {
      return PercentDecoded(part).value_or(std::string(part));
    };
    std::string name = text(property.substr(0, equals));
    if (name.empty() || name == "$.to") continue;
    if (name == "$.mid") out->id = text(value);
    if (!module && name == settings_.topic_property) out->topic = text(value);
    out->headers.emplace_back(std::move(name), text(value));
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
