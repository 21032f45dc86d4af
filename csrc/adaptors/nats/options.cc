// SPDX-License-Identifier: Apache-2.0
#include "core/options/options.h"

#include "adaptors/nats/settings.h"

namespace dsmsg::nats {
namespace {

constexpr OptionSpec kOptions[] = {
    {"jetstream", "bool", "1",
     "1: messages go to a stream and are acknowledged by it, and subscribe reads from one. 0: core "
     "NATS, where a message without a subscriber is gone"},
    {"stream", "string", "",
     "Stream that must take the messages (another one refuses them), and that subscribe reads "
     "from. Empty: whichever has the subject"},
    {"domain", "string", "", "JetStream domain, for a stream behind a leaf node"},
    {"pipeline", "int(1,100000)", "1000", "Maximum number of messages sent but not acknowledged"},
    {"linger", "ms(0,100)", "5",
     "How long a message may wait so that others can share its system calls and wake-ups; a "
     "synchronous send never waits. 0: every message is sent at once"},
    {"ack-timeout", "ms(100,3600000)", "5s",
     "A message is sent again, under the same Nats-Msg-Id, if the stream has not acknowledged it "
     "this long after the server processed it"},
    {"durable", "string", "dsmsg",
     "Beginning of the names of the durable consumers of subscribe (one for each subject). "
     "Processes with the same one share the messages. \"\", written with its quotes: every "
     "subscriber gets every new message, and the server keeps no position"},
    {"deliver", "enum(new,all)", "new",
     "Where a new durable consumer begins: with what is sent from then on, or with all that the "
     "stream holds"},
    {"ack-wait", "ms(1000,3600000)", "30s",
     "A message of a consumer that ends without a word is delivered again after this time. For new "
     "consumers"},
    {"batch-read", "int(1,10000)", "200",
     "Maximum number of messages that subscribe asks a consumer for at once"},
    {"queue-group", "string", "",
     "With jetstream=0: each message goes to one member of this group. Empty: to all subscribers"},
    {"nkey-seed", "string", "",
     "Seed of the user's NKey (SU...) to log in with; better ${file:/path} than the seed itself",
     kOptSecret},
    {"credentials", "path", "",
     "Credentials file (JWT and NKey) to log in with. It is read at every login"},
    {"tls-first", "bool", "0",
     "1: TLS begins before the server's INFO (handshake_first of the server)"},
    {"inbox-prefix", "string", "_INBOX",
     "First part of the subjects on which answers come; the user needs the right to subscribe "
     "there"},
};

}  // namespace

std::span<const OptionSpec> Options() { return kOptions; }

}  // namespace dsmsg::nats
