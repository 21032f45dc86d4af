// SPDX-License-Identifier: Apache-2.0
// JetStream's answers, which are JSON. Pure functions: any thread.
#ifndef DSMSG_ADAPTORS_NATS_API_H_
#define DSMSG_ADAPTORS_NATS_API_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adaptors/nats/wire.h"
#include "core/base/status.h"
#include "core/base/time.h"

namespace dsmsg::nats {

/// The outcome of a publish. *is_answer: the message is an answer of JetStream at all. Without a
/// stream for the subject: kUnknownTopic, with the server's status as text.
Status PublishOutcome(const Op& op, bool* is_answer);

/// The error in an answer of JetStream's API, if any; kUnavailable: no JetStream answers. *number:
/// its err_code.
Status ApiOutcome(const Op& op, int* number = nullptr);

/// STREAM.NAMES: the streams that have a subject.
std::string NamesRequest(std::string_view subject);
std::vector<std::string> NamesOf(std::string_view json);

struct StreamFacts {
  std::string name;
  int64_t max_bytes = -1;
  bool no_ack = false;
  bool interest = false;  // keeps messages for consumers only
};
StreamFacts FactsOf(std::string_view json);

struct ConsumerFacts {
  std::string filter;
  Millis ack_wait{30000};
};
ConsumerFacts ConsumerOf(std::string_view json);

struct ConsumerRequest {
  std::string stream, name, subject;
  bool durable = true;
  std::string deliver;    // "new", "all"
  int64_t since_ms = -1;  // not -1: instead of deliver, from this time on
  Millis ack_wait{30000};
};
std::string CreateRequest(const ConsumerRequest& request);
std::string PullRequest(size_t batch, Millis expires, Millis heartbeat);

/// $JS.ACK...: where a delivered message is acknowledged, and what that says about it.
struct Delivery {
  uint64_t delivered = 0, sequence = 0;  // how often; in the stream
  int64_t timestamp_ms = -1;
};
Delivery DeliveryOf(std::string_view reply);

/// The server's INFO.
struct ServerInfo {
  size_t max_payload = size_t{1} << 20;
  bool headers = false, auth_required = false;
  bool tls_required = false, tls_available = false;
  bool lame_duck = false;
  bool clustered = false;  // one of several servers, which elect leaders
  std::string nonce, version;
};
/// false: it is no JSON.
bool ReadInfo(std::string_view json, ServerInfo* info);

struct ConnectRequest {
  std::string user, password, token, jwt, public_key, signature;
  bool tls = false;
};
std::string ConnectJson(const ConnectRequest& request);

}  // namespace dsmsg::nats

#endif  // DSMSG_ADAPTORS_NATS_API_H_
