// SPDX-License-Identifier: Apache-2.0
#include "consumer.h"

#include <map>

namespace dsmsg_demo {
namespace {

std::map<std::string, ConsumerMaker>& Makers() {
  static std::map<std::string, ConsumerMaker> makers;
  return makers;
}

}  // namespace

bool RegisterConsumer(const char* adaptor, ConsumerMaker maker) {
  return Makers().emplace(adaptor, maker).second;
}

dsmsg::Result<std::unique_ptr<Consumer>> OpenConsumer(Target& target, const std::string& topic) {
  const auto found = Makers().find(target.adaptor);
  if (found != Makers().end()) return found->second(target, topic);
  return dsmsg::Status(dsmsg::Code::kNotSupported,
                       "this build has no consumer for " + target.adaptor +
                           ": its client library was not there (scripts/setup demo installs it)");
}

}  // namespace dsmsg_demo
