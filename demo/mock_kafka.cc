// SPDX-License-Identifier: Apache-2.0
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <cstdlib>

#include "target.h"

namespace dsmsg_demo {
namespace {

using dsmsg::Code;
using dsmsg::Status;

constexpr int32_t kBroker = 1;  // the cluster's only one

class MockKafka : public Target {
 public:
  ~MockKafka() override {
    if (cluster_ != nullptr) rd_kafka_mock_cluster_destroy(cluster_);
    if (kafka_ != nullptr) rd_kafka_destroy(kafka_);
  }

  bool can_fail() const override { return true; }
  Status Kill() override {
    rd_kafka_mock_broker_set_down(cluster_, kBroker);
    return {};
  }
  Status Return() override {
    rd_kafka_mock_broker_set_up(cluster_, kBroker);
    return {};
  }

  Status Start(const std::string& topic) {
    std::array<char, 512> error = {};
    // The cluster needs a client as its frame; this one connects to nothing.
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "0", nullptr, 0);  // it would warn of just that
    kafka_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error.data(), error.size());
    if (kafka_ == nullptr) {
      rd_kafka_conf_destroy(conf);
      return Status(Code::kInternal, std::string("librdkafka: ") + error.data());
    }
    cluster_ = rd_kafka_mock_cluster_new(kafka_, 1);
    if (cluster_ == nullptr)
      return Status(Code::kInternal, "librdkafka cannot start its mock cluster");
    const rd_kafka_resp_err_t code = rd_kafka_mock_topic_create(cluster_, topic.c_str(), 1, 1);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return Status(Code::kInternal,
                    "the mock cluster cannot make topic " + topic + ": " + rd_kafka_err2str(code));
    }
    const std::string address = rd_kafka_mock_cluster_bootstraps(cluster_);
    const size_t colon = address.rfind(':');
    host = address.substr(0, colon);
    port = std::atoi(address.c_str() + colon + 1);
    adaptor = "kafka";
    title = "embedded Kafka (librdkafka's mock cluster) at " + address;
    return {};
  }

 private:
  rd_kafka_t* kafka_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

}  // namespace

dsmsg::Result<std::unique_ptr<Target>> StartMockKafka(const std::string& topic) {
  auto mock = std::make_unique<MockKafka>();
  Status status = mock->Start(topic);
  if (!status.ok()) return status;
  return std::unique_ptr<Target>(std::move(mock));
}

}  // namespace dsmsg_demo
