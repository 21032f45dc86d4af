// SPDX-License-Identifier: Apache-2.0
#include "adaptors/mqtt/producer.h"

#include <algorithm>
#include <cerrno>

#include "adaptors/mqtt/errors.h"

namespace dsmsg::mqtt {
namespace {

// The library keeps two copies of messages in flight, in addition to the core's.
constexpr size_t kMostBytes = size_t{16} << 20;
constexpr int kLargestMid = 65535;
constexpr Millis kLookInterval{1000};

}  // namespace

MqttProducer::MqttProducer(const MqttSettings& settings, MqttConnection& client, DriverHost& host)
    : settings_(settings), connection_(client), host_(host), envelope_(settings.default_sensor_id) {
  (void)constant_.AddUsers(settings.user_properties);  // checked by ReadSettings
}

void MqttProducer::Reset() {
  in_flight_.clear();
  bytes_ = 0;
  last_mid_ = 0;
  newest_answered_ = {};
  broken_ = Status();
  qos_ = std::min(settings_.qos, connection_.maximum_qos());
  window_.Reset(qos_ == 0 ? settings_.max_inflight
                          : std::min(settings_.max_inflight, connection_.receive_maximum()));
}

bool MqttProducer::HasRoom() const {
  if (!broken_.ok()) return false;
  if (in_flight_.empty()) return true;
  // Ids are assigned in turn: one that is still awaited must not be assigned again.
  return bytes_ < kMostBytes && !in_flight_.contains(last_mid_ % kLargestMid + 1);
}

bool MqttProducer::TakeRoom() {
  return window_.Reopens(in_flight_.size(), bytes_ <= kMostBytes / 2 && HasRoom());
}

Status MqttProducer::AddProperties(const Message& message, MqttProperties* properties) {
  bool good = properties->AddUsers(settings_.user_properties);
  for (const auto& [name, value] : message.headers) {
    good = good && properties->AddUser(name, value);
  }
  if (good) return {};
  return {Code::kRejected, "publishing to \"" + std::string(message.topic) +
                               "\": a header is not valid UTF-8 of at most 65535 bytes"};
}

Status MqttProducer::Submit(const Message& message, Token token) {
  if (message.topic.empty() && settings_.dialect == nullptr) {
    return {Code::kInvalidArgument, "a message has no topic (set topic in the config file)"};
  }
  if (!window_.Takes(in_flight_.size(), HasRoom())) return {Code::kWouldBlock, {}};

  MqttProperties own;
  const mosquitto_property* properties = nullptr;
  if (connection_.version5()) {
    if (message.headers.empty()) {
      properties = constant_.get();
    } else {
      if (Status status = AddProperties(message, &own); !status.ok()) return status;
      properties = own.get();
    }
  }
  std::string_view payload = message.payload;
  if (settings_.sensor_envelope) payload = envelope_.Wrap(payload, message.timestamp_ms);

  const char* topic = message.topic.data();
  if (settings_.dialect != nullptr) {
    const Result<const char*> wire = settings_.dialect->WireTopic(message);
    if (!wire.ok()) return wire.status();
    topic = wire.value();
  }
  if (in_flight_.empty()) connection_.ExpectAnswer();
  int mid = 0;
  publishing_ = true;
  published_inside_ = 0;
  errno = 0;
  const int error =
      mosquitto_publish_v5(connection_.object(), &mid, topic, static_cast<int>(payload.size()),
                           payload.data(), qos_, settings_.retain, properties);
  publishing_ = false;
  if (error != MOSQ_ERR_SUCCESS) return PublishFailed(error, message, payload.size());
  last_mid_ = mid;
  if (published_inside_ == mid) {
    host_.Complete(token, {});
  } else {
    in_flight_.emplace(mid, Sent{token, payload.size(), message.topic, Clock::now()});
    bytes_ += payload.size();
  }
  return {};
}

Status MqttProducer::PublishFailed(int error, const Message& message, size_t size) {
  if (IsMessageError(error)) {
    return LibraryPublishError(error, message.topic, size, connection_.name());
  }
  // The library may have kept the message for a later connection, but its object ends with this
  // one.
  broken_ = LostError(error, errno, connection_.name());
  window_.Fill();
  return {Code::kWouldBlock, {}};
}

bool MqttProducer::Take(int mid, Sent* sent) {
  const auto found = in_flight_.find(mid);
  if (found == in_flight_.end()) return false;
  *sent = found->second;
  in_flight_.erase(found);
  bytes_ -= sent->bytes;
  return true;
}

void MqttProducer::OnPublished(int mid, int reason, const std::string& words) {
  Sent sent;
  if (!Take(mid, &sent)) {
    if (publishing_) published_inside_ = mid;
    return;
  }
  newest_answered_ = std::max(newest_answered_, sent.at);
  host_.Complete(sent.token, reason < 128
                                 ? Status()
                                 : PublishError(reason, words, sent.topic, connection_.name()));
}

// Answers come in the order of the messages. Moquette (0.17) refuses by not answering.
Status MqttProducer::CheckPassedOver() {
  const auto now = Clock::now();
  if (in_flight_.empty() || now < next_look_) return {};
  next_look_ = now + kLookInterval;
  for (const auto& [mid, sent] : in_flight_) {
    const auto age = std::chrono::duration_cast<Millis>(now - sent.at);
    if (sent.at >= newest_answered_ || age <= settings_.silence_limit) continue;
    return {Code::kTimeout,
            connection_.name() + " has not acknowledged a message to \"" + std::string(sent.topic) +
                "\" for " + std::to_string(age.count()) +
                " ms, although it has acknowledged later ones (may this user write there?)"};
  }
  return {};
}

}  // namespace dsmsg::mqtt
