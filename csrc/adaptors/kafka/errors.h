// SPDX-License-Identifier: Apache-2.0
// librdkafka's error codes and texts as Status. Pure functions: any thread.
#ifndef DSMSG_ADAPTORS_KAFKA_ERRORS_H_
#define DSMSG_ADAPTORS_KAFKA_ERRORS_H_

#include <librdkafka/rdkafka.h>

#include <string>
#include <string_view>

#include "core/base/status.h"
#include "core/net/hints.h"
#include "core/options/config.h"

namespace dsmsg::kafka {

/// What a delivery report or a refused produce call means for one message.
Status MessageStatus(rd_kafka_resp_err_t err, std::string_view topic);

/// The broker refused a batch, for its size or because of one of its records: this says nothing
/// about a single message unless it was alone.
bool MayBeAnothers(rd_kafka_resp_err_t err);
bool IsTooLarge(rd_kafka_resp_err_t err);
/// The status for each message of that batch: it is sent again.
Status BatchStatus(rd_kafka_resp_err_t err, std::string_view topic);

/// The producer was closed (or failed) before the broker answered: the fate of the message is
/// unknown, and it stays with the core.
bool IsPurge(rd_kafka_resp_err_t err);

/// The broker or librdkafka does not know the topic.
bool IsUnknownTopic(rd_kafka_resp_err_t err);

/// An error event that says something about the link to a broker, as opposed to one topic or one
/// message.
bool IsLinkError(rd_kafka_resp_err_t err);

/// The event shows that the broker has spoken Kafka's protocol on the connection that ended.
bool ShowsAnswer(std::string_view text);

/// The part of librdkafka's "<host>:<port>/<id>: <what> (after <n>ms in state <s>)" that a user
/// needs: the cause, in lower case, with what to try. `setup_timeout` is the bound of the
/// handshake, for its message; `peer` is what is known about that broker, for the advice.
std::string LinkCause(rd_kafka_resp_err_t err, std::string_view text, Millis setup_timeout,
                      const Peer& peer);

/// What to try when a broker refused the login with this text; `version` as from
/// rd_kafka_version().
std::string LoginAdvice(std::string_view refusal, int version);

/// The broker that an error event is about, from its start "<host>:<port>/<id>: ...".
struct Node {
  std::string address;  // "host:port"
  std::string id;       // a number, or "bootstrap" for one of the connection string
};
/// Empty strings: it is about none.
Node NodeIn(std::string_view text);

/// `status` is a LinkStatus for `brokers`, but the address that failed is one that the cluster
/// advertised.
Status AdvertisedStatus(const Status& status, const Node& node, const std::string& brokers);

/// What OpenSSL or librdkafka says about a failed handshake, without the words around it.
std::string TlsDetail(std::string_view text);

/// "cannot reach broker <brokers>: <cause>" with the code that fits `err`.
Status LinkStatus(rd_kafka_resp_err_t err, std::string_view text, const std::string& brokers,
                  Millis setup_timeout, const Peer& peer);

/// 1.5 s as "1.5 s", 250 ms as "250 ms".
std::string FormatMillis(Millis value);

}  // namespace dsmsg::kafka

#endif  // DSMSG_ADAPTORS_KAFKA_ERRORS_H_
