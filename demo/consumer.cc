// SPDX-License-Identifier: Apache-2.0
#include "consumer.h"

#include <map>

namespace dsmsg_demo {
namespace {

struct Entry {
  ConsumerMaker maker;
  ServerKind server;
};

std::map<std::string, Entry>& Entries() {
  static std::map<std::string, Entry> entries;
  return entries;
}

}  // namespace

bool RegisterConsumer(const char* adaptor, ConsumerMaker maker, const ServerKind& server) {
  return Entries().emplace(adaptor, Entry{maker, server}).second;
}

const ServerKind* FindServer(const std::string& adaptor) {
  const auto found = Entries().find(adaptor);
  return found == Entries().end() ? nullptr : &found->second.server;
}

std::vector<std::string> RegisteredAdaptors() {
  std::vector<std::string> names;
  for (const auto& [name, entry] : Entries()) names.push_back(name);
  return names;
}

dsmsg::Result<std::unique_ptr<Consumer>> OpenConsumer(Target& target, const std::string& topic) {
  const auto found = Entries().find(target.adaptor);
  if (found != Entries().end()) return found->second.maker(target, topic);
  return dsmsg::Status(dsmsg::Code::kNotSupported,
                       "this build has no consumer for " + target.adaptor +
                           ": its client library was not there (scripts/setup demo installs it)");
}

}  // namespace dsmsg_demo
