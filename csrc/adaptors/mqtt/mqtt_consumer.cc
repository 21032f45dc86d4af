// SPDX-License-Identifier: Apache-2.0
#include "mqtt_consumer.h"

#include <mqtt_protocol.h>

#include <algorithm>
#include <cerrno>

#include "mqtt_errors.h"

namespace dsmsg {
namespace {

constexpr size_t kMostEarly = 1000;
constexpr size_t kMostNamed = 3;  // topics in one error text

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size());
  // The library only reads them, but is declared with char*.
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  return pointers;
}

std::vector<std::string> Difference(const std::set<std::string>& a,
                                    const std::set<std::string>& b) {
  std::vector<std::string> only_a;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(only_a));
  return only_a;
}

}  // namespace

void MqttConsumer::Reset() {
  subscribed_.clear();
  subscribe_mid_ = unsubscribe_mid_ = 0;
  strangers_ = client_.session_present();
  broken_ = Status();
}

Status MqttConsumer::Subscribe(std::span<const std::string> topics, int cancel_fd) {
  std::set<std::string> wanted(topics.begin(), topics.end());
  for (const std::string& topic : wanted) {
    const int length = static_cast<int>(std::min<size_t>(topic.size(), 65536));
    if (mosquitto_sub_topic_check(topic.c_str()) != MOSQ_ERR_SUCCESS ||
        mosquitto_validate_utf8(topic.data(), length) != MOSQ_ERR_SUCCESS) {
      return {Code::kInvalidArgument,
              "\"" + topic.substr(0, 200) +
                  "\" is not a topic that can be subscribed to (+ stands for a whole level, # for "
                  "all levels from there on, as in cameras/+/events or cameras/#)"};
    }
  }
  const std::vector<std::string> gone = Difference(subscribed_, wanted);
  const std::vector<std::string> added = Difference(wanted, subscribed_);
  // From here on messages of the old topics are dropped, those of the new ones are taken: they may
  // come before the answer.
  wanted_ = std::move(wanted);
  strangers_ = strangers_ || !gone.empty();
  called_ = true;
  for (InMessage& message : early_) {
    if (Wanted(message.topic.c_str())) Deliver(std::move(message));
  }
  early_.clear();
  granted_.clear();
  Status status = Request(gone, added);
  if (status.ok()) status = WaitAnswers(cancel_fd);
  if (!status.ok()) {
    broken_ = status;
    return status;
  }
  return CheckGranted(added);
}

Status MqttConsumer::Request(const std::vector<std::string>& gone,
                             const std::vector<std::string>& added) {
  int error = MOSQ_ERR_SUCCESS;
  client_.ExpectAnswer();
  errno = 0;
  if (!gone.empty()) {
    std::vector<char*> texts = Pointers(gone);
    error = mosquitto_unsubscribe_multiple(client_.object(), &unsubscribe_mid_,
                                           static_cast<int>(texts.size()), texts.data(), nullptr);
    for (const std::string& topic : gone) subscribed_.erase(topic);
  }
  if (error == MOSQ_ERR_SUCCESS && !added.empty()) {
    std::vector<char*> texts = Pointers(added);
    // A resumed session has had the retained messages already.
    const int options = client_.version5() ? MQTT_SUB_OPT_SEND_RETAIN_NEW : 0;
    // At most 1: of a QoS 2 exchange that a lost link breaks, the library forgets the message.
    const int qos = std::min(settings_.qos, 1);
    error = mosquitto_subscribe_multiple(client_.object(), &subscribe_mid_,
                                         static_cast<int>(texts.size()), texts.data(), qos, options,
                                         nullptr);
    subscribed_.insert(added.begin(), added.end());
  }
  if (error == MOSQ_ERR_SUCCESS) return {};
  return LostError(0, error, errno, client_.name());
}

