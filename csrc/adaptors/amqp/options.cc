// SPDX-License-Identifier: Apache-2.0
#include "core/options/options.h"

#include "adaptors/amqp/settings.h"

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

}  // namespace

std::span<const OptionSpec> Options() { return kOptions; }

}  // namespace dsmsg::amqp
