// SPDX-License-Identifier: Apache-2.0
#include "core/options/options.h"

#include "adaptors/azure/driver.h"

namespace dsmsg::azure {
namespace {

constexpr OptionSpec kOptions[] = {
    {"connection-str", "string", "",
     "Connection string of the device or module, from the portal "
     "(HostName=<hub>.azure-devices.net;DeviceId=<id>;SharedAccessKey=<key>, a module's with "
     "ModuleId), used when the host gives none; in a module of IoT Edge, the runtime's is used "
     "without it",
     kOptSecret},
    {"custom-msg-properties", "pairs", "",
     "Properties of every message, name=value;name=value. The option headers adds properties with "
     "fields of the payload. $.mid, $.cid, $.uid, $.ct, $.ce, $.ifid and $.exp are the system's "
     "own: message id, correlation id, user, content type and encoding, interface id, end of "
     "validity"},
    {"content-type", "string", "",
     "Content type of every message, such as application/json; routes by the body need it"},
    {"content-encoding", "string", "", "Its encoding, such as utf-8; routes by the body need it"},
    {"cleanup-timeout", "s(0,3600)", "10", "The same as flush-timeout, in seconds"},
    {"sas-ttl", "s(10,31536000)", "1h",
     "How long a token made of the key is valid; it is renewed in time"},
    {"api-version", "string", "",
     "Version of the hub's interface; empty: 2019-10-01, with model-id 2020-09-30"},
    {"model-id", "string", "", "IoT Plug and Play model of the device (dtmi:...)"},
    {"gateway-hostname", "string", "", "IoT Edge gateway to connect to in place of the hub"},
    {"keep-alive", "s(5,1767)", "60", "Seconds without traffic after which the client pings"},
    {"qos", "int(0,1)", "1",
     "0: OK once written to the socket; 1: OK once the hub has acknowledged the message"},
    {"max-inflight", "int(1,65535)", "200",
     "Maximum number of messages sent but not yet acknowledged"},
    {"linger", "ms(0,100)", "5",
     "How long a message may wait so that others can share its wake-ups; a synchronous send never "
     "waits. 0: every message is sent at once"},
    {"poison-attempts", "int(0,100)", "0",
     "How often the hub may end a new connection over a message that was sent alone before that "
     "message fails; 0: no limit, since a hub also ends connections that are over its quota",
     kOptFixed},
    {"max-message-bytes", "bytes(1,262144)", "256K",
     "A larger payload is completed with an error; the hub counts properties, too"},
    {"enable-tls", "bool", "1", "Always on: a hub has no other connections"},
    // Only of devices.
    {"topic-property", "string", "",
     "Name of a property that carries the message's topic, both ways: of sent messages for routes, "
     "of received ones for subscriptions; empty: none does, since a device has only one topic"},
};

}  // namespace

std::span<const OptionSpec> Options(bool module) {
  return std::span(kOptions).first(std::size(kOptions) - (module ? 1 : 0));
}

}  // namespace dsmsg::azure
