// SPDX-License-Identifier: Apache-2.0
// The client library with the protocol's constants, which mosquitto.h itself includes since 2.1.
#ifndef DSMSG_ADAPTORS_MQTT_MOSQUITTO_LIBRARY_H_
#define DSMSG_ADAPTORS_MQTT_MOSQUITTO_LIBRARY_H_

#include <mosquitto.h>
#if LIBMOSQUITTO_VERSION_NUMBER < 2001000
#include <mqtt_protocol.h>
#endif

#endif  // DSMSG_ADAPTORS_MQTT_MOSQUITTO_LIBRARY_H_
