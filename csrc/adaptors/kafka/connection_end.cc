// SPDX-License-Identifier: Apache-2.0
// The end of an instance: bounded, whatever the brokers or the name server do.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <system_error>
#include <utility>

#include "adaptors/kafka/connection.h"
#include "core/base/thread.h"

namespace dsmsg::kafka {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kDestroyWait{400};  // Close has half a second in all

// Runs `work` on a separate thread, which owns what it needs, and waits for it for at most `limit`.
template <class Work>
void RunBounded(Work work, milliseconds limit) {
  struct Done {
    std::mutex mutex;
    std::condition_variable changed;
    bool value = false;
  };
  const auto done = std::make_shared<Done>();
  try {
    StartThread("dsmsg-end", [work, done] {
      work();
      const std::lock_guard lock(done->mutex);
      done->value = true;
      done->changed.notify_all();
    }).detach();
  } catch (const std::system_error&) {  // no thread available: late is better than leaked
    work();
    return;
  }
  std::unique_lock lock(done->mutex);
  done->changed.wait_for(lock, limit, [&done] { return done->value; });
}

}  // namespace

bool KafkaConnection::CoordinatorAnswers(Deadline deadline) {
  if (!AnyBrokerUp()) return false;
  const int wait = std::clamp(PollTimeout(deadline), 1, static_cast<int>(kDestroyWait.count()));
  rd_kafka_topic_partition_list_t* assigned = nullptr;
  rd_kafka_resp_err_t err = rd_kafka_assignment(rk_, &assigned);
  if (err == RD_KAFKA_RESP_ERR_NO_ERROR && assigned->cnt > 0) {
    err = rd_kafka_committed(rk_, assigned, wait);
  } else {
    const struct rd_kafka_metadata* metadata = nullptr;
    err = rd_kafka_metadata(rk_, 0, nullptr, &metadata, wait);
    if (metadata != nullptr) rd_kafka_metadata_destroy(metadata);
  }
  if (assigned != nullptr) rd_kafka_topic_partition_list_destroy(assigned);
  return err == RD_KAFKA_RESP_ERR_NO_ERROR;
}

#if RD_KAFKA_VERSION >= 0x010900ff
void KafkaConnection::LeaveGroup(Deadline deadline, int cancel_fd) {
  if (!CoordinatorAnswers(deadline)) return;
  rd_kafka_error_t* error = rd_kafka_consumer_close_queue(rk_, queue_);
  if (error != nullptr) {
    rd_kafka_error_destroy(error);
    return;
  }
  while (rd_kafka_consumer_closed(rk_) == 0 && Clock::now() < deadline) {
    if ((WaitReadable({cancel_fd, event_fd()}, Millis(PollTimeout(deadline))) & 1U) != 0) return;
    DrainEventFd();
    while (const EventPtr event = NextEvent()) {
    }
  }
}
#else
void KafkaConnection::LeaveGroup(Deadline deadline, int) {
  if (!CoordinatorAnswers(deadline)) return;
  // Before 1.9 there is only the blocking close. Its thread keeps the instance until the broker
  // answers or librdkafka's own timeouts end it.
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
  rd_kafka_queue_io_event_enable(queue_, -1, nullptr, 0);
  rd_kafka_queue_destroy(queue_);
  queue_ = nullptr;
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->log = nullptr;
  }
  RunBounded(
      [rk = rk_, shared = shared_] {
        rd_kafka_consumer_close(rk);
        rd_kafka_destroy(rk);
      },
      std::max(left, milliseconds(0)) + kDestroyWait);
  rk_ = nullptr;
}
#endif

void KafkaConnection::Destroy() {
  if (rk_ == nullptr) return;
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->log = nullptr;
  }
  if (queue_ != nullptr) {
    rd_kafka_queue_io_event_enable(queue_, -1, nullptr, 0);
    rd_kafka_queue_destroy(queue_);
    queue_ = nullptr;
  }
  // Joins librdkafka's threads. They may be late because of a name lookup (getaddrinfo cannot be
  // interrupted), or because the process was stopped or gets too little CPU time: then they still
  // read messages, which held_ owns.
  const auto end = [rk = rk_, shared = shared_, held = held_] {
    if (const auto hook = before_destroy.load()) hook();
    rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  };
  if (held_ != nullptr) {
    RunBounded(end, kDestroyWait);
  } else {
    end();
  }
  rk_ = nullptr;
}

}  // namespace dsmsg::kafka
