// SPDX-License-Identifier: Apache-2.0
#include "adaptors/amqp/settings.h"

#include <algorithm>

#include "adaptors/amqp/api.h"
#include "core/options/config.h"

namespace dsmsg::amqp {
namespace {

Status CheckQueue(const AmqpSettings& settings) {
  if (settings.queue.empty() && !settings.queue_type.empty()) {
    return {Code::kInvalidArgument,
            "queue-type=" + settings.queue_type +
                " needs queue: a private queue has the broker's default type (name a queue, or "
                "leave queue-type out)"};
  }
  for (const auto& [name, value] : settings.queue_arguments) {
    if (name.size() > kMaxName) {
      return {Code::kInvalidArgument,
              "queue-arguments: a name is longer than the 255 bytes that AMQP allows"};
    }
    if (name == "x-queue-type" && !settings.queue_type.empty()) {
      return {
          Code::kInvalidArgument,
          "queue-type and x-queue-type in queue-arguments are both set (leave one of them out)"};
    }
  }
  return {};
}

Status CheckNames(const AmqpSettings& settings) {
  const std::pair<const char*, const std::string*> names[] = {
      {"exchange", &settings.exchange},
      {"exchange-type", &settings.exchange_type},
      {"vhost", &settings.vhost},
      {"content-type", &settings.content_type},
      {"queue", &settings.queue}};
  for (const auto& [option, name] : names) {
    if (name->size() <= kMaxName) continue;
    return {Code::kInvalidArgument,
            std::string(option) + " is longer than the 255 bytes that AMQP allows for a name"};
  }
  if (settings.exchange.empty() && !settings.exchange_type.empty()) {
    return {Code::kInvalidArgument,
            "exchange-type is set without exchange: the default exchange cannot be declared (name "
            "an exchange, or leave exchange-type out)"};
  }
  return {};
}

Status ReadEndpoint(const Endpoints& endpoints, const Config& config, AmqpSettings* out) {
  if (endpoints.hosts.empty()) {
    return {Code::kInvalidArgument,
            "no broker is named (conn-str is \"host;port\", for example \"localhost;5672\", or set "
            "hostname and port in the config file)"};
  }
  out->hosts = endpoints.hosts;
  out->vhost = config.GetString("vhost");
  if (!endpoints.path.empty()) {
    if (config.IsSet("vhost") && out->vhost != endpoints.path) {
      return {Code::kInvalidArgument, "vhost=" + out->vhost + " and the connection string's /" +
                                          endpoints.path + " differ (leave one of them out)"};
    }
    out->vhost = endpoints.path;
  }
  if (out->vhost.empty()) {
    return {Code::kInvalidArgument, "vhost is empty (leave it out for \"/\")"};
  }
  Result<TlsSettings> tls = ReadTlsSettings(endpoints, config);
  if (!tls.ok()) return tls.status();
  out->tls = std::move(tls.value());
  out->login = ReadLogin(endpoints, config, "AMQP");
  out->external = out->tls.enabled && !out->tls.certfile.empty() && out->login.password.empty();
  if (!out->external && out->login.user.empty()) {
    out->login.user = "guest";  // what a new RabbitMQ accepts from its own machine
    if (out->login.password.empty()) out->login.password = "guest";
  }
  if (out->login.user.find('\0') != std::string::npos ||
      out->login.password.find('\0') != std::string::npos) {
    return {Code::kInvalidArgument, "username, password: a NUL byte cannot be sent (SASL PLAIN)"};
  }
  return {};
}

}  // namespace

Result<AmqpSettings> ReadSettings(const Endpoints& endpoints, const Config& config) {
  AmqpSettings settings;
  if (Status status = ReadEndpoint(endpoints, config, &settings); !status.ok()) return status;
  settings.connect_timeout = config.GetMillis("connect-timeout");
  settings.silence_limit = std::max(settings.connect_timeout, Millis(5000));
  settings.frame_max = static_cast<uint32_t>(config.GetBytes("amqp-framesize"));
  const auto heartbeat =
      std::chrono::ceil<std::chrono::seconds>(config.GetMillis("amqp-heartbeat"));
  settings.heartbeat = static_cast<uint16_t>(heartbeat.count());
  settings.channel_max = static_cast<uint16_t>(config.GetInt("channel-max"));
  settings.exchange = config.GetString("exchange");
  settings.exchange_type = config.GetString("exchange-type");
  settings.confirm = config.GetBool("confirm");
  settings.confirm_window = static_cast<size_t>(config.GetInt("confirm-window"));
  settings.mandatory = config.GetBool("mandatory");
  if (!settings.confirm) {
    // A returned message would have been completed long before it comes back.
    if (config.IsSet("mandatory") && settings.mandatory) {
      return Status(Code::kInvalidArgument,
                    "mandatory=1 needs confirm=1: without it a message is completed before the "
                    "broker can return it");
    }
    settings.mandatory = false;
  }
  settings.persistent = config.GetBool("persistent");
  settings.content_type = config.GetString("content-type");
  if (settings.content_type == "auto") settings.content_type.clear();
  settings.queue = config.GetString("queue");
  settings.queue_type = config.GetString("queue-type");
  settings.queue_arguments = config.GetPairs("queue-arguments");
  if (Status status = CheckQueue(settings); !status.ok()) return status;
  settings.prefetch = static_cast<uint16_t>(config.GetInt("prefetch"));
  if (Status status = CheckNames(settings); !status.ok()) return status;
  return settings;
}

}  // namespace dsmsg::amqp
