// SPDX-License-Identifier: Apache-2.0
#include "unread_alert.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "core/tls.h"

namespace dsmsg {

UnreadAlert::UnreadAlert(SSL* ssl)
    : ssl_(ssl), socket_(fcntl(SSL_get_fd(ssl), F_DUPFD_CLOEXEC, 0)) {
  SSL_up_ref(ssl_);
}

UnreadAlert::~UnreadAlert() { SSL_free(ssl_); }

std::string UnreadAlert::Read() {
  // The library has closed its own descriptor.
  if (!socket_.valid() || SSL_set_fd(ssl_, socket_.get()) != 1) return {};
  ERR_clear_error();
  char ignored[256];
  const int result = SSL_read(ssl_, ignored, sizeof ignored);
  return SSL_get_error(ssl_, result) == SSL_ERROR_SSL ? TakeTlsError() : std::string();
}

}  // namespace dsmsg
