// SPDX-License-Identifier: Apache-2.0
// The alert that came before a connection was reset. A TLS 1.3 server looks at our certificate
// after the handshake; when it refuses, libmosquitto meets the reset in the write of CONNECT and
// throws away, unread, what says why.
//
// Threads: that of the connection.
#ifndef DSMSG_ADAPTORS_MQTT_UNREAD_ALERT_H_
#define DSMSG_ADAPTORS_MQTT_UNREAD_ALERT_H_

#include <openssl/types.h>

#include <string>

#include "core/net.h"

namespace dsmsg {

class UnreadAlert {
 public:
  /// Keeps the object and its socket beyond the library's own use; the connection counts as open as
  /// long as this lives.
  explicit UnreadAlert(SSL* ssl);
  ~UnreadAlert();
  UnreadAlert(const UnreadAlert&) = delete;
  UnreadAlert& operator=(const UnreadAlert&) = delete;

  /// The alert's text; empty: there is none.
  std::string Read();

 private:
  SSL* const ssl_;
  const UniqueFd socket_;
};

}  // namespace dsmsg

#endif  // DSMSG_ADAPTORS_MQTT_UNREAD_ALERT_H_
