// SPDX-License-Identifier: Apache-2.0
// The workload API of the IoT Edge runtime, HTTP over a Unix socket: it keeps the module's key, and
// signs for it.
//
// Threads: any; each call makes a connection of its own.
#ifndef DSMSG_ADAPTORS_AZURE_WORKLOAD_H_
#define DSMSG_ADAPTORS_AZURE_WORKLOAD_H_

#include <string>

#include "adaptors/azure/identity.h"
#include "core/base/status.h"
#include "core/base/time.h"

namespace dsmsg::azure {

/// The signature of `text` for this module, in base64.
Result<std::string> SignByWorkload(const Identity& identity, const std::string& text,
                                   Deadline deadline, int cancel_fd);

/// The certificates (PEM) by which the gateway's is trusted.
Result<std::string> TrustBundle(const Workload& workload, Deadline deadline, int cancel_fd);

}  // namespace dsmsg::azure

#endif  // DSMSG_ADAPTORS_AZURE_WORKLOAD_H_
