// SPDX-License-Identifier: Apache-2.0
#include "core/options/options.h"

#include "adaptors/http/settings.h"

namespace dsmsg::http {
namespace {

constexpr OptionSpec kOptions[] = {
    {"path", "template", "",
     "Path and query of a request, for example /hooks/${topic}?camera=${sensor.id}; values are "
     "percent-encoded. Empty: the path of the URL, or without one /${topic}"},
    {"method", "enum(POST,PUT)", "POST", "Method of a request"},
    {"content-type", "string", "application/json", "Content type of every message"},
    {"batch-size", "int(1,10000)", "1",
     "With more than 1, waiting messages for the same URL are sent together, at most so many, as "
     "one JSON array; the payloads must be JSON"},
    {"linger", "ms(0,100)", "5",
     "How long a message may wait so that others can share its wake-ups; a synchronous send never "
     "waits. 0: every message is sent at once"},
    {"max-inflight", "int(1,1000)", "8",
     "Maximum number of requests at the same time. Messages of one key (without a key: of one "
     "topic) are sent one after the other"},
    {"request-timeout", "ms(1,3600000)", "30s",
     "Time limit for one request; without an answer by then it is sent again"},
    {"bearer-token", "string", "",
     "Token for the header Authorization: Bearer, for example ${file:/run/secrets/token}",
     kOptSecret},
    {"sign", "enum(none,aws-v4)", "none",
     "aws-v4: requests are signed as Amazon's services want it (Signature Version 4), and those "
     "of other makers that speak S3; user name and password are the access key and the secret key"},
    {"sign-region", "string", "us-east-1", "Region that requests are signed for"},
    {"sign-service", "string", "s3", "Service that requests are signed for"},
    {"sign-token", "string", "", "Session token of temporary keys; empty: none", kOptSecret},
    {"idempotency-header", "string", "Idempotency-Key",
     "Header with the message's id, which is the same when a message is sent again, so that the "
     "server can recognise it; empty: none"},
    {"key-header", "string", "", "Header that carries the message key; empty: none does"},
    {"cloudevents", "bool", "0",
     "1: headers of CloudEvents 1.0 (ce-id, ce-source, ce-type, ce-time; ce-subject is the topic)"},
    {"ce-source", "string", "/dsmsg", "Source of CloudEvents"},
    {"ce-type", "string", "dsmsg.message", "Type of CloudEvents"},
    {"http2", "bool", "1",
     "1: HTTP/2 where the server offers it over TLS; without TLS always HTTP/1.1"},
    {"proxy", "string", "",
     "Proxy for all requests, http://host:port or socks5://host:port, with user:password@ before "
     "the host where it wants a login; it looks up the server's name. Empty: none; http_proxy of "
     "the environment is ignored",
     kOptSecret},
    {"compression", "enum(none,gzip)", "none",
     "gzip: bodies are compressed where that makes them smaller; the server must understand "
     "Content-Encoding"},
    {"probe", "string", "",
     "Path that is asked with GET when connecting, so that a wrong token or password is noticed at "
     "once, for example /health; empty: only the connection is made"},
    {"probe-interval", "ms(0,3600000)", "10s",
     "How often probe is asked while nothing is sent, so that a server that goes away is noticed; "
     "0: only when connecting"},
    {"poison-attempts", "int(0,100)", "3",
     "How often the server may end a new connection over a message that was sent alone before that "
     "message fails; 0: no limit, as without probe: a proxy in front of a server that is down ends "
     "connections, too",
     kOptFixed},
    {"listen", "string", "",
     "Address of the endpoint that receives, host:port or only the port, which means "
     "127.0.0.1:port; subscribe needs it"},
    {"listen-certfile", "path", "", "Certificate of the endpoint with its chain (PEM): TLS"},
    {"listen-keyfile", "path", "", "Private key of the endpoint (PEM)"},
    {"listen-headers", "pairs", "",
     "Headers that a request must have, with these values: X-Token=secret", kOptSecret},
    {"listen-allow", "string", "",
     "Addresses and networks whose requests are taken: 10.0.0.0/8,192.168.1.7; empty: all"},
    {"listen-max-bytes", "bytes(1,1073741824)", "1M", "A larger request is refused with 413"},
    {"listen-connections", "int(1,10000)", "64",
     "Maximum number of connections to the endpoint at the same time"},
    {"listen-timeout", "ms(100,3600000)", "60s",
     "How long a request may take to come; how long a connection may stay without one"},
};

}  // namespace

std::span<const OptionSpec> Options() { return kOptions; }

}  // namespace dsmsg::http
