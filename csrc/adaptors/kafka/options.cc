// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "adaptors/kafka/settings.h"

namespace dsmsg::kafka {
namespace {

constexpr std::array kOptions = {
    OptionSpec{"max-message-bytes", "bytes(1000,1000000000)", "1000000",
               "Largest payload; a larger one is completed with ERR. Keep the topic's "
               "max.message.bytes above it"},
    // Less than elsewhere: librdkafka has one limit for short and long outages and pauses before
    // each address of a name. A broker that is back should be used within 5 s, even if its name
    // also has an IPv6 address on which it does not listen. The Java clients use 1 s.
    OptionSpec{"reconnect-max-interval", "ms(1,3600000)", "2s",
               "Longest pause between attempts, from the start of an outage and for each address "
               "of a host name; librdkafka shortens it by up to a quarter"},
    OptionSpec{
        "proto-cfg", "pairs", "",
        "Properties of librdkafka for producer and consumer, \"name=value;name=value\"; they "
        "override the options here",
        kOptSecret},
    OptionSpec{"producer-proto-cfg", "pairs", "",
               "Properties of librdkafka for the producer only; they override proto-cfg",
               kOptSecret},
    OptionSpec{"consumer-proto-cfg", "pairs", "",
               "Properties of librdkafka for the consumer only; they override proto-cfg",
               kOptSecret},
    OptionSpec{
        "partition-key", "string", "sensor.id",
        "payload field that is used as the message key; messages with the same key stay in order"},
    OptionSpec{"consumer-group-id", "string", "test-consumer-group",
               "Consumer group; its members share the partitions"},
    OptionSpec{"commit-offsets", "bool", "1",
               "0: the group keeps no position, so every start begins at offset-reset, and the "
               "broker forgets the group some minutes after its last member has left"},
    OptionSpec{"compression", "enum(none,gzip,snappy,lz4,zstd)", "lz4", "Compression of batches"},
    OptionSpec{"acks", "enum(all,1,0)", "all",
               "Which replicas must have a message before it counts as sent: all in-sync replicas, "
               "the leader (1), or none (0)"},
    OptionSpec{"linger", "ms(0,900000)", "5ms",
               "How long a message may wait for others to join its batch"},
    OptionSpec{"batch-bytes", "bytes(1,2147483647)", "1000000", "Largest batch"},
    OptionSpec{"idempotence", "enum(auto,1,0,true,false,yes,no)", "auto",
               "No duplicates from retries; auto: on when acks=all and max-in-flight is at most 5"},
    OptionSpec{
        "partitioner",
        "enum(consistent_random,consistent,murmur2_random,murmur2,fnv1a_random,fnv1a,random)",
        "consistent_random",
        "how a key chooses its partition; murmur2_random agrees with Java clients"},
    OptionSpec{"max-in-flight", "int(1,1000000)", "5",
               "Maximum number of unanswered requests per broker"},
    OptionSpec{"sasl-mechanism", "string", "",
               "SASL mechanism for a login with username and password: PLAIN, SCRAM-SHA-256 or "
               "SCRAM-SHA-512; not set: no login. Configure other mechanisms with proto-cfg"},
    OptionSpec{"offset-reset", "enum(earliest,latest,error)", "earliest",
               "Where a consumer group without a committed offset starts"},
    OptionSpec{"fetch-bytes", "bytes(1,1000000000)", "1M",
               "How much of a partition one request fetches; the broker sends at least one batch"},
    OptionSpec{"offset-commit-interval", "ms(1,86400000)", "1s",
               "How often the offsets of handled messages are committed"},
    OptionSpec{"tcp-keepalive", "bool", "1", "TCP keep-alive on broker connections"},
    OptionSpec{"socket-buffer-bytes", "bytes(0,100000000)", "0",
               "Kernel socket buffers; 0: the system's default"},
    OptionSpec{"metadata-refresh", "ms(1000,3600000)", "5m",
               "How often the list of topics and partitions is refreshed (for a consumer, if this "
               "is not set, every 10 s, so that it notices new topics)"},
    OptionSpec{"partition-refresh", "ms(1000,3600000)", "",
               "How often a producer looks for new partitions of its topics; not set: "
               "metadata-refresh"},
    OptionSpec{"metadata-request-timeout", "ms(100,60000)", "500ms",
               "How long one question about a topic waits for its answer (within connect-timeout "
               "when subscribing); raise it where a round trip takes longer"},
    OptionSpec{"connections-max-idle", "ms(0,2147483647)", "0",
               "Close broker connections that have been idle for this long; 0: never"},
};

}  // namespace

std::span<const OptionSpec> Options() { return kOptions; }

}  // namespace dsmsg::kafka
