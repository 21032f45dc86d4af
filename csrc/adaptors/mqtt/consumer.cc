// SPDX-License-Identifier: Apache-2.0
#include "adaptors/mqtt/consumer.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <iterator>
#include <utility>

#include "adaptors/mqtt/errors.h"
#include "core/base/time.h"
#include "core/net/hints.h"

namespace dsmsg::mqtt {
namespace {

// Limit of what waits here, and of what may accumulate if a server has no window (MQTT 3.1.1).
constexpr size_t kEnough = 1000, kEnoughBytes = size_t{16} << 20;
constexpr size_t kMost = 20000, kMostBytes = size_t{64} << 20;
constexpr size_t kMostNamed = 3;  // topics in one error text

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size());
  // The library only reads them, but its parameter is char*.
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  return pointers;
}

std::vector<std::string> Difference(const std::set<std::string>& a,
                                    const std::set<std::string>& b) {
  std::vector<std::string> only_a;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(only_a));
  return only_a;
}

std::vector<std::pair<std::string, std::string>> UserProperties(const mosquitto_property* list) {
  std::vector<std::pair<std::string, std::string>> all;
  char *name = nullptr, *value = nullptr;
  bool skip = false;  // the one found last
  while ((list = mosquitto_property_read_string_pair(list, MQTT_PROP_USER_PROPERTY, &name, &value,
                                                     skip)) != nullptr) {
    all.emplace_back(name, value);
    std::free(name);
    std::free(value);
    skip = true;
  }
  return all;
}

}  // namespace

void MqttConsumer::BeginOpen() {
  opening_ = strangers_ = true;
  owed_.clear();
  pending_before_ = pending_.size();
  early_before_ = early_.size();
}

void MqttConsumer::Reset() {
  subscribed_.clear();
  subscribe_mid_ = unsubscribe_mid_ = 0;
  strangers_ = connection_.session_present();
  broken_ = Status();
  opening_ = false;
  Forget(&pending_, pending_before_);
  Forget(&early_, early_before_);
  pending_bytes_ = 0;
  for (const Received& received : pending_) pending_bytes_ += received.message.payload.size();
  early_bytes_ = 0;
  for (const Received& received : early_) early_bytes_ += received.message.payload.size();
}

// Messages that an earlier connection did not acknowledge come again if the server still has them.
void MqttConsumer::Forget(std::deque<Received>* waiting, size_t of_before) const {
  const auto end = waiting->begin() + static_cast<std::ptrdiff_t>(of_before);
  if (connection_.session_present()) {
    waiting->erase(std::remove_if(waiting->begin(), end,
                                  [](const Received& received) { return received.mid != 0; }),
                   end);
  } else {
    std::for_each(waiting->begin(), end, [](Received& received) { received.mid = 0; });
  }
}

size_t MqttConsumer::UnsavedPending() const {
  return static_cast<size_t>(std::count_if(
      pending_.begin(), pending_.end(),
      [this](const Received& received) { return settings_.clean_session || received.mid == 0; }));
}

void MqttConsumer::Ack(AckToken token) {
  const auto owed = std::find_if(owed_.begin(), owed_.end(), [token](const Owed& each) {
    return each.mid == static_cast<int>(token) && !each.handled;
  });
  if (owed == owed_.end()) return;
  owed->handled = true;
  for (; !owed_.empty() && owed_.front().handled; owed_.pop_front()) {
    connection_.Acknowledge(owed_.front().mid);
  }
}

Status MqttConsumer::Subscribe(std::span<const std::string> topics, Deadline deadline,
                               int cancel_fd) {
  const std::set<std::string> wanted(topics.begin(), topics.end());
  std::set<std::string> filters;
  for (const std::string& topic : wanted) {
    filters.insert(settings_.dialect != nullptr ? settings_.dialect->Filter(topic) : topic);
  }
  for (const std::string& topic : filters) {
    const int length = static_cast<int>(std::min<size_t>(topic.size(), 65536));
    if (mosquitto_sub_topic_check(topic.c_str()) != MOSQ_ERR_SUCCESS ||
        mosquitto_validate_utf8(topic.data(), length) != MOSQ_ERR_SUCCESS) {
      return {Code::kInvalidArgument,
              "\"" + topic.substr(0, 200) +
                  "\" is not a topic that can be subscribed to (+ stands for a whole level, # for "
                  "all levels from there on, as in cameras/+/events or cameras/#)"};
    }
  }
  const std::vector<std::string> gone = Difference(subscribed_, filters);
  const std::vector<std::string> added = Difference(filters, subscribed_);
  const std::set<std::string> before = wanted_;
  // Messages of the new topics may come before the answer, which says which topics are accepted.
  wanted_.insert(wanted.begin(), wanted.end());
  subscribing_ = true;
  const Status status = Change(gone, added, deadline, cancel_fd);
  subscribing_ = false;
  strangers_ = strangers_ || !gone.empty() || !status.ok();
  Adopt(status.ok() ? wanted : before);
  return status;
}

