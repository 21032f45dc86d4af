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
     "exist is created and begins at stream-start. \"\", written with its quotes, means no group: "
     "every subscriber gets every message from stream-start on, and the server keeps no position"},
    {"stream-start", "string", "new",
     "Where a new consumer group, and a subscriber without a group, begins: new (what is added "
     "from "
     "then on), oldest, or an entry id such as 1700000000000-0 (with the first entry behind it)"},
    {"consumername", "string", "redis-consumer",
     "Name in the consumer group. Give each process of a group its own: after a restart, entries "
     "that were delivered but not acknowledged are read again under the same name"},
    {"streamsize", "int(0,9223372036854775807)", "10000",
     "A stream is trimmed to about this many entries (MAXLEN ~); 0: never"},
    {"stream-max-age", "ms(0,3155760000000)", "0",
     "Entries older than this are trimmed from the stream (MINID ~, Redis 6.2 or newer), instead "
     "of by streamsize; 0: never"},
    {"command", "enum(xadd,publish,spublish,rpush,set)", "xadd",
     "xadd: streams, acknowledged by consumers. publish: Pub/Sub, lost without a subscriber. "
     "spublish: sharded Pub/Sub (Redis 7 or newer), which stays within one node of a cluster. "
     "rpush: lists. set: the topic is a key, and the payload becomes its value; such a connection "
     "only sends"},
    {"expire", "ms(0,3155760000000)", "0",
     "With command=set: after this time the server deletes the key; 0: never"},
    {"database", "int(0,2147483647)", "0",
     "Number of the database (SELECT); a Redis Cluster has only 0"},
    {"cluster", "enum(auto,0,1)", "auto",
     "Whether conn-str names nodes of a Redis Cluster, whose other nodes are then found by asking "
     "them, and each topic is sent to and read from the node that has it. auto: the server is "
     "asked. 0: never. 1: a server that is no node of one is refused"},
    {"pipeline", "int(1,1000000)", "1000",
     "Maximum number of commands sent but not yet answered; in a cluster, of each node"},
    {"linger", "ms(0,100)", "5",
     "How long a message may wait so that others can share its system calls and wake-ups; a "
     "synchronous send never waits. 0: every message is sent at once"},
    {"sentinel-master", "string", "",
     "Name of the master to ask Sentinel for: conn-str then names the Sentinels, for example "
     "\"s1:26379,s2:26379,s3:26379\""},
    {"sentinel-username", "string", "", "User name for the Sentinels; empty: none"},
    {"sentinel-password", "string", "",
     "Password for the Sentinels, separate from that of the servers; empty: none", kOptSecret},
    {"fields", "pairs", "",
     "Additional fields of a stream entry: name=template;name=template, for example "
     "camera=${sensor.id}"},
    {"sensorid", "string", "",
     "In entries of DeepStream 9's form (DEEPSTREAM_ENABLE_SENSOR_ID_EXTRACTION=1), the sensor of "
     "payloads that name none; takes precedence over DEEPSTREAM_SENSOR_ID. Has no effect without "
     "that form"},
    {"batch-read", "int(1,100000)", "100",
     "Maximum number of entries that subscribe reads at once (COUNT)"},
    // Redis refuses larger payloads and ends the connection (proto-max-bulk-len).
    {"max-message-bytes", "bytes(1,536870912)", "512M",
     "A larger payload is completed with an error; the server's own limit is proto-max-bulk-len"},
};

}  // namespace

std::span<const OptionSpec> Options() { return kOptions; }

}  // namespace dsmsg::redis
