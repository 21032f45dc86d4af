// SPDX-License-Identifier: Apache-2.0
#include "adaptors/pulsar/lookup.h"

#include <utility>

namespace dsmsg::pulsar {
namespace {

constexpr int kMostRedirects = 20;

}  // namespace

void Lookup::Partitions(const std::string& topic,
                        std::function<void(const Status&, uint32_t)> answer) const {
  const auto take = [answer = std::move(answer)](const Status& status, const Command& command) {
    answer(status, command.partitions);
  };
  AppendPartitions(topic, brokers_.Ask(take), &brokers_.service().out());
}

void Lookup::Broker(const std::string& topic, Found found) const {
  Ask(topic, brokers_.service(), false, kMostRedirects, std::move(found));
}

void Lookup::Ask(const std::string& topic, PulsarConnection& at, bool authoritative,
                 int redirects_left, Found found) const {
  const auto take = [this, topic, redirects_left, found = std::move(found)](
                        const Status& status, const Command& command) {
    if (!status.ok()) return found(status, nullptr);
    if (command.lookup == LookupType::kConnect) return brokers_.Reach(command, found);
    const auto ask = [this, topic, authoritative = command.authoritative, redirects_left, found](
                         const Status& reached, PulsarConnection* broker) {
      if (!reached.ok()) return found(reached, nullptr);
      if (redirects_left == 0) {
        return found({Code::kUnavailable, "the brokers send each other's lookups in a circle"},
                     nullptr);
      }
      Ask(topic, *broker, authoritative, redirects_left - 1, found);
    };
    brokers_.Reach(command, ask);
  };
  AppendLookup(topic, brokers_.Ask(take), authoritative, settings_.listener, &at.out());
}

}  // namespace dsmsg::pulsar
