// SPDX-License-Identifier: Apache-2.0
// Questions to brokers, apart from sending messages.
#include <poll.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "adaptors/kafka/connection.h"
#include "core/net/dial.h"

namespace dsmsg::kafka {
namespace {

constexpr Millis kReconnectIdle{1000};

}  // namespace

unsigned WaitReadable(std::initializer_list<int> fds, Millis timeout) {
  std::array<pollfd, 3> set{};
  nfds_t count = 0;
  for (const int fd : fds) set[count++] = {fd, POLLIN, 0};
  if (poll(set.data(), count, static_cast<int>(timeout.count())) <= 0)
    return 0;  // EINTR: as if none
  unsigned ready = 0;
  for (nfds_t i = 0; i < count; ++i) {
    if (set[i].revents != 0) ready |= 1U << i;
  }
  return ready;
}

bool AnyBrokerAnswers(rd_kafka_t* rk, Millis timeout) {
  const struct rd_kafka_metadata* metadata = nullptr;
  const rd_kafka_resp_err_t err =
      rd_kafka_metadata(rk, 0, nullptr, &metadata, static_cast<int>(timeout.count()));
  if (metadata != nullptr) rd_kafka_metadata_destroy(metadata);
  return err == RD_KAFKA_RESP_ERR_NO_ERROR;
}

bool Reachable(const std::string& address) {
  const size_t colon = address.rfind(':');
  HostPort endpoint;
  endpoint.host = address.substr(0, colon);
  if (endpoint.host.starts_with('[')) endpoint.host = endpoint.host.substr(1, colon - 2);
  endpoint.port = static_cast<uint16_t>(std::strtoul(address.c_str() + colon + 1, nullptr, 10));
  return DialTcp(endpoint, Clock::now() + kSlice, -1).ok();
}

rd_kafka_resp_err_t AskTopic(rd_kafka_t* rk, rd_kafka_topic_t* topic, Millis timeout) {
  const struct rd_kafka_metadata* metadata = nullptr;
  rd_kafka_resp_err_t err =
      rd_kafka_metadata(rk, 0, topic, &metadata, static_cast<int>(timeout.count()));
  if (metadata == nullptr) return err;
  if (metadata->topic_cnt == 1) err = metadata->topics[0].err;
  rd_kafka_metadata_destroy(metadata);
  return err;
}

std::vector<std::string> KafkaConnection::Advertised(Millis timeout) const {
  std::vector<std::string> addresses;
  const struct rd_kafka_metadata* metadata = nullptr;
  (void)rd_kafka_metadata(rk_, 0, nullptr, &metadata, static_cast<int>(timeout.count()));
  if (metadata == nullptr) return addresses;
  for (int i = 0; i < metadata->broker_cnt; ++i) {
    const rd_kafka_metadata_broker& broker = metadata->brokers[i];
    addresses.push_back(std::string(broker.host) + ":" + std::to_string(broker.port));
  }
  rd_kafka_metadata_destroy(metadata);
  return addresses;
}

bool KafkaConnection::AnyBrokerUp() {
  // A timeout of zero distinguishes the two cases at once: there is no connection (ERR__TRANSPORT),
  // or a request has been written and its answer has not come yet (ERR__TIMED_OUT).
  const struct rd_kafka_metadata* metadata = nullptr;
  const rd_kafka_resp_err_t err = rd_kafka_metadata(rk_, 0, nullptr, &metadata, 0);
  if (metadata != nullptr) rd_kafka_metadata_destroy(metadata);
  return err == RD_KAFKA_RESP_ERR_NO_ERROR || err == RD_KAFKA_RESP_ERR__TIMED_OUT;
}

Status KafkaConnection::CheckMayRead(const std::string& topic, Deadline deadline, int cancel_fd) {
  rd_kafka_topic_t* handle = rd_kafka_topic_new(rk_, topic.c_str(), nullptr);
  if (handle == nullptr) return {};  // subscribing tells why
  rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__TIMED_OUT;
  // An idle connection may just have been closed: the next check finds another.
  const Deadline reached = std::min(deadline, Clock::now() + kReconnectIdle);
  const auto undecided = [&] {
    if (err == RD_KAFKA_RESP_ERR__TRANSPORT) return Clock::now() < reached;
    return err == RD_KAFKA_RESP_ERR__TIMED_OUT && Clock::now() < deadline;
  };
  // A late answer to one question does not count for the next, so a slow network needs longer
  // waits; the longest is how late a cancel may be noticed.
  for (Millis slice = kSlice; undecided();
       slice = std::min(2 * slice, settings_.longest_answer())) {
    const bool pause = err == RD_KAFKA_RESP_ERR__TRANSPORT;
    if (WaitReadable({cancel_fd}, pause ? kSlice : Millis(0)) != 0) break;
    err = AskTopic(rk_, handle, slice);
  }
  rd_kafka_topic_destroy(handle);
  if (WaitReadable({cancel_fd}, Millis(0)) != 0) {
    return {Code::kCancelled, "subscribing to " + topic + " was cancelled"};
  }
  if (err == RD_KAFKA_RESP_ERR__TIMED_OUT || err == RD_KAFKA_RESP_ERR__TRANSPORT) {
    return {err == RD_KAFKA_RESP_ERR__TRANSPORT ? Code::kUnavailable : Code::kTimeout,
            "cannot subscribe to " + topic + ": no answer from " + settings_.brokers() +
                " within connect-timeout (is the broker frozen, or the network "
                "cut?)"};
  }
  // The same text that librdkafka's own subscribe would give.
  if (err == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION) {
    return {Code::kInvalidArgument, "cannot subscribe to " + topic + ": " + rd_kafka_err2str(err) +
                                        " (letters, digits, '.', '_' and '-', at most 249)"};
  }
  if (err != RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) return {};
  return {Code::kAuth, "cannot subscribe to " + topic + ": " + rd_kafka_err2str(err) +
                           " (does this user have the right to read the topic?)"};
}

}  // namespace dsmsg::kafka
