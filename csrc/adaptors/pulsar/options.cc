// SPDX-License-Identifier: Apache-2.0
#include "core/options/options.h"

#include "adaptors/pulsar/settings.h"

namespace dsmsg::pulsar {
namespace {

constexpr OptionSpec kOptions[] = {
    {"namespace", "string", "public/default",
     "Tenant and namespace of topics that are given without them"},
    {"producer-name", "string", "",
     "Name of the producers. A fixed one, different for each process, lets a namespace with "
     "deduplication recognise repeated messages after a restart too. Empty: the broker makes one"},
    {"pipeline", "int(1,100000)", "1000", "Maximum number of messages sent but not acknowledged"},
    {"linger", "ms(0,100)", "5",
     "How long a message may wait so that others can share its batch, its system calls and "
     "wake-ups; a synchronous send never waits. 0: every message is sent at once"},
    {"batch-messages", "int(1,100000)", "1000",
     "Maximum number of messages in a batch. 1: no batches, which subscriptions of the type "
     "Key_Shared need"},
    {"batch-bytes", "bytes(1024,4194304)", "128K", "Maximum size of a batch"},
    {"key-hash", "enum(java,murmur3)", "java",
     "How a key chooses the partition. java: as the Java and Python clients do by default; "
     "murmur3: "
     "as clients with Murmur3_32Hash do"},
    {"ack-timeout", "ms(1000,3600000)", "30s",
     "The connection is made anew, which tells why, if a broker that answers otherwise has not "
     "acknowledged a message in this time"},
    {"subscription", "string", "dsmsg",
     "Name of the subscription. \"\", written with its quotes: every subscriber gets every new "
     "message, and the broker keeps no position"},
    {"subscription-type", "enum(shared,exclusive,failover)", "shared",
     "shared: subscribers share the messages; exclusive: there can be only one; failover: one gets "
     "the messages, in order, and another one takes over"},
    {"initial-position", "enum(latest,earliest)", "latest",
     "Where a new subscription begins: with what is sent from then on, or with all that the topic "
     "holds"},
    {"receiver-queue", "int(1,100000)", "1000",
     "Maximum number of messages of a topic (or partition) that the broker sends ahead"},
    {"consumer-name", "string", "",
     "Name of the consumers, which the broker's statistics show. A failover subscription gives the "
     "partitions of a topic to consumers in the order of their names"},
    {"token-file", "path", "",
     "File with the token to log in with. It is read at every login, and when the broker asks for "
     "a new token"},
    {"listener-name", "string", "",
     "Which of the brokers' advertised listeners to use, where they have several"},
};

}  // namespace

std::span<const OptionSpec> Options() { return kOptions; }

}  // namespace dsmsg::pulsar
