// SPDX-License-Identifier: Apache-2.0
#include "adaptors/kafka/partitioner.h"

#include <cstdlib>
#include <string_view>
#include <utility>

namespace dsmsg::kafka {
namespace {

constexpr char kStickyProperty[] = "sticky.partitioning.linger.ms";
constexpr size_t kMaxTopics = 4096;

std::string ValueOf(const rd_kafka_conf_t* conf, const char* name) {
  char value[64] = "";
  size_t size = sizeof value;
  return rd_kafka_conf_get(conf, name, value, &size) == RD_KAFKA_CONF_OK ? value : "";
}

}  // namespace

thread_local Partitioner::Choice* Partitioner::choice_ = nullptr;

void Partitioner::Configure(rd_kafka_conf_t* conf) {
  struct Known {
    std::string_view name;
    Function function;
    bool sticky;
  };
  static constexpr Known kAll[] = {
      {"random", rd_kafka_msg_partitioner_random, true},
      {"consistent", rd_kafka_msg_partitioner_consistent, false},
      {"consistent_random", rd_kafka_msg_partitioner_consistent_random, true},
      {"murmur2", rd_kafka_msg_partitioner_murmur2, false},
      {"murmur2_random", rd_kafka_msg_partitioner_murmur2_random, true},
      {"fnv1a", rd_kafka_msg_partitioner_fnv1a, false},
      {"fnv1a_random", rd_kafka_msg_partitioner_fnv1a_random, true},
  };
  const std::string name = ValueOf(conf, "partitioner");
  for (const Known& known : kAll) {
    if (known.name != name) continue;
    if (known.sticky) sticky_ = Millis(std::atoi(ValueOf(conf, kStickyProperty).c_str()));
    // Otherwise librdkafka would choose by itself where there is no key.
    if (rd_kafka_conf_set(conf, kStickyProperty, "0", nullptr, 0) != RD_KAFKA_CONF_OK) return;
    base_ = known.function;
    empty_key_is_none_ = name == "consistent_random";
  }
}

rd_kafka_topic_conf_t* Partitioner::NewTopicConf(rd_kafka_t* rk) {
  if (!configured()) return nullptr;
  rd_kafka_topic_conf_t* conf = rd_kafka_default_topic_conf_dup(rk);
  rd_kafka_topic_conf_set_opaque(conf, this);
  rd_kafka_topic_conf_set_partitioner_cb(conf, OnMessage);
  return conf;
}

Partitioner::Late Partitioner::TakeLate() {
  if (!any_late_.load(std::memory_order_relaxed)) return {};
  const std::lock_guard lock(mutex_);
  any_late_ = false;
  return std::exchange(late_, {});
}

int32_t Partitioner::OnMessage(const rd_kafka_topic_t* topic, const void* key, size_t key_size,
                               int32_t partitions, void* self, void* message) {
  auto& own = *static_cast<Partitioner*>(self);
  const bool none = key == nullptr || (key_size == 0 && own.empty_key_is_none_);
  const int32_t chosen = none && own.sticky_.count() > 0
                             ? own.Sticky(topic, partitions)
                             : own.base_(topic, key, key_size, partitions, nullptr, message);
  if (choice_ != nullptr) {
    choice_->partition_ = chosen;
  } else {
    const std::lock_guard lock(own.mutex_);
    ++own.late_[{rd_kafka_topic_name(topic), chosen}];
    own.any_late_ = true;
  }
  return chosen;
}

int32_t Partitioner::Sticky(const rd_kafka_topic_t* topic, int32_t partitions) {
  const std::lock_guard lock(mutex_);
  if (stuck_.size() >= kMaxTopics) stuck_.clear();
  Stuck& stuck = stuck_[topic];
  const Deadline now = Clock::now();
  if (now >= stuck.until || stuck.partition >= partitions ||
      rd_kafka_topic_partition_available(topic, stuck.partition) == 0) {
    stuck.partition =
        rd_kafka_msg_partitioner_random(topic, nullptr, 0, partitions, nullptr, nullptr);
    stuck.until = now + sticky_;
  }
  return stuck.partition;
}

}  // namespace dsmsg::kafka
