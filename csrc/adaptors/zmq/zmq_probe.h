// SPDX-License-Identifier: Apache-2.0
// Looks whether anybody listens at an address before libzmq connects to it: libzmq tries for ever
// and tells no reason, and it looks names up on the thread that all its sockets share.
//
// Threads: any.
#ifndef DSMSG_ADAPTORS_ZMQ_ZMQ_PROBE_H_
#define DSMSG_ADAPTORS_ZMQ_ZMQ_PROBE_H_

#include <string>

#include "core/net.h"
#include "zmq_address.h"

namespace dsmsg {

/// The address for zmq_connect (tcp: with the number that answered instead of the name), or why
/// the other side cannot be reached: step, cause and advice. `answered`: how much it has answered
/// before. Not for inproc.
Result<std::string> ProbeZmq(const ZmqAddress& address, Answered answered, Deadline deadline,
                             int cancel_fd);

/// Whether somebody answers at an ipc path; libzmq would take a path that is in use away from its
/// owner.
bool IpcInUse(const std::string& path);

}  // namespace dsmsg

#endif  // DSMSG_ADAPTORS_ZMQ_ZMQ_PROBE_H_
