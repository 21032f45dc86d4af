// SPDX-License-Identifier: Apache-2.0
#include "adaptors/zmq/producer.h"
#include "core/base/time.h"

#include <zmq.h>

#include <algorithm>

namespace dsmsg::zmq {
namespace {

// Used while a subscriber that must not lose anything is full: libzmq does not report when it has
// room.
constexpr Millis kNoDropLook{10};

}  // namespace

std::unique_ptr<ZmqProducer> ZmqProducer::Create(const ZmqSettings& settings, DriverHost& host) {
  if (settings.send == ZmqSettings::Send::kPub) {
    return std::make_unique<ZmqPubProducer>(settings, host);
  }
  if (settings.send == ZmqSettings::Send::kReq) {
    return std::make_unique<ZmqReqProducer>(settings, host);
  }
  return std::make_unique<ZmqPushProducer>(settings, host);
}

Status ZmqProducer::Open(Deadline deadline, int cancel_fd) {
  broken_ = Status();
  blocked_ = false;
  Status status = socket_.Create();
  if (status.ok()) status = Prepare();
  if (status.ok()) {
    status = socket_.Open(settings_.send_target, /*persistent=*/false, /*probe=*/true, deadline,
                          cancel_fd);
  }
  if (status.ok()) status = socket_.WaitForPeer(deadline, cancel_fd);
  return status;
}

void ZmqProducer::Close(Millis linger, Millis patience) {
  socket_.Close(linger, patience);
  blocked_ = false;
}

const std::vector<std::string_view>& ZmqProducer::FramesOf(const Message& message) {
  frames_.clear();
  if (settings_.topic_frame) frames_.push_back(message.topic);
  frames_.push_back(message.payload);
  return frames_;
}

// ---------------------------------------------------------------- PUSH

ZmqPushProducer::ZmqPushProducer(const ZmqSettings& settings, DriverHost& host)
    : ZmqProducer(settings, host, {ZMQ_PUSH, "PUSH", "PULL", false}) {}

Status ZmqPushProducer::Submit(const Message& message, Token token) {
  const Result<bool> sent = socket_.Send(FramesOf(message));
  if (sent.ok() && sent.value()) {
    host_.Complete(token, Status());
    return {};
  }
  blocked_ = true;
  if (!sent.ok()) broken_ = sent.status();
  return {Code::kWouldBlock, "no receiver has room"};
}

Status ZmqPushProducer::Work(bool* progress) {
  if (!broken_.ok()) return broken_;
  if (Status status = socket_.CheckPeers(); !status.ok()) return status;
  if (blocked_ && (socket_.Events() & ZMQ_POLLOUT) != 0) {
    blocked_ = false;
    *progress = true;
  }
  return {};
}

// ---------------------------------------------------------------- PUB

ZmqPubProducer::ZmqPubProducer(const ZmqSettings& settings, DriverHost& host)
    : ZmqProducer(settings, host, {ZMQ_XPUB, "PUB", "SUB", false}) {}

Status ZmqPubProducer::Prepare() {
  subscriptions_.clear();
  return socket_.SetInt(ZMQ_XPUB_NODROP, settings_.no_drop ? 1 : 0);
}

// libzmq reports the first subscription to a topic and the end of the last one.
Status ZmqPubProducer::ReadSubscriptions() {
  for (;;) {
    if ((socket_.Events() & ZMQ_POLLIN) == 0) return {};
    const Result<bool> got = socket_.Receive(&received_);
    if (!got.ok()) return got.status();
    if (!got.value()) return {};
    const std::string& text = received_.front();
    if (text.empty()) continue;
    if (text.front() == 1) subscriptions_.insert(text.substr(1));
    if (text.front() == 0) subscriptions_.erase(text.substr(1));
  }
}

bool ZmqPubProducer::HasSubscriber(std::string_view topic) const {
  return std::any_of(subscriptions_.begin(), subscriptions_.end(),
                     [topic](const std::string& begin) { return topic.starts_with(begin); });
}

Status ZmqPubProducer::Submit(const Message& message, Token token) {
  const Status read = ReadSubscriptions();
  const bool wait = settings_.wait_for_subscribers && subscriptions_.empty();
  if (!read.ok() || wait) {
    broken_ = read;
    blocked_ = true;
    return {Code::kWouldBlock, "there is no subscriber yet"};
  }
  const Result<bool> sent = socket_.Send(FramesOf(message));
  if (!sent.ok() || !sent.value()) {
    if (!sent.ok()) broken_ = sent.status();
    blocked_ = true;
    return {Code::kWouldBlock, "a subscriber is at its high-water mark (no_drop=1)"};
  }
  // A single frame is also matched by its prefix.
  if (!HasSubscriber(settings_.topic_frame ? message.topic : message.payload)) {
    host_.CountUnheard();
    host_.log().Limited(LogLevel::kInfo, "unheard",
                        "published without any subscriber (counted as no_receiver in the stats; "
                        "wait_for_subscribers=1 keeps messages until there is one)");
  }
  host_.Complete(token, Status());
  return {};
}

Status ZmqPubProducer::Work(bool* progress) {
  if (!broken_.ok()) return broken_;
  if (Status status = socket_.CheckPeers(); !status.ok()) return status;
  const bool nobody = subscriptions_.empty();
  if (Status status = ReadSubscriptions(); !status.ok()) return status;
  if (blocked_ && nobody && !subscriptions_.empty()) {
    blocked_ = false;
    *progress = true;
  }
  return {};
}

Deadline ZmqPubProducer::NextWork() const {
  const bool full = blocked_ && settings_.no_drop && !subscriptions_.empty();
  return full ? Clock::now() + kNoDropLook : Deadline::max();
}

void ZmqPubProducer::Close(Millis linger, Millis patience) {
  ZmqProducer::Close(linger, patience);
  subscriptions_.clear();
}

}  // namespace dsmsg::zmq
