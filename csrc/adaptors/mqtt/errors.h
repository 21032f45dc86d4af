// SPDX-License-Identifier: Apache-2.0
// What the server's reason codes mean: for the core (a code) and for the user (a text with advice).
// Pure functions: any thread.
#ifndef DSMSG_ADAPTORS_MQTT_ERRORS_H_
#define DSMSG_ADAPTORS_MQTT_ERRORS_H_

#include <string>

#include "adaptors/mqtt/mosquitto_library.h"
#include "core/base/status.h"
#include "core/options/login.h"

namespace dsmsg::mqtt {

/// What MQTT 5 lets a server say in addition to a number: " (it says: ...)", and which other server
/// it names. Otherwise "".
std::string ServersWords(const mosquitto_property* properties);

/// A CONNACK other than 0 from `peer` ("host:port"), as an answer to `login`. `advice`: what to
/// check when it was the login.
Status ConnackError(bool version5, int code, const std::string& words, const std::string& peer,
                    const Login& login, const std::string& advice);
/// The server refuses this version of the protocol.
bool IsVersionRefused(int connack_code);

/// The reason of a PUBACK, PUBREC or PUBCOMP for a message to `topic`.
Status PublishError(int reason, const std::string& words, std::string_view topic,
                    const std::string& peer);
/// What mosquitto_publish says; only for errors that are the message's own (IsMessageError).
Status LibraryPublishError(int error, std::string_view topic, size_t size, const std::string& peer);
bool IsMessageError(int error);

/// The code for one refused topic filter of a SUBACK (128 or more).
Code SubscribeCode(int reason);
/// "not authorized (0x87)", for MQTT 3.1.1 only "refused".
std::string ReasonText(bool version5, int reason);

/// The connection to `peer` ended, for the library's `error`, with `error_number` errno.
Status LostError(int error, int error_number, const std::string& peer);
/// The server ended it with a DISCONNECT of `reason` (128 or more); the library does not pass on
/// its text.
Status DisconnectError(int reason, const std::string& peer);

}  // namespace dsmsg::mqtt

#endif  // DSMSG_ADAPTORS_MQTT_ERRORS_H_
