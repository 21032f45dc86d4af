// SPDX-License-Identifier: Apache-2.0
// The option table: what concerns all destinations together. Each destination's own options stand
// in the handlers file.
#include "core/options/options.h"
#include "adaptors/multi/driver.h"

namespace dsmsg::multi {
namespace {

constexpr char kPerHandler[] =
    "Each destination has its own: set it in the config of its handler, in the handlers file";

constexpr OptionSpec kOptions[] = {
    {"mode", "enum(all,any,failover,round-robin)", "all",
     "all: every destination of a message gets it, and OK means that all have acknowledged it; "
     "any: every destination gets it, and OK means that one has; failover: the first reachable one "
     "in the order of the file; round-robin: one after the other"},
    {"failover-after", "ms(0,3600000)", "2s",
     "failover, round-robin: a destination that is unreachable for so long is passed over, and the "
     "next one also gets what it has not acknowledged"},
    {"failback-after", "ms(0,3600000)", "10s",
     "failover, round-robin: a destination that is reachable again for so long is used again"},
    {"topic", "template", "events",
     "Topic or template used when the caller gives no topic; it chooses the destinations"},
    {"queue-size", "int(4,10000000)", "400000",
     "Limit of the memory queue, in messages; the queue of a destination has a quarter of it"},
    {"queue-bytes", "bytes(4096,1099511627776)", "256M",
     "Limit of the memory queue, in bytes; the queue of a destination has a quarter of it"},
    {"enable-tls", "bool", "0", kPerHandler, kOptUnavailable},
    {"tls-cafile", "path", "", kPerHandler, kOptUnavailable},
    {"tls-capath", "path", "", kPerHandler, kOptUnavailable},
    {"tls-certfile", "path", "", kPerHandler, kOptUnavailable},
    {"tls-keyfile", "path", "", kPerHandler, kOptUnavailable},
    {"tls-verify", "bool", "1", kPerHandler, kOptUnavailable},
    {"tls-server-name", "string", "", kPerHandler, kOptUnavailable},
    {"tls-key-password", "string", "", kPerHandler, kOptSecret | kOptUnavailable},
    {"username", "string", "", kPerHandler, kOptUnavailable},
    {"password", "string", "", kPerHandler, kOptSecret | kOptUnavailable},
    {"hostname", "string", "",
     "Path of the handlers file, used when the connection string is empty"},
    {"port", "int(1,65535)", "", "There is no port: conn-str is the path of a file",
     kOptUnavailable},
};

}  // namespace

std::span<const OptionSpec> Options() { return kOptions; }

}  // namespace dsmsg::multi