// Additions first: if one is refused, the existing subscriptions stay as they are.
Status MqttConsumer::Change(const std::vector<std::string>& gone,
                            const std::vector<std::string>& added, Deadline deadline,
                            int cancel_fd) {
  Status status;
  do {
    granted_.clear();
    status = Add(added);
    if (status.ok()) status = WaitAnswers(deadline, cancel_fd);
  } while (status.ok() && IsIdInUse());
  Status refused;
  if (status.ok()) {
    refused = CheckGranted(added);
    status = Remove(refused.ok() ? gone : added);
  }
  if (!refused.ok()) {
    unsubscribe_mid_ =
        0;  // messages that come before the answer are dropped, so there is no need to wait
  } else if (status.ok()) {
    status = WaitAnswers(deadline, cancel_fd);
  }
  if (!status.ok()) broken_ = status;
  return refused.ok() ? status : refused;
}

// From here on messages of other topics are dropped.
void MqttConsumer::Adopt(std::set<std::string> wanted) {
  wanted_ = std::move(wanted);
  called_ = called_ || !wanted_.empty();
  if (!called_) return;
  std::move(early_.begin(), early_.end(), std::back_inserter(pending_));
  early_.clear();
  early_bytes_ = 0;
  std::deque<Received> kept;
  pending_bytes_ = 0;
  for (Received& received : pending_) {
    if (!Wanted(received.message.topic)) {
      Ack(static_cast<AckToken>(received.mid));
      continue;
    }
    pending_bytes_ += received.message.payload.size();
    kept.push_back(std::move(received));
  }
  pending_.swap(kept);
}

Status MqttConsumer::Add(const std::vector<std::string>& topics) {
  if (topics.empty()) return {};
  connection_.ExpectAnswer();
  errno = 0;
  std::vector<char*> texts = Pointers(topics);
  // A resumed session has already received the retained messages.
  const int options = connection_.version5() ? MQTT_SUB_OPT_SEND_RETAIN_NEW : 0;
  // At most 1: if a lost link interrupts a QoS 2 exchange, the library forgets the message.
  const int qos = std::min(settings_.qos, 1);
  const int error = mosquitto_subscribe_multiple(connection_.object(), &subscribe_mid_,
                                                 static_cast<int>(texts.size()), texts.data(), qos,
                                                 options, nullptr);
  if (error != MOSQ_ERR_SUCCESS) return LostError(error, errno, connection_.name());
  subscribed_.insert(topics.begin(), topics.end());
  return settings_.dialect != nullptr ? AddRequests() : Status();
}

// In addition to the host's topics. The answers are not awaited, so a refusal delays nothing.
Status MqttConsumer::AddRequests() {
  for (const char* filter : settings_.dialect->Requests()) {
    const int error = mosquitto_subscribe(connection_.object(), nullptr, filter, 0);
    if (error != MOSQ_ERR_SUCCESS) return LostError(error, errno, connection_.name());
  }
  return {};
}

Status MqttConsumer::Remove(const std::vector<std::string>& topics) {
  if (topics.empty()) return {};
  connection_.ExpectAnswer();
  errno = 0;
  std::vector<char*> texts = Pointers(topics);
  const int error =
      mosquitto_unsubscribe_multiple(connection_.object(), &unsubscribe_mid_,
                                     static_cast<int>(texts.size()), texts.data(), nullptr);
  if (error != MOSQ_ERR_SUCCESS) return LostError(error, errno, connection_.name());
  for (const std::string& topic : topics) subscribed_.erase(topic);
  return {};
}

Status MqttConsumer::WaitAnswers(Deadline deadline, int cancel_fd) {
  while (subscribe_mid_ != 0 || unsubscribe_mid_ != 0) {
    MqttConnection::Progress progress;
    const Status status =
        connection_.Step(Millis(PollTimeout(deadline)), cancel_fd, true, &progress);
    if (!status.ok()) return status;
    if (progress.woken) return {Code::kCancelled, "subscribing was cancelled"};
    if (Clock::now() >= deadline) {
      return {Code::kTimeout, "no answer to SUBSCRIBE from " + connection_.name() +
                                  " within connect-timeout" + Hint(Situation::kStalled)};
    }
  }
  return {};
}

// mochi (2.7.9) refuses a SUBSCRIBE whose packet identifier equals that of a message in flight to
// us; the library's next identifier is free, now or soon.
bool MqttConsumer::IsIdInUse() const {
  return std::find(granted_.begin(), granted_.end(), MQTT_RC_PACKET_ID_IN_USE) != granted_.end();
}

