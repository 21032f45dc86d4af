// SPDX-License-Identifier: Apache-2.0
#include "adaptors/kafka/partition_watch.h"

#include <algorithm>
#include <chrono>

namespace dsmsg::kafka {
namespace {

constexpr size_t kUnderWay = 5;  // librdkafka's limit, in messages of one partition

}  // namespace

PartitionWatch::Topic::Partition& PartitionWatch::Topic::At(int32_t number) {
  const auto index = static_cast<size_t>(number);
  while (partitions_.size() <= index) {
    partitions_.emplace_back();
    partitions_.back().topic = name_;
    partitions_.back().number = static_cast<int32_t>(partitions_.size() - 1);
  }
  return partitions_[index];
}

void PartitionWatch::Took(Topic& topic, int32_t partition, size_t messages, Deadline now) {
  if (partition < 0) return;
  Topic::Partition& taken = topic.At(partition);
  taken.unanswered += messages;
  if (taken.watched || taken.unanswered <= kUnderWay) return;
  taken.watched = true;
  taken.since = now;
  watched_.push_back(&taken);
  due_ = std::min(due_, now + Patience());
}

void PartitionWatch::Ended(Topic& topic, int32_t partition, size_t messages, Deadline now) {
  if (partition < 0) return;
  Topic::Partition& ended = topic.At(partition);
  ended.unanswered -= std::min(messages, ended.unanswered);
  ended.since = now;
  ended.pause = kFirstPause;
  if (!ended.paused) return;
  ended.again = now;
  due_ = now;
}

void PartitionWatch::Forget(const Topic& topic) {
  Partitions resume;
  std::erase_if(watched_, [&](Topic::Partition* each) {
    if (each->topic != topic.name_) return false;
    if (each->paused) resume.push_back(each);
    return true;
  });
  Tell(resume, false);
}

Millis PartitionWatch::Tick(Deadline now, Millis budget) {
  if (now >= due_) {
    due_ = Deadline::max();
    const Millis patience = Patience();
    Partitions pause, resume;
    std::erase_if(watched_, [&](Topic::Partition* each) {
      if (each->paused) {
        if (now >= each->again) {
          resume.push_back(each);
          each->paused = false;
          each->since = now;
        }
      } else if (each->unanswered <= kUnderWay) {
        each->watched = false;
        return true;
      } else if (now >= each->since + patience) {
        pause.push_back(each);
        each->paused = true;
        each->again = now + each->pause;
        suspicion_ = suspicion_ || each->pause == kLongestPause;
        each->pause = std::min(2 * each->pause, kLongestPause);
      }
      due_ = std::min(due_, each->paused ? each->again : each->since + patience);
      return false;
    });
    Tell(pause, true);
    Tell(resume, false);
  }
  if (due_ >= now + budget) return budget;
  return std::chrono::ceil<Millis>(due_ - now);
}

void PartitionWatch::Tell(const Partitions& partitions, bool pause) {
  if (partitions.empty()) return;
  rd_kafka_topic_partition_list_t* list =
      rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size()));
  for (const Topic::Partition* each : partitions) {
    rd_kafka_topic_partition_list_add(list, each->topic, each->number);
  }
  if (pause) {
    rd_kafka_pause_partitions(rk_, list);
  } else {
    rd_kafka_resume_partitions(rk_, list);
    // Without it a producer looks at what it may send now up to a second later.
    rd_kafka_flush(rk_, 0);
  }
  rd_kafka_topic_partition_list_destroy(list);
}

}  // namespace dsmsg::kafka
