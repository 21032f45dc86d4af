// SPDX-License-Identifier: Apache-2.0
// What the broker's errors mean. Pure functions: any thread.
#ifndef DSMSG_ADAPTORS_PULSAR_ERRORS_H_
#define DSMSG_ADAPTORS_PULSAR_ERRORS_H_

#include <string>
#include <string_view>

#include "core/base/status.h"

namespace dsmsg::pulsar {

/// The status of a ServerError, with its name, the broker's words and advice.
Status ServerError(int error, std::string_view text);

/// Whether an error of a sent message is about that message alone. After any other, those behind it
/// would be stored without it: the connection is made anew and all are sent again, in order.
bool AboutOneMessage(int error);

}  // namespace dsmsg::pulsar

#endif  // DSMSG_ADAPTORS_PULSAR_ERRORS_H_
