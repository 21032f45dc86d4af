// SPDX-License-Identifier: Apache-2.0
// Where log lines of this library go instead of stderr, for a host with a log of its own.
// Threads: any; lines come from any.
#ifndef DSMSG_CORE_BASE_LOG_SINK_H_
#define DSMSG_CORE_BASE_LOG_SINK_H_

namespace dsmsg {

/// `level`: 0 error, 1 warning, 2 information, 3 debugging. `text` is valid during the call.
using LogSink = void (*)(int level, const char* text);

/// null: as before. A call of the previous one may still be running when it returns.
void SetLogSink(LogSink sink) noexcept;

}  // namespace dsmsg

#endif  // DSMSG_CORE_BASE_LOG_SINK_H_