Status MqttConsumer::CheckGranted(const std::vector<std::string>& added) const {
  std::string text;
  size_t refused = 0;
  Code code = Code::kRejected;
  for (size_t i = 0; i < granted_.size() && i < added.size(); ++i) {
    if (granted_[i] < 128) continue;
    if (++refused > kMostNamed) continue;
    code = SubscribeCode(granted_[i]);
    text += (text.empty() ? "\"" : ", \"") + added[i].substr(0, 200) +
            "\": " + ReasonText(connection_.version5(), granted_[i]);
  }
  if (refused == 0) return {};
  if (refused > kMostNamed) text += " and " + std::to_string(refused - kMostNamed) + " more";
  return {code, "subscribing was refused by " + connection_.name() + ": " + text +
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

bool MqttConsumer::Matches(const std::string& filter, const std::string& topic) {
  // A shared subscription, $share/group/filter, matches what its filter matches.
  const char* pattern = filter.c_str();
  if (filter.starts_with("$share/")) {
    const size_t slash = filter.find('/', 7);
    if (slash != filter.npos) pattern += slash + 1;
  }
  bool matches = false;
  return mosquitto_topic_matches_sub(pattern, topic.c_str(), &matches) == MOSQ_ERR_SUCCESS &&
         matches;
}

bool MqttConsumer::Wanted(const std::string& topic) const {
  return std::any_of(wanted_.begin(), wanted_.end(), [&](const std::string& filter) {
    return settings_.dialect != nullptr ? settings_.dialect->Matches(filter, topic)
                                        : Matches(filter, topic);
  });
}

void MqttConsumer::OnMessage(const mosquitto_message& message,
                             const mosquitto_property* properties) {
  Received received;
  received.qos = message.qos;
  if (message.qos == 1) {
    received.mid = message.mid;
    owed_.push_back({message.mid, false});
  }
  received.message.topic = message.topic;
  received.message.payload.assign(static_cast<const char*>(message.payload),
                                  static_cast<size_t>(message.payloadlen));
  received.message.headers = UserProperties(properties);
  bool wanted = true;
  if (settings_.dialect != nullptr) {
    wanted = settings_.dialect->Read(message, connection_.object(), &received.message) &&
             (!called_ || Wanted(received.message.topic));
  } else if (called_ && strangers_) {
    wanted = Wanted(received.message.topic);
  }
  if (!wanted) {
    Ack(static_cast<AckToken>(received.mid));
    return;
  }
  if (called_) {
    Deliver(std::move(received));
  } else {
    KeepEarly(std::move(received));
  }
}

// The server sends waiting messages as soon as it knows who we are. What it may send without an
// acknowledgement is kept; the rest stays there until the host subscribes. Mosquitto (2.0.11) sends
// more than that if an earlier connection has already seen the messages.
void MqttConsumer::KeepEarly(Received&& received) {
  const bool room = received.mid != 0 ? early_.size() < kMost && early_bytes_ < kMostBytes
                                      : early_.size() < kEnough;
  if (room) {
    early_bytes_ += received.message.payload.size();
    early_.push_back(std::move(received));
    return;
  }
  host_.log().Limited(LogLevel::kWarn, "early",
                      "messages for an earlier subscription of this client-id are dropped, because "
                      "subscribe was not called (clean-session=1 ends that subscription)");
}

// Ok: accepted. kWouldBlock leaves it unchanged. Anything else: the connection is being closed.
Status MqttConsumer::Offer(Received* received) {
  const bool later = !settings_.clean_session;
  const auto mid = static_cast<AckToken>(received->mid);
  const Status status = host_.Deliver(std::move(received->message), later ? mid : 0);
  if (status.ok() && !later) Ack(mid);
  return status;
}

void MqttConsumer::Deliver(Received&& received) {
  const bool now = !opening_ && !subscribing_ && pending_.empty();
  if (now && Offer(&received).code() != Code::kWouldBlock) return;
  Keep(std::move(received));
}

void MqttConsumer::Keep(Received&& received) {
  const bool enough = pending_.size() >= kEnough || pending_bytes_ >= kEnoughBytes;
  if (received.qos == 0 && enough) {
    ++dropped_;
    host_.log().Limited(LogLevel::kWarn, "dropped",
                        std::to_string(dropped_) +
                            " received messages of QoS 0 dropped so far: the subscribe callback "
                            "cannot keep up (QoS 1 messages would wait at the server)");
    return;
  }
  pending_bytes_ += received.message.payload.size();
  pending_.push_back(std::move(received));
}

bool MqttConsumer::DeliverPending() {
  while (!pending_.empty()) {
    const size_t bytes = pending_.front().message.payload.size();
    if (Offer(&pending_.front()).code() == Code::kWouldBlock) return false;
    pending_bytes_ -= bytes;
    pending_.pop_front();
  }
  return true;
}

bool MqttConsumer::MayRead() {
  if (pending_.size() < kMost && pending_bytes_ < kMostBytes) return true;
  host_.log().Limited(LogLevel::kWarn, "stopped",
                      "the subscribe callback is too slow for what " + connection_.name() +
                          " sends: nothing is read until it has caught up, not even "
                          "acknowledgements of sent messages");
  return false;
}

}  // namespace dsmsg::mqtt
