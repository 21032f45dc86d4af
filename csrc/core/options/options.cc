// SPDX-License-Identifier: Apache-2.0
#include "core/options/options.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "core/base/nearest.h"

namespace dsmsg {
namespace {

constexpr OptionSpec kCommon[] = {
    {"share-connection", "bool", "0",
     "1: return a connection signature, so that one process can share the connection", kOptFixed},
    {"connect", "enum(strict,lazy,wait)", "strict",
     "strict: connect fails unless the broker answers within connect-timeout; lazy: it succeeds at "
     "once and messages wait; wait: it waits for the broker for at most connect-wait-timeout",
     kOptFixed},
    {"connect-wait-timeout", "ms(0,86400000)", "60s", "Longest wait of connect=wait", kOptFixed},
    {"connect-timeout", "ms(1,3600000)", "5s", "Time limit for one connection attempt"},
    {"reconnect", "bool", "1",
     "1: reconnect automatically; 0: give up when the connection is lost"},
    {"reconnect-interval", "ms(1,3600000)", "200ms",
     "First pause between attempts; doubles each time, with full jitter"},
    {"reconnect-max-interval", "ms(1,86400000)", "30s",
     "Longest pause between attempts (4s while an outage is younger than a minute)"},
    {"reconnect-attempts", "int(0,1000000000)", "0", "Attempts before giving up; 0: try for ever"},
    {"poison-attempts", "int(0,100)", "3",
     "How often the server may end a new connection over a message that was sent alone before that "
     "message fails; 0: no limit",
     kOptFixed},
    {"queue-size", "int(1,10000000)", "100000", "Limit of the memory queue, in messages",
     kOptFixed},
    {"queue-bytes", "bytes(1024,1099511627776)", "256M", "Limit of the memory queue, in bytes",
     kOptFixed},
    {"overflow", "enum(block,drop-oldest,drop-newest,latest-per-key,reject,spool)", "block",
     "What happens when the queue is full", kOptFixed},
    {"overflow-timeout", "ms(0,3600000)", "5s", "How long overflow=block waits for room",
     kOptFixed},
    {"memory-high-water", "int(0,100)", "0",
     "While the machine, or the control group of the process, uses more than so many percent of "
     "its "
     "memory, the queue gives up its oldest messages; 0: never",
     kOptFixed},
    {"message-timeout", "ms(0,2592000000)", "0",
     "A message that is not acknowledged in this time fails; 0: never", kOptFixed},
    {"send-timeout", "ms(1,86400000)", "10s", "Time limit for a synchronous send"},
    {"flush-timeout", "ms(0,3600000)", "10s", "Time limit for the flush in disconnect"},
    {"max-message-bytes", "bytes(0,2147483647)", "0",
     "A larger message is completed with an error; 0: the adaptor's own limit"},
    {"work-wait", "ms(0,60000)", "50ms", "How long do_work may wait for a completion"},
    {"topic", "template", "", "Topic or template used when the caller gives no topic"},
    {"topic-template", "template", "",
     "Renders the topic of every message; the caller's topic is ${topic}"},
    {"key", "template", "", "Template of the message key, e.g. ${sensor.id}"},
    {"headers", "pairs", "", "Templates of the message headers: source=${sensor.id};schema=1"},
    {"key-encoding", "enum(none,base64)", "none",
     "How a subscriber gets the key of a message: as it is, or as Base64 text", kOptFixed},
    {"value-encoding", "enum(none,base64)", "none",
     "How a subscriber gets the payload of a message: as it is, or as Base64 text", kOptFixed},
    {"spool-dir", "path", "off", "Directory of the spool (store and forward); off: no spool",
     kOptFixed},
    {"spool-name", "string", "", "Distinguishes several spools for one endpoint", kOptFixed},
    {"spool-mode", "enum(overflow,always)", "overflow",
     "overflow: messages go to disk while the link is down or the queue is full; always: every "
     "message does",
     kOptFixed},
    {"spool-max-bytes", "bytes(1048576,1125899906842624)", "1G", "Size limit of the spool",
     kOptFixed},
    {"spool-evict", "bool", "0", "1: a full spool deletes its oldest messages", kOptFixed},
    {"spool-replay-rate", "int(0,1000000000)", "0",
     "How many messages per second are sent from the spool; 0: unlimited", kOptFixed},
    {"spool-order", "enum(key,none)", "key", "key: messages of one key stay in order", kOptFixed},
    {"spool-sync", "enum(normal,full)", "normal", "full: the spool also survives a power failure",
     kOptFixed},
    {"dead-letter-topic", "string", "",
     "Topic for messages that the broker refused for good, with the reason in a header", kOptFixed},
    {"dead-letter-dir", "path", "",
     "Directory for messages that the broker refused for good (and those that dead-letter-topic "
     "does not accept), one JSON object per line",
     kOptFixed},
    {"dead-letter-max-bytes", "bytes(4096,1125899906842624)", "1G",
     "Size limit of dead-letter-dir; further messages are lost, counted and logged", kOptFixed},
    {"ledger", "bool", "0",
     "1: every message carries its source, the epoch of the connection and a number, by which "
     "dsmsg audit finds what is missing",
     kOptFixed},
    {"ledger-source", "template", "",
     "Source of a message in the ledger, e.g. ${camera.name}; empty: sensor.id or sensorId of the "
     "payload, else the topic",
     kOptFixed},
    {"ledger-field", "string", "",
     "Member of JSON payloads that carries the number in place of a header, for what has no "
     "headers",
     kOptFixed},
    {"ledger-file", "path", "",
     "Where numbers are written down that were given up, with the reason; %p in the name stands "
     "for "
     "the process id",
     kOptLocal | kOptFixed},
    {"ledger-max-bytes", "bytes(65536,1125899906842624)", "64M",
     "Size limit of ledger-file and the one before it (.1) together", kOptLocal | kOptFixed},
    {"metrics-file", "path", "",
     "Prometheus text file, written every metrics-interval; %p in the name stands for the process "
     "id",
     kOptLocal | kOptFixed},
    {"metrics-interval", "ms(100,86400000)", "5s", "How often metrics-file is written",
     kOptLocal | kOptFixed},
    {"config-watch", "ms(0,86400000)", "0",
     "How often to check whether the configuration file, a TLS file or a file named by "
     "${file:/path} has changed, and to reconnect with it if so; 0: never",
     kOptLocal | kOptFixed},
    {"log-level", "enum(error,warn,info,debug)", "warn",
     "Log level of this connection; the environment variable DSMSG_LOG takes precedence",
     kOptLocal},
    {"enable-tls", "bool", "0", "1: encrypt the connection"},
    {"tls-cafile", "path", "",
     "File with the trusted CA certificates (PEM); if this and tls-capath are empty: the system's"},
    {"tls-capath", "path", "", "Directory with the trusted CA certificates, named by hash"},
    {"tls-certfile", "path", "", "The client's certificate with its chain (PEM)"},
    {"tls-keyfile", "path", "", "The client's private key (PEM)"},
    {"tls-verify", "bool", "1", "0: do not check the broker's certificate (insecure)"},
    {"tls-server-name", "string", "", "Name expected in the broker's certificate; empty: the host"},
    {"tls-key-password", "string", "", "Password of the private key", kOptSecret},
    {"username", "string", "",
     "User name; deprecated in the file: set USER_<PROTOCOL> in the environment", kOptDeprecated},
    {"password", "string", "",
     "Password; deprecated in the file: set PASSWORD_<PROTOCOL> in the environment",
     kOptSecret | kOptDeprecated},
    {"hostname", "string", "", "Broker's host, used when the connection string is empty"},
    {"port", "int(1,65535)", "", "Broker's port, used when the connection string is empty"},
};

bool SameName(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return (x == '_' ? '-' : x) == (y == '_' ? '-' : y);
         });
}

}  // namespace

std::span<const OptionSpec> CommonOptions() { return kCommon; }

OptionTable::OptionTable(std::span<const OptionSpec> own)
    : specs_(std::begin(kCommon), std::end(kCommon)) {
  for (const OptionSpec& spec : own) {
    const auto same = [&](const OptionSpec& other) { return SameName(other.name, spec.name); };
    const auto found = std::find_if(specs_.begin(), specs_.end(), same);
    if (found == specs_.end()) {
      specs_.push_back(spec);
    } else {
      const unsigned fixed = found->flags & kOptFixed;
      *found = spec;
      found->flags |= fixed;
    }
  }
}

const OptionSpec* OptionTable::Find(std::string_view name) const {
  for (const OptionSpec& spec : specs_) {
    if (SameName(spec.name, name)) return &spec;
  }
  return nullptr;
}

std::string OptionTable::Nearest(std::string_view name) const {
  std::vector<std::string_view> names;
  names.reserve(specs_.size());
  for (const OptionSpec& spec : specs_) names.push_back(spec.name);
  return std::string(dsmsg::Nearest(name, names));
}

}  // namespace dsmsg
