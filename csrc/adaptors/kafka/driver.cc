// SPDX-License-Identifier: Apache-2.0
#include "adaptors/kafka/driver.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <string>

#include "adaptors/kafka/errors.h"
#include "core/options/config.h"

namespace dsmsg::kafka {

const DriverInfo& KafkaDriver::Info() {
  static constexpr std::array<std::string_view, 1> kSchemes = {"kafka"};
  static const DriverInfo info = {
      .protocol = "KAFKA",
      .env_suffix = "KAFKA",
      .delivery =
          "OK when the brokers have acknowledged the message (acks=all: every in-sync replica); a "
          "restart of the process or a fatal producer error may send a message twice",
      .library = "librdkafka",
      .library_version = rd_kafka_version_str,
      .options = Options(),
      .conn_rules = {.protocol = "kafka", .schemes = kSchemes, .default_port = 9092},
      .separate_roles = true,
      .retry = RetryOwner::kLibrary,
      .matches = [](const Config&, const std::string& filter,
                    const std::string& topic) { return Matches(filter, topic); },
  };
  return info;
}

Status KafkaDriver::Configure(const Endpoints& endpoints, const Config& config) {
  auto settings = KafkaSettings::Make(endpoints, config, host_.log());
  if (!settings.ok()) return settings.status();
  settings_.emplace(std::move(settings.value()));
  return {};
}

Status KafkaDriver::Open(Role role, Deadline deadline, int cancel_fd) {
  Close(Millis(0), -1);
  cancel_fd_ = cancel_fd;
  auto client = KafkaConnection::Create(role, *settings_, host_.log());
  if (!client.ok()) return client.status();
  if (Status s = client.value()->AwaitBroker(deadline, cancel_fd); !s.ok()) return s;
  connection_ = std::move(client.value());
  settle_ = std::min(settings_->linger() / 4, Millis(2));
  brokers_ = std::make_unique<BrokersWatch>(*connection_, *settings_, host_);
  if (role == Role::kConsumer) {
    consumer_ = std::make_unique<KafkaConsumer>(connection_->get(), host_, next_token_);
  } else {
    losses_ = std::make_unique<LossWatch>(*connection_);
    producer_ = std::make_unique<KafkaProducer>(*connection_, host_, *losses_, bounds_);
    stall_ = std::make_unique<StallWatch>(*connection_, host_);
  }
  return {};
}

Status KafkaDriver::Submit(const Message& message, Token token) {
  if (!producer_) return Status(Code::kWouldBlock, {});
  ++submitted_;
  return producer_->Submit(message, token);
}

Status KafkaDriver::Poll(Millis budget, int wake_fd) {
  if (!connection_) return Status(Code::kUnavailable, "not connected");
  if (consumer_) {
    consumer_->StoreOffsets();
    consumer_->OfferHeld();
  }
  const bool held = consumer_ && consumer_->held();
  if (producer_) {
    const std::string topic = losses_->Tick(producer_->outstanding());
    if (!topic.empty()) return LostOver(topic);
    budget = producer_->Tick(budget);
    if (producer_->TakeSuspicion()) stall_->Suspect();
    budget = stall_->Tick(producer_->outstanding(), budget);
  }
  Wait(more_ ? Millis(0) : brokers_->Tick(budget), wake_fd, held);
  if (held) return {};
  more_ = DrainEvents();
  if (producer_) producer_->Tick(budget);
  return fatal_;
}

Status KafkaDriver::LostOver(const std::string& topic) {
  host_.LostOverMessages();
  producer_->TooMuchOf(topic);
  return {Code::kUnavailable,
          "the broker closes every connection on which messages for topic '" + topic +
              "' arrive (is a request larger than the broker's socket.request.max.bytes, or than a "
              "proxy lets through? then lower batch-bytes and max-message-bytes)"};
}

void KafkaDriver::Wait(Millis budget, int wake_fd, bool held) {
  const bool burst = submitted_ > 1;
  submitted_ = 0;
  if (burst && budget > settle_ && settle_ > Millis(0)) {
    // Reports of messages submitted together come almost at the same time: one wake-up serves all
    // of them, instead of one per partition. A message that a sender waits for comes alone.
    WaitReadable({wake_fd}, settle_);
    connection_->DrainEventFd();
    return;
  }
  // Nothing is read while a message waits for room; the core signals through wake_fd when there is
  // some.
  const unsigned ready = WaitReadable({wake_fd, held ? -1 : connection_->event_fd()}, budget);
  // Before the queue is read, so that an event in between makes it readable again.
  if ((ready & 2U) != 0) connection_->DrainEventFd();
}

bool KafkaDriver::DrainEvents() {
  constexpr int kMax = 1000;  // then the core has its turn
  for (int i = 0; i < kMax; ++i) {
    const EventPtr event = connection_->NextEvent();
    if (!event) return false;
    if (!HandleEvent(event.get())) return true;
  }
  return true;
}

bool KafkaDriver::HandleEvent(rd_kafka_event_t* event) {
  switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_DR:
      if (producer_ && producer_->OnDelivery(event)) {
        brokers_->OnAnswer();
        stall_->OnAnswer();
      }
      return true;
    case RD_KAFKA_EVENT_FETCH:
      if (!consumer_) return true;
      brokers_->OnAnswer();
      consumer_->OnFetch(event);
      return !consumer_->held();
    case RD_KAFKA_EVENT_ERROR:
      HandleError(event);
      return true;
    default:
      return true;
  }
}

