// SPDX-License-Identifier: Apache-2.0
// librdkafka's properties by name: their aliases, which of them this adaptor cannot honour, and
// what may be shown (names, never values: a value may be a password under a misspelt name).
// Threads: pure functions and values.
#ifndef DSMSG_ADAPTORS_KAFKA_PROPERTIES_H_
#define DSMSG_ADAPTORS_KAFKA_PROPERTIES_H_

#include <librdkafka/rdkafka.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"

namespace dsmsg::kafka {

/// A property with the option it comes from.
struct Property {
  std::string value;
  std::string source;
  bool by_user = false;  // proto-cfg and the like, or an option that is set in the file
};
using Properties = std::map<std::string, Property, std::less<>>;

/// librdkafka has several names for some properties; which one wins would be random.
std::string Canonical(std::string_view name);

/// Reads a boolean as librdkafka does.
bool IsTrue(std::string_view value);

/// Whether its value must never be shown.
bool IsSecret(std::string_view name);

/// An error if the property would break a promise of this adaptor. `option` names where it was set.
Status CheckAllowed(const std::string& option, const std::string& name, const std::string& value);

/// The error for a property that librdkafka refused with `result` and `reason`, which contains the
/// value.
Status Refused(const std::string& name, const Property& property, rd_kafka_conf_res_t result,
               std::string_view reason);

/// Masks a configuration's secrets, and parts of them, in librdkafka's texts.
class Redactor {
 public:
  void Add(std::string_view secret);
  std::string operator()(std::string_view text) const;

 private:
  std::vector<std::string> secrets_;
};

}  // namespace dsmsg::kafka

#endif  // DSMSG_ADAPTORS_KAFKA_PROPERTIES_H_
