// SPDX-License-Identifier: Apache-2.0
#include "core/options/options.h"

#include "adaptors/amqp/settings.h"

namespace dsmsg::amqp {
namespace {

constexpr OptionSpec kOptions[] = {
    {"exchange", "string", "amq.topic",
     "Exchange that messages are published to and queues are bound to. \"\", written with its "
     "quotes, means the default exchange, where the topic is the name of a queue (sending only)"},
    {"exchange-type", "string", "",
     "Type with which the exchange is declared (durable): topic, direct, fanout or headers. Empty: "
     "the exchange must exist already"},
    {"topic", "template", "", "Routing key, or its template, used when the caller gives no topic"},
    {"vhost", "string", "/", "Virtual host; the path of an amqp:// URL sets it too"},
    {"amqp-framesize", "bytes(4096,16777216)", "131072",
     "Largest frame offered at login; the broker may ask for a smaller one. Messages may be "
     "larger"},
    {"amqp-heartbeat", "s(0,65535)", "60",
     "Heartbeat interval of an idle connection, in seconds; 0: no heartbeats"},
    {"channel-max", "int(0,65535)", "0",
     "Maximum number of channels to agree on at login; 0: as many as the broker allows. The "
     "adaptor uses one"},
    {"confirm", "bool", "1",
     "1: a message is OK once the broker has confirmed it. 0: once it is written to the socket, "
     "even if the broker then dies or refuses it"},
    {"confirm-window", "int(1,65535)", "1000",
     "Maximum number of messages sent but not yet confirmed"},
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
     "Consumer: type of the named queue if it must be created. Empty: the broker's default"},
    {"queue-arguments", "pairs", "",
     "Consumer: arguments (x-max-length=1000;x-overflow=drop-head) of the queue if it must be "
     "created. Whole numbers and true or false are sent as such, everything else as text"},
    {"prefetch", "int(1,65535)", "50",
     "Consumer: maximum number of messages delivered but not yet acknowledged"},
    {"linger", "ms(0,100)", "5",
     "How long a message may wait so that others can share its system calls and wake-ups; a "
     "synchronous send never waits. 0: every message is sent at once"},
    {"max-message-bytes", "bytes(1,536870912)", "128M",
     "A larger payload is completed with an error; RabbitMQ's own limit is max_message_size (128 "
     "MiB; 16 MiB since version 4.0)"},
};

}  // namespace

std::span<const OptionSpec> Options() { return kOptions; }

}  // namespace dsmsg::amqp
