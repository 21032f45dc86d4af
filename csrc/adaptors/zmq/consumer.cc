// SPDX-License-Identifier: Apache-2.0
#include "adaptors/zmq/consumer.h"
#include "core/base/time.h"

#include <zmq.h>

#include <algorithm>
#include <utility>

namespace dsmsg::zmq {
namespace {

using Receive = ZmqSettings::Receive;

constexpr int kMostAtOnce = 256;  // then the core gets its turn
constexpr std::string_view kReply = "OK";

ZmqSocket::Kind KindOf(Receive type) {
  switch (type) {
    case Receive::kPull:
      return {ZMQ_PULL, "PULL", "PUSH", true};
    case Receive::kRep:
      return {ZMQ_REP, "REP", "REQ", true};
    case Receive::kSub:
      break;
  }
  return {ZMQ_SUB, "SUB", "PUB", true};
}

}  // namespace

ZmqConsumer::ZmqConsumer(const ZmqSettings& settings, DriverHost& host)
    : settings_(settings), host_(host), socket_(settings, host.log(), KindOf(settings.receive)) {}

// Next to a sending socket, this one outlives its peers: its loss must not end the other.
Status ZmqConsumer::Open(Deadline deadline, int cancel_fd) {
  Status status = socket_.Create();
  if (status.ok()) {
    const bool probe = !(settings_.both && settings_.lazy);
    status = socket_.Open(settings_.receive_target, settings_.both, probe, deadline, cancel_fd);
    if (status.ok() && probe) status = socket_.WaitForPeer(deadline, cancel_fd);
  }
  if (!status.ok()) Close(Millis(0), Millis(100));
  return status;
}

Status ZmqConsumer::Subscribe(std::span<const std::string> topics) {
  const std::set<std::string> wanted(topics.begin(), topics.end());
  if (settings_.receive == Receive::kSub) {
    socket_.Events();  // peers that have connected since get the subscriptions now
    std::vector<std::string> added;
    for (const std::string& topic : wanted) {
      if (topics_.contains(topic)) continue;
      Status status = socket_.SetBytes(ZMQ_SUBSCRIBE, topic);
      if (status.ok()) {
        added.push_back(topic);
        continue;
      }
      for (const std::string& back : added) (void)socket_.SetBytes(ZMQ_UNSUBSCRIBE, back);
      return status;
    }
    // From here on libzmq drops the messages it holds for them.
    for (const std::string& topic : topics_) {
      if (!wanted.contains(topic)) (void)socket_.SetBytes(ZMQ_UNSUBSCRIBE, topic);
    }
    topics_ = wanted;
    const auto begins = [this](const std::string& topic) {
      return pending_->topic.starts_with(topic);
    };
    if (pending_ && std::none_of(topics_.begin(), topics_.end(), begins)) pending_.reset();
  }
  subscribed_ = !wanted.empty();
  return {};
}

InMessage ZmqConsumer::MessageOf(std::vector<std::string>* frames) {
  InMessage message;
  if (frames->size() == 1) {
    message.payload = std::move(frames->front());
    return message;
  }
  if (frames->size() > 2) {
    host_.log().Limited(LogLevel::kWarn, "frames",
                        "received a message of " + std::to_string(frames->size()) +
                            " frames: the first is used as the topic, the second as the payload, "
                            "the rest is ignored");
  }
  message.payload = std::move((*frames)[1]);
  message.topic = std::move((*frames)[0]);
  return message;
}

bool ZmqConsumer::DeliverPending() {
  if (!pending_) return true;
  const Status status = host_.Deliver(std::move(*pending_), ++last_token_);
  if (status.code() == Code::kWouldBlock) return false;
  // Another error: the connection is being closed, and there will be no acknowledgement.
  replying_ = status.ok() && settings_.receive == Receive::kRep;
  pending_.reset();
  return true;
}

Status ZmqConsumer::Read(bool* progress) {
  for (int i = 0; i < kMostAtOnce && DeliverPending(); ++i) {
    if (replying_) return {};
    const Result<bool> got = socket_.Receive(&frames_);
    if (!got.ok()) return got.status();
    if (!got.value()) return {};
    pending_ = MessageOf(&frames_);
    *progress = true;
  }
  return {};
}

Status ZmqConsumer::Work(bool* progress) {
  if (!socket_.open()) return {};
  // First: what came before the other side disconnected must still be delivered.
  if (subscribed_) {
    if (Status status = Read(progress); !status.ok()) return status;
  }
  const Status lost = socket_.CheckPeers();
  const bool drained = !pending_ && (socket_.Events() & ZMQ_POLLIN) == 0;
  if (drained || !subscribed_) return lost;
  // It came after Read, and the descriptor will not signal it again.
  if (!pending_ && !replying_) *progress = true;
  return {};
}

void ZmqConsumer::Ack(AckToken token) noexcept {
  if (!replying_ || token != last_token_ || !socket_.open()) return;
  replying_ = false;
  // Not taken: the requester has disconnected and will ask again.
  const Result<bool> sent = socket_.Send({kReply});
  if (!sent.ok()) host_.log().Limited(LogLevel::kWarn, "reply", sent.status().message());
}

void ZmqConsumer::Close(Millis linger, Millis patience) {
  socket_.Close(linger, patience);
  subscribed_ = replying_ = false;
  topics_.clear();
  pending_.reset();
}

}  // namespace dsmsg::zmq
