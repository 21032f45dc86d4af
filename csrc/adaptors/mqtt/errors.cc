// SPDX-License-Identifier: Apache-2.0
#include "adaptors/mqtt/errors.h"

#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "core/net/hints.h"

namespace dsmsg::mqtt {
namespace {

constexpr char kRightsAdvice[] = " (check what the server lets this user do)";

std::string Named(const char* text, int code) {
  char number[16];
  std::snprintf(number, sizeof number, " (0x%02x)", static_cast<unsigned>(code) & 0xff);
  std::string name(text);
  while (!name.empty() && name.back() == '.') name.pop_back();
  return name + number;
}

struct Meaning {
  Code code;
  const char* advice;
};

Meaning MeaningOf(int reason) {
  switch (reason) {
    case MQTT_RC_BAD_USERNAME_OR_PASSWORD:
    case MQTT_RC_NOT_AUTHORIZED:
    case MQTT_RC_BAD_AUTHENTICATION_METHOD:
      return {Code::kAuth, kRightsAdvice};
    case MQTT_RC_BANNED:
      return {Code::kAuth, " (the server has banned this client)"};
    case MQTT_RC_CLIENTID_NOT_VALID:
      return {Code::kRejected, " (choose another client-id)"};
    case MQTT_RC_TOPIC_NAME_INVALID:
      return {Code::kUnknownTopic, " (the server accepts no messages for a topic of this name)"};
    case MQTT_RC_TOPIC_FILTER_INVALID:
      return {Code::kInvalidArgument, ""};
    case MQTT_RC_PACKET_TOO_LARGE:
      return {Code::kTooLarge, " (raise the server's limit, or lower max-message-bytes)"};
    case MQTT_RC_SERVER_UNAVAILABLE:
    case MQTT_RC_SERVER_BUSY:
    case MQTT_RC_SERVER_SHUTTING_DOWN:
    case MQTT_RC_PACKET_ID_IN_USE:
    case MQTT_RC_MAXIMUM_CONNECT_TIME:
      return {Code::kUnavailable, ""};
    case MQTT_RC_KEEP_ALIVE_TIMEOUT:
      return {Code::kUnavailable,
              " (it heard nothing for longer than keep-alive: is this process or the network "
              "overloaded?)"};
    case MQTT_RC_RECEIVE_MAXIMUM_EXCEEDED:
      return {Code::kUnavailable, " (lower max-inflight)"};
    case MQTT_RC_MESSAGE_RATE_TOO_HIGH:
      return {Code::kUnavailable, " (it limits how fast a client may send)"};
    case MQTT_RC_QUOTA_EXCEEDED:
      return {Code::kUnavailable, " (this client has reached one of the server's limits)"};
    case MQTT_RC_ADMINISTRATIVE_ACTION:
      return {Code::kUnavailable, " (an operator or a rule of the server ended it)"};
    case MQTT_RC_CONNECTION_RATE_EXCEEDED:
      return {Code::kUnavailable, " (it limits how often clients connect)"};
    case MQTT_RC_USE_ANOTHER_SERVER:
    case MQTT_RC_SERVER_MOVED:
      return {Code::kUnavailable, " (name the other server in conn-str)"};
    case MQTT_RC_SESSION_TAKEN_OVER:
      return {Code::kUnavailable,
              " (another connection uses the same client-id: give each its own)"};
    default:
      return {Code::kRejected, ""};
  }
}

}  // namespace

bool IsVersionRefused(int connack_code) {
  return connack_code == CONNACK_REFUSED_PROTOCOL_VERSION ||
         connack_code == MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION;
}

std::string ServersWords(const mosquitto_property* properties) {
  constexpr std::pair<int, const char*> kTexts[] = {
      {MQTT_PROP_REASON_STRING, " (it says: "},
      {MQTT_PROP_SERVER_REFERENCE, " (it names another server: "}};
  constexpr size_t kLongest = 300;
  std::string words;
  for (const auto& [property, intro] : kTexts) {
    char* text = nullptr;
    (void)mosquitto_property_read_string(properties, property, &text, false);
    // Since 2.1, the library uses nullptr for an empty one too.
    const std::string shown(std::string_view(text == nullptr ? "" : text).substr(0, kLongest));
    std::free(text);  // the caller owns it; the library lets no control characters through
    if (!shown.empty()) words += intro + shown + ")";
  }
  return words;
}

Status ConnackError(bool version5, int code, const std::string& words, const std::string& peer,
                    const Login& login, const std::string& check) {
  const auto refused = [&](Code meaning, const std::string& said, std::string_view advice = {}) {
    return LoginRefused(meaning, peer, login, said, advice);
  };
  if (IsVersionRefused(code)) {
    return refused(Code::kNotSupported,
                   "the server does not speak this version of MQTT (see the option protocol)");
  }
  if (version5) {
    const Meaning meaning = MeaningOf(code);
    return refused(meaning.code, Named(mosquitto_reason_string(code), code) + words,
                   meaning.advice == kRightsAdvice ? check : meaning.advice);
  }
  switch (code) {
    case CONNACK_REFUSED_SERVER_UNAVAILABLE:
      return refused(Code::kUnavailable, "the server is unavailable (0x03)");
    case CONNACK_REFUSED_BAD_USERNAME_PASSWORD:
      return refused(Code::kAuth, "bad user name or password (0x04)", check);
    case CONNACK_REFUSED_NOT_AUTHORIZED:
      return refused(Code::kAuth, "not authorized (0x05)", check);
    case CONNACK_REFUSED_IDENTIFIER_REJECTED:
      return refused(Code::kRejected, "the client-id is refused (0x02; choose another)");
    default:
      return refused(Code::kRejected, Named("refused", code));
  }
}

Status PublishError(int reason, const std::string& words, std::string_view topic,
                    const std::string& peer) {
  const Meaning meaning = MeaningOf(reason);
  const bool login = meaning.code == Code::kAuth;
  return {meaning.code, "publishing to \"" + std::string(topic) + "\" was refused by " + peer +
                            ": " + Named(mosquitto_reason_string(reason), reason) + words +
                            (login ? " (the server's access list does not let this user write "
                                     "there)"
                                   : meaning.advice)};
}

bool IsMessageError(int error) {
  switch (error) {
    case MOSQ_ERR_INVAL:
    case MOSQ_ERR_MALFORMED_UTF8:
    case MOSQ_ERR_PAYLOAD_SIZE:
    case MOSQ_ERR_OVERSIZE_PACKET:
    case MOSQ_ERR_QOS_NOT_SUPPORTED:
    case MOSQ_ERR_RETAIN_NOT_SUPPORTED:
      return true;
    default:
      return false;
  }
}

Status LibraryPublishError(int error, std::string_view topic, size_t size,
                           const std::string& peer) {
  const std::string where =
      "publishing to \"" + std::string(topic.substr(0, 200)) + "\" at " + peer + ": ";
  switch (error) {
    case MOSQ_ERR_INVAL:
    case MOSQ_ERR_MALFORMED_UTF8:
      return {Code::kUnknownTopic, where +
                                       "not a topic that can be published to (it must be valid "
                                       "UTF-8 of at most 65535 bytes, without + or #)"};
    case MOSQ_ERR_PAYLOAD_SIZE:
    case MOSQ_ERR_OVERSIZE_PACKET:
      return {Code::kTooLarge, where + std::to_string(size) +
                                   " bytes are more than the server accepts (raise its limit, for "
                                   "Mosquitto max_packet_size, or lower max-message-bytes)"};
    default:
      return {Code::kRejected, where + mosquitto_strerror(error)};
  }
}

Code SubscribeCode(int reason) {
  const Code code = MeaningOf(reason).code;
  // The link is fine: retrying at once would bring the same answer.
  return code == Code::kUnavailable ? Code::kRejected : code;
}

std::string ReasonText(bool version5, int reason) {
  return Named(version5 ? mosquitto_reason_string(reason) : "refused", reason);
}

// An outage calls for a retry whatever the server's reason; the text is for a person.
Status DisconnectError(int reason, const std::string& peer) {
  return {Code::kUnavailable, "lost the connection to " + peer + ": the server ended it: " +
                                  Named(mosquitto_reason_string(reason), reason) +
                                  MeaningOf(reason).advice};
}

Status LostError(int error, int error_number, const std::string& peer) {
  const std::string start = "lost the connection to " + peer + ": ";
  switch (error) {
    case MOSQ_ERR_SUCCESS:
    case MOSQ_ERR_CONN_LOST:
      return {Code::kUnavailable, start + "the server closed it"};
    case MOSQ_ERR_ERRNO:
      return {Code::kUnavailable, start + std::generic_category().message(error_number)};
    case MOSQ_ERR_KEEPALIVE:
      return {Code::kTimeout,
              start + "it did not answer within keep-alive" + Hint(Situation::kStalled)};
    case MOSQ_ERR_PROTOCOL:
    case MOSQ_ERR_MALFORMED_PACKET:
      return {Code::kUnavailable,
              start + "it sent a packet that is not valid in this version of MQTT"};
    default:
      return {Code::kUnavailable, start + mosquitto_strerror(error)};
  }
}

}  // namespace dsmsg::mqtt
