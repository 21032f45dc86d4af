// SPDX-License-Identifier: Apache-2.0
// Stands for DeepStream's sink: a connect callback in a library of that name.
#include <atomic>

#include "nvmsgbroker.h"

namespace {
std::atomic<int> last_status{-1};
}

extern "C" __attribute__((visibility("default"))) void fake_sink_event(
    NvMsgBrokerClientHandle, NvMsgBrokerErrorType status) {
  last_status = static_cast<int>(status);
}
extern "C" __attribute__((visibility("default"))) int fake_sink_last() { return last_status; }
