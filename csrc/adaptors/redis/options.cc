// SPDX-License-Identifier: Apache-2.0
#include "core/options/options.h"

#include "adaptors/redis/settings.h"

namespace dsmsg::redis {
namespace {

constexpr OptionSpec kOptions[] = {
    {"payloadkey", "string", "metadata",
     "Stream field that holds the payload (written by XADD, read by subscribe)"},
    {"consumergroup", "string", "redis-consumer-group",
     "Consumer group of subscribe: each message goes to one of its members. A group that does not "
     "exist is created and gets new messages only. Written \"\": no group, every subscriber gets "
     "every new message and the server keeps nothing of it"},
    {"consumername", "string", "redis-consumer",
     "Name in the consumer group. Give each process of a group its own: entries that were "
     "delivered and not "
     "acknowledged are read again under the same name after a restart"},
    {"streamsize", "int(0,9223372036854775807)", "10000",
     "A stream is trimmed to about this many entries (MAXLEN ~); 0: never"},
    {"stream-max-age", "ms(0,3155760000000)", "0",
     "A stream is trimmed of entries older than this (MINID ~, Redis 6.2 or newer), instead of by "
     "streamsize; "
     "0: never"},
    {"command", "enum(xadd,publish,rpush)", "xadd",
     "xadd: streams, acknowledged by consumers. publish: Pub/Sub, lost without a subscriber. "
     "rpush: "
     "lists"},
    {"database", "int(0,2147483647)", "0", "Number of the database (SELECT)"},
    {"pipeline", "int(1,1000000)", "1000", "Most commands sent and not yet answered"},
    {"linger", "ms(0,100)", "5",
     "How long a message may wait for others to share system calls and wake-ups with; a "
     "synchronous send never "
     "waits. 0: every message leaves at once"},
    {"sentinel-master", "string", "",
     "Name of the master to ask Sentinel for: conn-str then names the Sentinels, for example "
     "\"s1:26379,s2:26379,s3:26379\""},
    {"sentinel-username", "string", "", "User name at the Sentinels; empty: none"},
    {"sentinel-password", "string", "",
     "Password of the Sentinels, which is not the servers'; empty: none", kOptSecret},
    {"fields", "pairs", "",
     "Further fields of a stream entry: name=template;name=template, for example "
     "camera=${sensor.id}"},
    {"batch-read", "int(1,100000)", "100", "Most entries that subscribe reads at once (COUNT)"},
    // Redis refuses larger ones and ends the connection (proto-max-bulk-len).
    {"max-message-bytes", "bytes(1,536870912)", "512M",
     "A larger payload is completed with an error; the server's proto-max-bulk-len is the limit"},
};

}  // namespace

std::span<const OptionSpec> Options() { return kOptions; }

}  // namespace dsmsg::redis
