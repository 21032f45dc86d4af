// SPDX-License-Identifier: Apache-2.0
// The kind of an error for a host that reacts to it. Pure function; any thread.
#ifndef DSMSG_CORE_OBSERVE_ERROR_KIND_H_
#define DSMSG_CORE_OBSERVE_ERROR_KIND_H_

#include "core/base/status.h"

namespace dsmsg {

/// The name of its code, or "tls" where TLS failed (a certificate, a version, a handshake), or ""
/// for ok. Constant text.
const char* KindName(const Status& status) noexcept;

}  // namespace dsmsg

#endif  // DSMSG_CORE_OBSERVE_ERROR_KIND_H_
