// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "adaptors/kafka/settings.h"

namespace dsmsg::kafka {
namespace {

constexpr std::array kOptions = {
    OptionSpec{"max-message-bytes", "bytes(1000,1000000000)", "1000000",
               "largest payload; a larger one is completed with ERR. Keep the topic's "
               "max.message.bytes above it"},
    // Less than elsewhere: librdkafka knows one limit, for young and for old outages, and pauses
    // before each address of a name. A broker that is back is to be used within 5 s, also where its
    // name has an IPv6 address, too, on which it does not listen. The Java clients take 1 s.
    OptionSpec{"reconnect-max-interval", "ms(1,3600000)", "2s",
               "longest pause between attempts, from the start of an outage, for each address of "
               "a name; librdkafka takes up to a quarter less"},
    OptionSpec{
        "proto-cfg", "pairs", "",
        "librdkafka properties for producer and consumer, \"name=value;name=value\"; they win "
        "over the options here",
        kOptSecret},
    OptionSpec{"producer-proto-cfg", "pairs", "",
               "librdkafka properties for the producer only; they win over proto-cfg", kOptSecret},
    OptionSpec{"consumer-proto-cfg", "pairs", "",
               "librdkafka properties for the consumer only; they win over proto-cfg", kOptSecret},
    OptionSpec{
        "partition-key", "string", "sensor.id",
        "field of the payload that is the message's key; messages of one key keep their order"},
    OptionSpec{"consumer-group-id", "string", "test-consumer-group",
               "consumer group; its members share the partitions"},
    OptionSpec{"commit-offsets", "bool", "1",
               "0: the group keeps no position, so every start begins at offset-reset, and the "
               "broker forgets the group some minutes after its last member has left"},
    OptionSpec{"compression", "enum(none,gzip,snappy,lz4,zstd)", "lz4", "compression of batches"},
    OptionSpec{
        "acks", "enum(all,1,0)", "all",
        "who must have a message before it counts as sent: all in-sync replicas, the leader, "
        "nobody"},
    OptionSpec{"linger", "ms(0,900000)", "5ms",
               "how long a message may wait for others of its batch"},
    OptionSpec{"batch-bytes", "bytes(1,2147483647)", "1000000", "largest batch"},
    OptionSpec{"idempotence", "enum(auto,1,0,true,false,yes,no)", "auto",
               "no duplicates from retries; auto: on when acks=all and max-in-flight is at most 5"},
    OptionSpec{
        "partitioner",
        "enum(consistent_random,consistent,murmur2_random,murmur2,fnv1a_random,fnv1a,random)",
        "consistent_random",
        "how a key chooses its partition; murmur2_random agrees with Java clients"},
    OptionSpec{"max-in-flight", "int(1,1000000)", "5", "unanswered requests for each broker"},
    OptionSpec{
        "sasl-mechanism", "string", "",
        "SASL login with username and password: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512; not set: "
        "none. Others are set up with proto-cfg"},
    OptionSpec{"offset-reset", "enum(earliest,latest,error)", "earliest",
               "where a consumer group without committed offset begins"},
    OptionSpec{"tcp-keepalive", "bool", "1", "TCP keep-alive on broker connections"},
    OptionSpec{"socket-buffer-bytes", "bytes(0,100000000)", "0",
               "kernel socket buffers; 0: the system's default"},
    OptionSpec{"metadata-refresh", "ms(1000,3600000)", "5m",
               "how often topics and partitions are read again (a consumer, when this is not set: "
               "10 s, so that it sees a new topic)"},
    OptionSpec{"connections-max-idle", "ms(0,2147483647)", "0",
               "close broker connections that are idle for so long; 0: never"},
};

}  // namespace

std::span<const OptionSpec> Options() { return kOptions; }

}  // namespace dsmsg::kafka