Status MqttConsumer::WaitAnswers(int cancel_fd) {
  const Deadline deadline = Clock::now() + settings_.connect_timeout;
  while (subscribe_mid_ != 0 || unsubscribe_mid_ != 0) {
    MqttClient::Progress progress;
    const Status status = client_.Step(Millis(PollTimeout(deadline)), cancel_fd, true, &progress);
    if (!status.ok()) return status;
    if (progress.woken) return {Code::kCancelled, "subscribing was cancelled"};
    if (Clock::now() >= deadline) {
      return {Code::kTimeout, "no answer to SUBSCRIBE from " + client_.name() +
                                  " within connect-timeout (is the server frozen?)"};
    }
  }
  return {};
}

Status MqttConsumer::CheckGranted(const std::vector<std::string>& added) {
  std::string text;
  size_t refused = 0;
  Code code = Code::kRejected;
  for (size_t i = 0; i < granted_.size() && i < added.size(); ++i) {
    if (granted_[i] < 128) continue;
    if (++refused > kMostNamed) continue;
    code = SubscribeCode(granted_[i]);
    text += (text.empty() ? "\"" : ", \"") + added[i].substr(0, 200) +
            "\": " + ReasonText(client_.version5(), granted_[i]);
  }
  if (refused == 0) return {};
  if (refused > kMostNamed) text += " and " + std::to_string(refused - kMostNamed) + " more";
  // None is to stay: the host was told that it failed.
  const std::vector<std::string> all(subscribed_.begin(), subscribed_.end());
  wanted_.clear();
  strangers_ = true;
  (void)Request(all, {});
  return {code, "subscribing was refused by " + client_.name() + ": " + text +
                    " (may this user read there?)"};
}

void MqttConsumer::OnSubscribed(int mid, std::span<const int> granted) {
  if (mid != subscribe_mid_) return;
  subscribe_mid_ = 0;
  granted_.assign(granted.begin(), granted.end());
}

void MqttConsumer::OnUnsubscribed(int mid) {
  if (mid == unsubscribe_mid_) unsubscribe_mid_ = 0;
}

bool MqttConsumer::Wanted(const char* topic) const {
  return std::any_of(wanted_.begin(), wanted_.end(), [topic](const std::string& filter) {
    // A shared subscription, $share/group/filter, matches as its filter does.
    const char* pattern = filter.c_str();
    if (filter.starts_with("$share/")) {
      const size_t slash = filter.find('/', 7);
      if (slash != filter.npos) pattern += slash + 1;
    }
    bool matches = false;
    return mosquitto_topic_matches_sub(pattern, topic, &matches) == MOSQ_ERR_SUCCESS && matches;
  });
}

void MqttConsumer::OnMessage(const mosquitto_message& received) {
  if (called_ && strangers_ && !Wanted(received.topic)) return;
  InMessage message;
  message.topic = received.topic;
  message.payload.assign(static_cast<const char*>(received.payload),
                         static_cast<size_t>(received.payloadlen));
  if (called_) {
    Deliver(std::move(message));
  } else {
    KeepEarly(std::move(message));
  }
}

// The server sends what waited for us as soon as it knows who we are.
void MqttConsumer::KeepEarly(InMessage&& message) {
  if (early_.size() < kMostEarly) {
    early_.push_back(std::move(message));
    return;
  }
  host_.log().Limited(LogLevel::kWarn, "early",
                      "messages for an earlier subscription of this client-id are dropped, because "
                      "subscribe was not called (clean-session=1 ends that subscription)");
}

void MqttConsumer::Deliver(InMessage&& message) {
  if (pending_.empty()) {
    const Status status = host_.Deliver(std::move(message), 1);
    if (status.code() != Code::kWouldBlock) return;  // taken, or the connection is being closed
  }
  pending_.push_back(std::move(message));  // NOLINT(bugprone-use-after-move): kWouldBlock left it
}

bool MqttConsumer::DeliverPending() {
  while (!pending_.empty()) {
    const Status status = host_.Deliver(std::move(pending_.front()), 1);
    if (status.code() == Code::kWouldBlock) return false;
    pending_.pop_front();
  }
  return true;
}

}  // namespace dsmsg
