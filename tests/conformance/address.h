// SPDX-License-Identifier: Apache-2.0
// For an adaptor whose connection string is not an address: what the suite's "host;port" becomes.
//
// Threads: set before main; then only read.
#ifndef DSMSG_CONFORMANCE_ADDRESS_H_
#define DSMSG_CONFORMANCE_ADDRESS_H_

#include <string>

namespace dsmsg::conformance {

/// Has Link::Open and Link::Reload pass `translate(connection)` to the adaptor with this file name.
bool TranslateAddresses(const std::string& library,
                        std::string (*translate)(const std::string& connection));
/// What it makes of one.
std::string Translated(const std::string& library, const std::string& connection);

}  // namespace dsmsg::conformance

#endif  // DSMSG_CONFORMANCE_ADDRESS_H_
