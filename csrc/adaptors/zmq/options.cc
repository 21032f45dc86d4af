// SPDX-License-Identifier: Apache-2.0
// The option table. Names and defaults are those of the ZMQ output handler that users come from;
// dashes and underscores are the same.
#include "core/options/options.h"
#include "adaptors/zmq/settings.h"

namespace dsmsg::zmq {
namespace {

constexpr char kNoTls[] = "ZeroMQ has no TLS: use the curve-* options (CURVE encryption) instead";

constexpr OptionSpec kOptions[] = {
    {"socket_type", "enum(PUSH,PUB,REQ,NONE)", "PUSH",
     "Socket that sends. PUSH: to one of the connected PULL sockets in turn. PUB: to all "
     "subscribers. REQ: each message waits for the reply of a REP socket; only REQ can tell that a "
     "message arrived. NONE: the handle only receives (also when "
     "subscribe_socket_type is set and this is not)"},
    {"subscribe_socket_type", "enum(SUB,PULL,REP)", "SUB",
     "Socket that receives (subscribe). REP answers each request with OK once the callback has "
     "returned"},
    {"subscribe_address", "string", "",
     "Address of the receiving socket, for a handle that sends and receives. Without it both use "
     "the connection string, and a handle either sends or receives"},
    {"bind", "enum(auto,0,1)", "auto",
     "1: bind the address, 0: connect to it. auto: '*' or '@' in the address binds, '>' connects; "
     "otherwise tcp connects, and with ipc and inproc, PUB, PULL and REP bind and the others "
     "connect"},
    {"topic_frame", "enum(auto,0,1)", "auto",
     "1: a message is two frames, topic and payload; 0: the payload alone. auto: two frames for "
     "PUB, one for PUSH and REQ. With 1, a message without a topic is refused"},
    {"topic", "template", "",
     "Topic or template used when the caller gives no topic; with PUB it is the first frame, whose "
     "beginning subscribers filter by"},
    {"high_water_mark", "int(0,10000000)", "1000",
     "Maximum number of messages that libzmq holds for each connection, in each direction; 0: no "
     "limit"},
    {"linger", "ms(0,60000)", "1000",
     "How long libzmq keeps sending what it holds after the connection is closed"},
    {"submit-linger", "ms(0,100)", "5",
     "How long a message may wait so that others can share its wake-ups; a synchronous send never "
     "waits. 0: every message is sent at once"},
    {"send-timeout", "ms(1,86400000)", "100",
     "Time limit for a synchronous send. REQ: request_timeout*(retries+1) if this is not set"},
    {"reconnect-interval", "ms(1,3600000)", "5000",
     "First pause between attempts to connect; doubles each time, with full jitter"},
    {"max_reconnect_attempts", "int(-1,1000000000)", "-1",
     "Attempts before giving up; -1: no limit, 0: no attempt. The same as reconnect-attempts"},
    {"queue-size", "int(1,10000000)", "1000", "Limit of the memory queue, in messages"},
    {"request_timeout", "ms(1,3600000)", "5000",
     "REQ: how long to wait for a reply before the socket is reopened and the request repeated"},
    {"retries", "int(0,1000000)", "3",
     "REQ: how often a request is repeated; after that the receiver counts as down, and the "
     "message waits in the queue until it is back"},
    {"wait_for_subscribers", "bool", "0",
     "PUB: 1: messages wait in the queue while there is no subscriber, instead of being dropped"},
    {"no_drop", "bool", "0",
     "PUB: 1: messages wait while any subscriber is at its high-water mark, instead of being "
     "dropped for that subscriber; a slow subscriber then holds up all of them"},
    {"heartbeat-interval", "ms(0,3600000)", "0",
     "How often libzmq checks whether the other side still answers (ZMTP 3.1, libzmq 4.2 or newer "
     "on both sides); three intervals without an answer end the connection. 0: never"},
    {"curve-server-key", "string", "",
     "CURVE, a socket that connects: the public key of the socket that binds (40 characters, Z85)"},
    {"curve-public-key", "string", "", "CURVE: our public key (40 characters, Z85)"},
    {"curve-secret-key", "string", "",
     "CURVE: our secret key (40 characters, Z85). A socket that binds is then a CURVE server; one "
     "that connects generates its own pair if none is given",
     kOptSecret},
    {"enable-tls", "bool", "0", kNoTls, kOptUnavailable},
    {"tls-cafile", "path", "", kNoTls, kOptUnavailable},
    {"tls-capath", "path", "", kNoTls, kOptUnavailable},
    {"tls-certfile", "path", "", kNoTls, kOptUnavailable},
    {"tls-keyfile", "path", "", kNoTls, kOptUnavailable},
    {"tls-verify", "bool", "1", kNoTls, kOptUnavailable},
    {"tls-server-name", "string", "", kNoTls, kOptUnavailable},
    {"tls-key-password", "string", "", kNoTls, kOptSecret | kOptUnavailable},
    {"username", "string", "",
     "User name of ZeroMQ's PLAIN mechanism, which is sent in clear text; deprecated in the file: "
     "set USER_ZMQ in the environment, or better use curve-*",
     kOptDeprecated},
    {"password", "string", "",
     "Password of ZeroMQ's PLAIN mechanism, which is sent in clear text; deprecated in the file: "
     "set PASSWORD_ZMQ in the environment, or better use curve-*",
     kOptSecret | kOptDeprecated},
};

}  // namespace

std::span<const OptionSpec> Options() { return kOptions; }

}  // namespace dsmsg::zmq
