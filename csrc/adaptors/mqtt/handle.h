// SPDX-License-Identifier: Apache-2.0
// Owners for libmosquitto's objects, and the creation of a client object from the settings.
//
// A client object serves one connection and is discarded with it. If it were kept, it would resend
// unacknowledged messages by itself, and so would the core: everything would arrive twice.
//
// Threads: one at a time.
#ifndef DSMSG_ADAPTORS_MQTT_HANDLE_H_
#define DSMSG_ADAPTORS_MQTT_HANDLE_H_

#include <memory>
#include <string>

#include "adaptors/mqtt/mosquitto_library.h"
#include "adaptors/mqtt/settings.h"
#include "core/net/dial.h"

namespace dsmsg::mqtt {

struct DestroyMosquitto {
  void operator()(mosquitto* object) const { mosquitto_destroy(object); }
};
using MosquittoPtr = std::unique_ptr<mosquitto, DestroyMosquitto>;

/// A list of MQTT 5 properties.
class MqttProperties {
 public:
  MqttProperties() = default;
  MqttProperties(const MqttProperties&) = delete;
  MqttProperties& operator=(const MqttProperties&) = delete;
  ~MqttProperties() { mosquitto_property_free_all(&list_); }

  /// False: not valid (not UTF-8, a NUL byte, too long), or no memory.
  bool AddUser(std::string_view name, std::string_view value);
  bool AddUsers(const Pairs& pairs);
  void Add32(int identifier, uint32_t value) {
    mosquitto_property_add_int32(&list_, identifier, value);
  }
  const mosquitto_property* get() const { return list_; }

 private:
  mosquitto_property* list_ = nullptr;
};

/// A client object with login, will and options; not connected. Callbacks get `user`.
Result<MosquittoPtr> MakeMosquitto(const MqttSettings& settings, const Login& login, bool version5,
                                   void* user);

/// Starts to connect to a numeric address without waiting. Returns ok or the library's error; errno
/// then says more. Nothing is written before mosquitto_threaded_set(object, false).
int BeginConnect(mosquitto* object, const MqttSettings& settings, bool version5,
                 const Address& address, uint16_t port);

}  // namespace dsmsg::mqtt

#endif  // DSMSG_ADAPTORS_MQTT_HANDLE_H_