void KafkaDriver::HandleError(rd_kafka_event_t* event) {
  const rd_kafka_resp_err_t err = rd_kafka_event_error(event);
  const std::string text = connection_->Clean(rd_kafka_event_error_string(event));
  char reason[512] = "";
  // The event of a fatal error carries the code of its cause.
  const rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(connection_->get(), reason, sizeof reason);
  if (fatal == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED && producer_) {
    const bool without = settings_->GiveUpIdempotence();
    fatal_ = Status(without ? Code::kUnavailable : Code::kAuth,
                    std::string("this user may not send idempotently: ") + reason +
                        (without ? " (continuing without idempotence: retries may send a message "
                                   "twice; to avoid that, grant IDEMPOTENT_WRITE on the cluster)"
                                 : " (grant IDEMPOTENT_WRITE on the cluster, or set "
                                   "idempotence=auto)"));
  } else if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR) {
    fatal_ =
        Status(Code::kUnavailable, std::string("librdkafka gave up on this ") +
                                       (producer_ ? "producer: " : "consumer: ") + reason +
                                       " (a new one takes over; messages whose fate is unknown "
                                       "are sent again)");
  } else if (IsLinkError(err)) {
    brokers_->OnError(err, text);
  } else {
    host_.log().Limited(LogLevel::kWarn, "event-error", text);
  }
}

// librdkafka subscribes to anything and reports missing permissions only in events. Nothing changes
// until everything has been asked.
Status KafkaDriver::Subscribe(std::span<const std::string> topics, Deadline deadline) {
  if (!consumer_) return Status(Code::kUnavailable, "not connected");
  for (const std::string& topic : topics) {
    if (topic.starts_with('^')) continue;  // a pattern
    if (Status s = connection_->CheckMayRead(topic, deadline, cancel_fd_); !s.ok()) return s;
  }
  return consumer_->Subscribe(topics);
}

void KafkaDriver::Ack(AckToken token) noexcept {
  if (consumer_) consumer_->Ack(token);
}

void KafkaDriver::Release(AckToken token, InMessage&& /*message*/) noexcept {
  if (consumer_) consumer_->Release(token);
}

void KafkaDriver::Close(Millis drain, int cancel_fd) noexcept {
  if (!connection_) return;
  if (producer_) {
    while (DrainEvents()) {  // what the brokers acknowledged before we take back the rest
    }
    producer_->Purge();
    producer_.reset();
    losses_.reset();
    stall_.reset();
    connection_->HoldUntilDestroyed(host_.HoldInFlight());
  }
  if (consumer_) {
    consumer_->StoreOffsets();
    next_token_ = consumer_->next_token();
    consumer_.reset();
    connection_->LeaveGroup(Clock::now() + std::max(drain, Millis(100)), cancel_fd);
  }
  brokers_.reset();
  connection_.reset();
  more_ = false;
  submitted_ = 0;
  fatal_ = {};
}

}  // namespace dsmsg::kafka
