// SPDX-License-Identifier: Apache-2.0
#include "adaptors/kafka/errors.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>

namespace dsmsg::kafka {
namespace {

// The text without the parts that librdkafka adds for its own log: the address in front, timing and
// repeats at the end.
std::string_view Core(std::string_view text) {
  const auto cut = [&text](std::string_view mark) {
    const size_t at = text.find(mark);
    if (at != std::string_view::npos) text = text.substr(0, at);
  };
  cut(" (after ");
  cut(" (_");  // rd_kafka_err2name of some texts
  // "[thrd:...]: " and "host:port/id: " end with ": "; the id is a number or "bootstrap".
  const size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    const size_t colon = text.find(": ", slash);
    if (colon != std::string_view::npos) text = text.substr(colon + 2);
  }
  return text;
}

std::string LowerFirst(std::string_view text) {
  std::string out(text);
  // "Connection refused" but not "SSL handshake".
  if (out.size() > 1 && std::islower(static_cast<unsigned char>(out[1])) != 0) {
    out[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(out[0])));
  }
  return out;
}

std::string SetupTimeout(std::string_view text, Millis limit, const Peer& peer) {
  const std::string within = " within " + FormatMillis(limit);
  if (text.find("state CONNECT") != std::string_view::npos) {
    return "no answer to the TCP connect" + within + Hint(Situation::kNoAnswer, peer);
  }
  if (text.find("SSL") != std::string_view::npos) {
    return "connected, but the TLS handshake did not finish" + within +
           Hint(Situation::kTlsSilent, peer);
  }
  return "connected, but no answer to the Kafka handshake" + within +
         Hint(Situation::kSilent, peer);
}

// A broker that requires a login closes a connection without one, although it already counts as
// open.
bool MayWantLogin(std::string_view text) {
  constexpr std::string_view kAfter = " (after ";
  constexpr long kSoon = 2000;
  const size_t after = text.rfind(kAfter);
  if (after == text.npos || text.find("ms in state UP", after) == text.npos) return false;
  return Core(text).starts_with("Disconnected") && text.find("sasl_") == text.npos &&
         std::strtol(std::string(text.substr(after + kAfter.size())).c_str(), nullptr, 10) < kSoon;
}

// The server ended the connection. What that means depends on the state it was in; librdkafka's own
// guess is worded differently in each version and missing since 2.11.
std::string Closed(std::string_view text, const Peer& peer) {
  if (text.find("in state SSL_HANDSHAKE") != text.npos) {
    return "TLS: the server closed the connection during the handshake" +
           Hint(Situation::kTlsClosed, peer);
  }
  if (peer.answered == Answered::kBefore) {
    return "the connection was closed" + Hint(Situation::kClosed, peer);
  }
  if (MayWantLogin(text)) {
    return "the connection was closed during the handshake (does the broker want a login? then set "
           "sasl-mechanism, USER_KAFKA and PASSWORD_KAFKA)";
  }
  return "the connection was closed during the handshake" + Hint(Situation::kClosed, peer);
}

// Of "Connect to ipv4#127.0.0.1:9092 failed: Connection refused".
Situation ConnectSituation(std::string_view why) {
  const auto has = [why](std::string_view part) { return why.find(part) != why.npos; };
  if (has("timed out")) return Situation::kNoAnswer;
  if (has("unreachable") || has("No route")) return Situation::kUnreachable;
  if (has("assign requested address")) return Situation::kNoAddress;
  if (has("ermission denied") || has("not permitted")) return Situation::kFirewall;
  return Situation::kRefused;
}

// "Receive failed: Invalid response size 1213486160 (0..100000000): ...": librdkafka read the first
// four bytes of another protocol as a length.
std::string NotKafka(std::string_view text, const Peer& peer) {
  constexpr std::string_view kMark = "Invalid response size ";
  const std::string number(text.substr(text.find(kMark) + kMark.size()));
  const auto size = static_cast<uint32_t>(std::strtol(number.c_str(), nullptr, 10));
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> shift & 0xff);
  return ForeignAnswer(bytes, peer, "its answer is not Kafka's protocol");
}

