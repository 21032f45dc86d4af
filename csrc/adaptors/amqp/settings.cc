// SPDX-License-Identifier: Apache-2.0
#include "adaptors/amqp/settings.h"

#include <algorithm>

#include "adaptors/amqp/api.h"
#include "core/options/config.h"
#include "core/options/options.h"

namespace dsmsg::amqp {
namespace {

constexpr OptionSpec kOptions[] = {
    {"exchange", "string", "amq.topic",
     "Exchange that messages are published to and queues are bound to. Written \"\": the default "
     "exchange, where the topic is the name of a queue (sending only)"},
    {"exchange-type", "string", "",
     "topic, direct, fanout, headers: the exchange is declared (durable) with this type. Empty: it "
     "has to exist"},
    {"topic", "template", "", "Routing key, or its template, used when the caller gives no topic"},
    {"vhost", "string", "/", "Virtual host; the path of an amqp:// URL says it too"},
    {"amqp-framesize", "bytes(4096,16777216)", "131072",
     "Largest frame offered at login; the broker may ask for a smaller one. Messages may be "
     "larger"},
    {"amqp-heartbeat", "s(0,65535)", "60",
     "Seconds between two signs of life on an idle connection; 0 switches them off"},
    {"channel-max", "int(0,65535)", "0",
     "Most channels agreed at login; 0: as the broker wants. The adaptor uses one"},
    {"confirm", "bool", "1",
     "1: a message is OK when the broker has confirmed it. 0: when it is written to the socket, "
     "which a broker that dies or refuses it does not undo"},
    {"confirm-window", "int(1,65535)", "1000", "Most messages sent and not yet confirmed"},
    {"mandatory", "bool", "1",
     "1: a message that no queue is bound for is answered with UNKNOWN_TOPIC. 0: the broker drops "
     "it and the answer is OK"},
    {"persistent", "bool", "1",
     "1: durable queues write the message to disk before it is confirmed. 0: memory only"},
    {"content-type", "string", "auto",
     "Content type of every message; auto: application/json when the payload begins with { or [, "
     "else application/octet-stream"},
    {"queue", "string", "",
     "Consumer: name of the queue. It keeps messages while no consumer is connected. An existing "
     "queue is read unchanged; a missing one is created, durable. Empty: a private queue that ends "
     "with the connection"},
    {"queue-type", "enum(classic,quorum,stream)", "",
     "Consumer: type of the named queue where it has to be made. Empty: the broker's default"},
    {"queue-arguments", "pairs", "",
     "Consumer: arguments (x-max-length=1000;x-overflow=drop-head) of the queue where it has to be "
     "made. Whole numbers and true or false are sent as such, everything else as text"},
    {"prefetch", "int(1,65535)", "50",
     "Consumer: most messages delivered and not yet acknowledged"},
    {"linger", "ms(0,100)", "5",
     "How long a message may wait for others to share system calls and wake-ups with; a "
     "synchronous send never waits. 0: every message leaves at once"},
    {"max-message-bytes", "bytes(1,536870912)", "128M",
     "A larger payload is completed with an error; RabbitMQ's max_message_size (128 MiB, since "
     "version 4.0 16 MiB) is the limit"},
};

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
              "queue-arguments: a name is longer than the 255 bytes that AMQP has for it"};
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
    return {Code::kInvalidArgument, std::string(option) +
                                        " is longer than the 255 bytes that "
                                        "AMQP has for a name"};
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
    out->login.user = "guest";  // what a new RabbitMQ takes, from its own machine
    if (out->login.password.empty()) out->login.password = "guest";
  }
  if (out->login.user.find('\0') != std::string::npos ||
      out->login.password.find('\0') != std::string::npos) {
    return {Code::kInvalidArgument, "username, password: a NUL byte cannot be sent (SASL PLAIN)"};
  }
  return {};
}

}  // namespace

std::span<const OptionSpec> AmqpOptions() { return kOptions; }

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
    // A returned message has been completed long before it comes back.
    if (config.IsSet("mandatory") && settings.mandatory) {
      return Status(Code::kInvalidArgument,
                    "mandatory=1 needs confirm=1: without it a message is answered before the "
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
