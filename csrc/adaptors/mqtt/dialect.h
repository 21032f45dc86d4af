// SPDX-License-Identifier: Apache-2.0
// A service that speaks MQTT in a way of its own (Azure IoT Hub): a login that expires, topics made
// of identities and properties. An adaptor for one derives from MqttDriver and gives it a Dialect;
// the MQTT adaptor itself has none.
//
// Threads: the connection's I/O thread only.
#ifndef DSMSG_ADAPTORS_MQTT_DIALECT_H_
#define DSMSG_ADAPTORS_MQTT_DIALECT_H_

#include <span>
#include <string>
#include <string_view>

#include "core/base/status.h"
#include "core/base/time.h"
#include "core/driver/message.h"
#include "core/options/login.h"

struct mosquitto;
struct mosquitto_message;

namespace dsmsg::mqtt {

class Dialect {
 public:
  virtual ~Dialect() = default;

  /// The login for the next connection. May ask another service for it.
  virtual Result<Login> NewLogin(Deadline deadline, int cancel_fd) = 0;
  /// From then on the connection is to be made anew, with a new login.
  virtual Clock::time_point renew_at() const = 0;
  /// What to check when the server refuses the login: " (...)".
  virtual std::string LoginAdvice() const = 0;
  /// The same when it ends connections soon after the login, again and again.
  virtual std::string ShortLifeAdvice() const = 0;

  /// The topic on the wire, a C string that is valid until the next call.
  virtual Result<const char*> WireTopic(const Message& message) = 0;

  /// The filter that brings what the host calls `topic`, perhaps with other messages.
  virtual std::string Filter(const std::string& topic) const = 0;
  /// Whether a subscription to `topic` has messages that Read gives the topic `received`.
  virtual bool Matches(const std::string& topic, const std::string& received) const = 0;
  /// Filters of what the service asks of its clients, subscribed to beside the host's.
  virtual std::span<const char* const> Requests() const = 0;
  /// Takes a received message apart: topic and properties as the host is to see them. False: it was
  /// a request, answered here on `client`, or nothing for the host.
  virtual bool Read(const mosquitto_message& message, mosquitto* client, InMessage* out) = 0;
};

}  // namespace dsmsg::mqtt

#endif  // DSMSG_ADAPTORS_MQTT_DIALECT_H_