Code MessageCode(rd_kafka_resp_err_t err) {
  switch (err) {
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    // While the producer lives: the partition was purged because its topic was deleted, along with
    // messages that a broker's answer had just returned to it.
    case RD_KAFKA_RESP_ERR__DESTROY:
      return Code::kUnknownTopic;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
      return Code::kTooLarge;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
      return Code::kAuth;
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
      return Code::kWouldBlock;
    // Only reachable if the user limits librdkafka's own retries (`retries` in producer-proto-cfg):
    // the core then continues.
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__RETRY:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
    case RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED:
      return Code::kUnavailable;
    default:
      return Code::kRejected;
  }
}

const char* MessageHint(rd_kafka_resp_err_t err) {
  switch (MessageCode(err)) {
    case Code::kUnknownTopic:
      return " (create the topic, or allow auto.create.topics.enable on the broker)";
    case Code::kTooLarge:
      return " (raise max-message-bytes here and max.message.bytes of the topic)";
    case Code::kAuth:
      return " (does this user have the right to write to the topic?)";
    default:
      break;
  }
  if (err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT) {
    return " (message.timeout.ms of proto-cfg; without it messages wait)";
  }
  if (err != RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP) return "";
  return " (its time is too far from the broker's: are both clocks right? the topic's "
         "message.timestamp.after.max.ms and message.timestamp.before.max.ms set the limits)";
}

}  // namespace

std::string FormatMillis(Millis value) {
  const long long ms = value.count();
  char text[40];
  if (ms < 1000) {
    std::snprintf(text, sizeof text, "%lld ms", ms);
  } else if (ms % 1000 == 0) {
    std::snprintf(text, sizeof text, "%lld s", ms / 1000);
  } else {
    std::snprintf(text, sizeof text, "%.1f s", static_cast<double>(ms) / 1000.0);
  }
  return text;
}

bool IsUnknownTopic(rd_kafka_resp_err_t err) {
  return err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
}

bool IsPurge(rd_kafka_resp_err_t err) {
  return err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT ||
         err == RD_KAFKA_RESP_ERR__FATAL;
}

bool IsLinkError(rd_kafka_resp_err_t err) {
  switch (err) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR__BAD_MSG:  // another protocol answers
      return true;
    default:
      return false;
  }
}

bool IsTooLarge(rd_kafka_resp_err_t err) { return MessageCode(err) == Code::kTooLarge; }

bool MayBeAnothers(rd_kafka_resp_err_t err) {
  // RD_KAFKA_RESP_ERR__INVALID_DIFFERENT_RECORD, since librdkafka 2.5: not this message. The
  // library's other errors are negative too.
  if (static_cast<int>(err) == -138) return true;
  return err > 0 && (IsTooLarge(err) || MessageCode(err) == Code::kRejected);
}

Status BatchStatus(rd_kafka_resp_err_t err, std::string_view topic) {
  return {Code::kUnavailable,
          "a batch for topic '" + std::string(topic) + "' not taken: " + rd_kafka_err2str(err) +
              (IsTooLarge(err) ? " (its messages are sent again in smaller batches; set "
                                 "batch-bytes below max.message.bytes of the topic)"
                               : std::string(" (its messages are sent again in smaller batches, to "
                                             "find the one that is refused)"))};
}

bool ShowsAnswer(std::string_view text) {
  return text.find("in state UP") != text.npos && !MayWantLogin(text);
}

Status MessageStatus(rd_kafka_resp_err_t err, std::string_view topic) {
  if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return Status(MessageCode(err), "message for topic '" + std::string(topic) +
                                      "' not taken: " + rd_kafka_err2str(err) + MessageHint(err));
}

// "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker ..."
std::string TlsDetail(std::string_view text) {
  std::string_view core = Core(text);
  for (std::string_view prefix : {"SSL handshake failed: ", "Receive failed: ", "Send failed: "}) {
    if (core.starts_with(prefix)) core.remove_prefix(prefix.size());
  }
  core = core.substr(0, core.find(": SSL alert number"));
  const size_t routines = core.find(" routines:");
  if (core.starts_with("error:") && routines != std::string_view::npos) {
    core.remove_prefix(routines + 10);
    while (core.starts_with(":")) core.remove_prefix(1);
  }
  return LowerFirst(core);
}

