// SPDX-License-Identifier: Apache-2.0
#include "adaptors/nats/consumer.h"

#include <algorithm>

#include "adaptors/nats/core_consumer.h"
#include "adaptors/nats/pull_consumer.h"
#include "adaptors/nats/subject.h"

namespace dsmsg::nats {
namespace {

constexpr Millis kLookAround{500};

}  // namespace

std::unique_ptr<NatsConsumer> NatsConsumer::Create(const NatsSettings& settings,
                                                   NatsConnection& connection, DriverHost& host) {
  if (settings.jetstream) return std::make_unique<PullConsumer>(settings, connection, host);
  return std::make_unique<CoreConsumer>(settings, connection, host);
}

void NatsConsumer::Reset() {
  pending_.clear();
  broken_ = Status();
}

InMessage NatsConsumer::MessageOf(const Op& op) {
  InMessage message;
  message.topic = op.subject;
  message.payload = op.payload;
  for (auto& [name, value] : ParseHeaders(op.headers)) {
    if (name == "key" && !message.has_key) {  // where the sending half writes it
      message.key = std::move(value);
      message.has_key = true;
    } else if (name == "Nats-Msg-Id") {
      message.id = std::move(value);
    } else {
      message.headers.emplace_back(std::move(name), std::move(value));
    }
  }
  return message;
}

Status NatsConsumer::Subscribe(std::span<const std::string> topics, Deadline deadline,
                               int cancel_fd) {
  for (const std::string& topic : topics) {
    if (Status status = CheckSubject(topic, /*wildcards=*/true); !status.ok()) return status;
  }
  Status status = Begin(topics, deadline, cancel_fd);
  if (status.retryable() || status.code() == Code::kCancelled) broken_ = status;
  return status;
}

bool NatsConsumer::DeliverPending() {
  while (!pending_.empty()) {
    Pending& next = pending_.front();
    const AckToken token = NextToken();
    const Status status = host_.Deliver(std::move(next.message), token);
    if (status.code() == Code::kWouldBlock) return false;
    // Not ok: the connection is being closed, and the message stays unacknowledged.
    if (status.ok()) Delivered(next, token);
    pending_.pop_front();
  }
  return true;
}

Status NatsConsumer::ReadAll(bool* got) {
  Status status = connection_.Receive(got);
  while (status.ok() && *got) {
    Op op;
    status = connection_.Next(&op);
    if (!status.ok() || op.kind == Op::Kind::kNone) break;
    if (op.kind != Op::Kind::kPong) status = Take(op);
  }
  return status;
}

Status NatsConsumer::Poll(Millis budget, int wake_fd) {
  if (!broken_.ok()) return broken_;
  bool room = DeliverPending();
  Ask(room);
  if (Status status = connection_.Flush(); !status.ok()) return status;
  const bool read = room || reads_when_full();
  const unsigned ready = connection_.Wait(std::min(budget, kLookAround), wake_fd, read);
  if ((ready & NatsConnection::kReadable) != 0) {
    bool got = false;
    if (Status status = ReadAll(&got); !status.ok()) return status;
    // The next request is sent before the core processes what came.
    room = DeliverPending();
    Ask(room);
  } else if (read) {
    if (Status status = connection_.Tend(subscribed()); !status.ok()) return status;
  }
  return connection_.Flush();
}

}  // namespace dsmsg::nats
