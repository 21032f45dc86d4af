// SPDX-License-Identifier: Apache-2.0
#include "core/options/options.h"

#include "adaptors/mqtt/settings.h"

namespace dsmsg::mqtt {
namespace {

constexpr OptionSpec kOptions[] = {
    {"client-id", "string", "",
     "Client identifier. Two connections with the same one keep disconnecting each other. Empty: a "
     "random one for each connection"},
    {"keep-alive", "s(0,65535)", "60",
     "Seconds without traffic after which the client pings the server; 0: never, otherwise at "
     "least 5"},
    {"loop-timeout", "ms(1,3600000)", "2000", "Longest single wait of the I/O thread"},
    {"set-threaded", "bool", "0",
     "Accepted for compatibility, has no effect: the adaptor always has its own thread"},
    {"qos", "int(0,2)", "1",
     "0: OK once written to the socket; 1: OK once the server has acknowledged it (may arrive "
     "twice after a lost connection); 2: exactly once within one connection. Subscriptions use at "
     "most 1"},
    {"retain", "bool", "0",
     "1: the server keeps the last message of each topic for new subscribers"},
    {"protocol", "enum(5,3.1.1)", "5",
     "MQTT version. With a server that refuses 5, or does not answer, the adaptor uses 3.1.1, "
     "without user properties and reasons"},
    {"clean-session", "bool", "1",
     "0: the server keeps subscriptions and waiting messages for this client-id while it is "
     "disconnected"},
    {"session-expiry", "s(0,4294967295)", "24h",
     "With clean-session=0: how long the server keeps the session; 4294967295 seconds: for ever "
     "(MQTT 5; in 3.1.1 the server decides)"},
    {"max-inflight", "int(1,65535)", "1000",
     "Maximum number of messages sent but not yet acknowledged; the server's Receive Maximum may "
     "lower it (qos=2 over MQTT 3.1.1: at most 20)"},
    {"linger", "ms(0,100)", "5",
     "How long a message may wait so that others can share its wake-ups; a synchronous send never "
     "waits. 0: every message is sent at once"},
    {"will-topic", "string", "",
     "Topic of the last will, the message that the server publishes when it loses this client "
     "without a DISCONNECT"},
    {"will-payload", "string", "", "Text of the last will"},
    {"will-qos", "int(0,2)", "1", "Quality of service of the last will"},
    {"will-retain", "bool", "0", "1: the last will is retained"},
    {"user-properties", "pairs", "",
     "User properties of every message, name=value;name=value (MQTT 5). The option headers adds "
     "properties with fields of the payload"},
    // The protocol's limit is 256 MiB for topic, properties and payload together.
    {"max-message-bytes", "bytes(1,267386880)", "255M",
     "A larger payload is completed with an error; the server may allow less"},
};

}  // namespace

std::span<const OptionSpec> Options() { return kOptions; }

}  // namespace dsmsg::mqtt