// Before 2.6.1, librdkafka repeats its nonce in SCRAM's last message, which Kafka 4 refuses with
// the text for a wrong password.
std::string LoginAdvice(std::string_view refusal, int version) {
  std::string advice = " (check sasl-mechanism, USER_KAFKA and PASSWORD_KAFKA";
  const bool scram = refusal.find("SCRAM") != refusal.npos;
  const bool offered = refusal.find("Unsupported SASL mechanism") == refusal.npos;
  if (scram && offered && version < 0x020601ff) {
    advice += "; Kafka 4 refuses every SCRAM login of this librdkafka, which is ";
    advice += rd_kafka_version_str();
    advice += ": it needs librdkafka 2.6.1, or PLAIN over TLS";
  }
  return advice + ")";
}

std::string LinkCause(rd_kafka_resp_err_t err, std::string_view text, Millis setup_timeout,
                      const Peer& peer) {
  if (text.find("setup timed out") != std::string_view::npos) {
    return SetupTimeout(text, setup_timeout, peer);
  }
  if (text.find("Invalid response size") != std::string_view::npos) return NotKafka(text, peer);
  std::string_view core = Core(text);
  if (err == RD_KAFKA_RESP_ERR__RESOLVE) {
    const size_t at = core.rfind("': ");
    const std::string_view why = at == std::string_view::npos ? core : core.substr(at + 3);
    const bool away = why.starts_with("Temporary failure");
    return "name lookup: " + LowerFirst(why) +
           Hint(away ? Situation::kNameServerAway : Situation::kNameUnknown, peer);
  }
  if (err == RD_KAFKA_RESP_ERR__AUTHENTICATION) {
    if (core.find("not valid in current SASL state") != std::string_view::npos) {
      return "authentication: this listener has no login (use the port of a listener with SASL, or "
             "leave sasl-mechanism out)";
    }
    return "authentication: " + LowerFirst(core) + LoginAdvice(core, rd_kafka_version());
  }
  if (err == RD_KAFKA_RESP_ERR__SSL) return "TLS: " + TlsDetail(text);
  if (core.starts_with("Disconnected") || core.starts_with("SSL handshake failed: Disconnected")) {
    return Closed(text, peer);
  }
  const size_t failed = core.find(" failed: ");
  if (core.starts_with("Connect to ") && failed != std::string_view::npos) {
    const std::string why = LowerFirst(core.substr(failed + 9));
    return why + Hint(ConnectSituation(why), peer);
  }
  return LowerFirst(core);
}

Status LinkStatus(rd_kafka_resp_err_t err, std::string_view text, const std::string& brokers,
                  Millis setup_timeout, const Peer& peer) {
  Code code = Code::kUnavailable;
  if (err == RD_KAFKA_RESP_ERR__AUTHENTICATION) {
    code = Code::kAuth;
  } else if (err == RD_KAFKA_RESP_ERR__TIMED_OUT) {
    code = Code::kTimeout;
  }
  return Status(
      code, "cannot reach broker " + brokers + ": " + LinkCause(err, text, setup_timeout, peer));
}

Node NodeIn(std::string_view text) {
  if (text.starts_with("[thrd:")) text.remove_prefix(std::min(text.size(), text.find("]: ") + 3));
  text = text.substr(0, text.find(": "));
  if (const size_t scheme = text.find("://"); scheme != text.npos) text.remove_prefix(scheme + 3);
  const size_t slash = text.rfind('/');
  if (slash == text.npos || text.find(' ') != text.npos) return {};
  return {std::string(text.substr(0, slash)), std::string(text.substr(slash + 1))};
}

Status AdvertisedStatus(const Status& status, const Node& node, const std::string& brokers) {
  const std::string start = "cannot reach broker " + brokers + ": ";
  std::string_view cause = status.message();
  if (cause.starts_with(start)) cause.remove_prefix(start.size());
  // The advice for an address given by the user does not fit here.
  if (cause.ends_with(')')) cause = cause.substr(0, cause.rfind(" ("));
  // librdkafka asks for exactly this name and accepts no other.
  const bool dot = cause.starts_with("TLS") && node.address.find(".:") != std::string::npos;
  return {status.code(),
          "cannot reach broker " + node.address + ": " + std::string(cause) + " (the cluster at " +
              brokers + " names this address for its broker " + node.id +
              (dot ? ": with TLS, a name must not end with a dot; remove it from "
                     "advertised.listeners there)"
                   : ": set advertised.listeners there to one that this machine can resolve and "
                     "reach)")};
}

}  // namespace dsmsg::kafka
