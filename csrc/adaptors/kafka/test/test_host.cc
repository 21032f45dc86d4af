// SPDX-License-Identifier: Apache-2.0
#include "adaptors/kafka/test/test_host.h"

#include "adaptors/kafka/driver.h"
#include "core/base/time.h"

#include <chrono>
#include <future>

namespace dsmsg::kafka {

void TestHost::Complete(Token token, const Status& status) noexcept {
  const std::lock_guard lock(mutex);
  if (!completed.emplace(token, status).second) ++twice;
  changed_.notify_all();
}

Status TestHost::Deliver(InMessage&& message, AckToken token) noexcept {
  const std::lock_guard lock(mutex);
  changed_.notify_all();
  if (delivered.size() >= room) {
    ++refusals;
    return Status(Code::kWouldBlock, "full");
  }
  delivered.emplace_back(std::move(message), token);
  return {};
}

void TestHost::LinkUp() noexcept {
  const std::lock_guard lock(mutex);
  ++ups;
  changed_.notify_all();
}

void TestHost::LinkDown(const Status& reason) noexcept {
  const std::lock_guard lock(mutex);
  downs.push_back(reason);
  changed_.notify_all();
}

bool TestHost::Wait(const std::function<bool()>& condition) {
  std::unique_lock lock(mutex);
  return changed_.wait_for(lock, std::chrono::seconds(30), condition);
}

MockCluster::MockCluster(int brokers) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set_log_cb(conf, nullptr);
  char reason[256] = "";
  rk_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
  cluster_ = rd_kafka_mock_cluster_new(rk_, brokers);
}

MockCluster::~MockCluster() {
  rd_kafka_mock_cluster_destroy(cluster_);
  rd_kafka_destroy(rk_);
}

HostPort MockCluster::address() const {
  std::string text = rd_kafka_mock_cluster_bootstraps(cluster_);
  text = text.substr(0, text.find(','));
  const size_t colon = text.rfind(':');
  return {text.substr(0, colon), static_cast<uint16_t>(std::stoi(text.substr(colon + 1)))};
}

Harness::Harness(const HostPort& broker, const std::string& settings) {
  driver_ = std::make_unique<KafkaDriver>(host);
  auto config = Config::Parse("[message-broker]\n" + settings, "test",
                              OptionTable(KafkaDriver::Info().options));
  if (!config.ok()) {
    configured_ = config.status();
    return;
  }
  Endpoints endpoints;
  endpoints.hosts.push_back(broker);
  configured_ = driver_->Configure(endpoints, config.value());
}

Status Harness::Open(Role role, Millis timeout) {
  return driver_->Open(role, Clock::now() + timeout, cancel.fd());
}

void Harness::Start() {
  stop_ = false;
  ended_ = false;
  thread_ = std::thread([this] {
    for (;;) {
      std::vector<std::function<void(Driver&)>> tasks;
      {
        const std::lock_guard lock(mutex_);
        if (stop_) return;
        tasks.swap(tasks_);
      }
      for (const auto& task : tasks) task(*driver_);
      ++polls;
      if (poll_status = driver_->Poll(Millis(1000), wake_.fd()); !poll_status.ok()) {
        const std::lock_guard lock(mutex_);
        ended_ = true;
        ended_changed_.notify_all();
        return;
      }
      wake_.Drain();
    }
  });
}

void Harness::Stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.Signal();
  thread_.join();
}

void Harness::Join() {
  {
    std::unique_lock lock(mutex_);
    ended_changed_.wait_for(lock, std::chrono::seconds(10), [this] { return ended_; });
  }
  Stop();
}

Status Harness::Submit(const Message& message, Token token) {
  if (!thread_.joinable()) return driver_->Submit(message, token);
  std::promise<Status> result;
  Run([&](Driver& driver) { result.set_value(driver.Submit(message, token)); });
  return result.get_future().get();
}

Status Harness::SubmitWhenRoom(const Message& message, Token token) {
  const Deadline deadline = Clock::now() + std::chrono::seconds(30);
  Status status;
  do {
    status = Submit(message, token);
  } while (status.code() == Code::kWouldBlock && Clock::now() < deadline);
  return status;
}

void Harness::Run(std::function<void(Driver&)> task) {
  const std::lock_guard lock(mutex_);
  tasks_.push_back(std::move(task));
  wake_.Signal();
}

Message MakeMessage(std::string_view topic, std::string_view payload) {
  Message message;
  message.topic = topic;
  message.payload = payload;
  return message;
}

}  // namespace dsmsg::kafka
