// SPDX-License-Identifier: Apache-2.0
// Subjects: tokens between dots, with the wildcards * (one token) and > (all that follow). Pure
// functions: any thread.
#ifndef DSMSG_ADAPTORS_NATS_SUBJECT_H_
#define DSMSG_ADAPTORS_NATS_SUBJECT_H_

#include <string>
#include <string_view>

#include "core/base/status.h"

namespace dsmsg::nats {

/// The server ends a connection over a wrong subject, or stores it under a name that no reader asks
/// for. `wildcards`: for a subscription.
Status CheckSubject(std::string_view subject, bool wildcards);

/// Whether a subscription to `filter` gets what is sent to `subject`.
bool SubjectMatches(std::string_view filter, std::string_view subject);

/// `base` and the subject as the name of a consumer, which may hold neither dots nor wildcards: the
/// same for the same subject, different for different ones.
std::string ConsumerName(const std::string& base, std::string_view subject);

/// A name and a value that can be a header.
Status CheckHeader(std::string_view name, std::string_view value);

}  // namespace dsmsg::nats

#endif  // DSMSG_ADAPTORS_NATS_SUBJECT_H_
