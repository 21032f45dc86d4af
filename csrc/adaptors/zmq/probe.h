// SPDX-License-Identifier: Apache-2.0
// Checks what listens at an address before libzmq connects to it: libzmq tries for ever without
// giving a reason, and it looks up names on the thread that all its sockets share.
//
// Threads: any.
#ifndef DSMSG_ADAPTORS_ZMQ_PROBE_H_
#define DSMSG_ADAPTORS_ZMQ_PROBE_H_

#include <string>

#include "adaptors/zmq/address.h"
#include "core/base/time.h"
#include "core/net/hints.h"

namespace dsmsg::zmq {

struct ZmqFound {
  std::string endpoint;  // for zmq_connect; tcp: with the number that answered instead of the name
  bool greets = false;   // it speaks first, and ZeroMQ's protocol
};

/// What is at an address, or why the other side cannot be reached or is not a ZeroMQ socket: step,
/// cause and advice. `answered`: how much it has answered before. Not for inproc.
Result<ZmqFound> ProbeZmq(const ZmqAddress& address, Answered answered, Deadline deadline,
                          int cancel_fd);

/// Whether an ipc path is in use; libzmq would take a path that is in use away from its owner.
bool IpcInUse(const std::string& path);

}  // namespace dsmsg::zmq

#endif  // DSMSG_ADAPTORS_ZMQ_PROBE_H_
