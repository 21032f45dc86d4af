// SPDX-License-Identifier: Apache-2.0
// Asks which partitions a topic has and which broker has them. The answers come in
// Brokers::Receive, or in Brokers::Expire if there are none.
//
// Threads: the link's I/O thread only. Settings and brokers outlive it.
#ifndef DSMSG_ADAPTORS_PULSAR_LOOKUP_H_
#define DSMSG_ADAPTORS_PULSAR_LOOKUP_H_

#include <cstdint>
#include <functional>
#include <string>

#include "adaptors/pulsar/brokers.h"
#include "adaptors/pulsar/settings.h"

namespace dsmsg::pulsar {

class Lookup {
 public:
  Lookup(const PulsarSettings& settings, Brokers& brokers)
      : settings_(settings), brokers_(brokers) {}

  /// 0: the topic has no partitions.
  void Partitions(const std::string& topic,
                  std::function<void(const Status&, uint32_t)> answer) const;
  /// `topic`: a topic without partitions, or one partition.
  using Found = std::function<void(const Status&, PulsarConnection*)>;
  void Broker(const std::string& topic, Found found) const;
  /// The name of a partition.
  static std::string PartitionName(const std::string& topic, uint32_t index) {
    return topic + "-partition-" + std::to_string(index);
  }

 private:
  void Ask(const std::string& topic, PulsarConnection& at, bool authoritative, int redirects_left,
           Found found) const;

  const PulsarSettings& settings_;
  Brokers& brokers_;
};

}  // namespace dsmsg::pulsar

#endif  // DSMSG_ADAPTORS_PULSAR_LOOKUP_H_
