// SPDX-License-Identifier: Apache-2.0
// REQ: one request on the wire, its reply is the acknowledgement.
#include <zmq.h>

#include "adaptors/zmq/producer.h"

namespace dsmsg::zmq {
namespace {

// Requests that wait here for the reply to the first, so that the core need not be asked for each.
constexpr size_t kMostRequests = 64;
// Closing a socket that holds nothing takes microseconds.
constexpr Millis kCloseBound{100};

}  // namespace

ZmqReqProducer::ZmqReqProducer(const ZmqSettings& settings, DriverHost& host)
    : ZmqProducer(settings, host, {ZMQ_REQ, "REQ", "REP", false}) {}

// A bound socket cannot be reopened without cutting off its peers, so it may ask again; the request
// then carries a number that distinguishes late replies.
Status ZmqReqProducer::Prepare() {
  if (!settings_.send_target.bind) return {};
  if (Status status = socket_.SetInt(ZMQ_REQ_RELAXED, 1); !status.ok()) return status;
  return socket_.SetInt(ZMQ_REQ_CORRELATE, 1);
}

Status ZmqReqProducer::Submit(const Message& message, Token token) {
  if (requests_.size() >= kMostRequests) {
    blocked_ = true;
    return {Code::kWouldBlock, "earlier requests still wait for their replies"};
  }
  requests_.emplace_back(message, token);
  if (requests_.size() == 1) {
    reply_due_ = Clock::now() + settings_.request_timeout;
    broken_ = Transmit();
  }
  return {};
}

Status ZmqReqProducer::Transmit() {
  const Result<bool> sent = socket_.Send(FramesOf(requests_.front().first));
  if (!sent.ok()) return sent.status();
  asked_ = sent.value();
  // Without a peer to reply, this does not count as silence.
  if (asked_ || settings_.send_target.bind) {
    reply_due_ = Clock::now() + settings_.request_timeout;
  }
  return {};
}

Status ZmqReqProducer::TakeReply(bool* got) {
  const Result<bool> received = socket_.Receive(&reply_);
  if (!received.ok()) return received.status();
  *got = received.value();
  if (!*got) return {};
  host_.Complete(requests_.front().second, Status());
  requests_.pop_front();
  asked_ = false;
  repeats_ = 0;
  reply_due_ = Clock::now() + settings_.request_timeout;
  return {};
}

Status ZmqReqProducer::Work(bool* progress) {
  if (!broken_.ok()) return broken_;
  // Before checking the peers: the last reply of a peer that has disconnected counts.
  while (!requests_.empty()) {
    const int events = socket_.Events();
    bool got = false;
    if (asked_ && (events & ZMQ_POLLIN) != 0) {
      if (Status status = TakeReply(&got); !status.ok()) return status;
      *progress |= got;
      blocked_ &= !got;
    }
    if (!asked_ && !requests_.empty() && (got || (events & ZMQ_POLLOUT) != 0)) {
      if (Status status = Transmit(); !status.ok()) return status;
    }
    if (!got) break;
  }
  if (Status status = socket_.CheckPeers(); !status.ok()) return status;
  const bool silent = !requests_.empty() && Clock::now() >= reply_due_;
  return silent && (asked_ || !settings_.send_target.bind) ? AskAgain() : Status();
}

Status ZmqReqProducer::AskAgain() {
  const std::string silence = socket_.address() + " did not reply within " +
                              std::to_string(settings_.request_timeout.count()) +
                              " ms (request_timeout)";
  if (repeats_ >= settings_.retries) {
    return {Code::kTimeout, silence + ", asked " + std::to_string(repeats_ + 1) +
                                " times: it counts as down (is the receiver frozen, overloaded, or "
                                "does it not reply?)"};
  }
  ++repeats_;
  host_.log().Limited(LogLevel::kWarn, "silence", silence + "; repeating the request");
  if (!settings_.send_target.bind) {
    socket_.Close(Millis(0), kCloseBound);
    Status status = socket_.Create();
    if (status.ok()) status = Prepare();
    if (status.ok()) {
      status = socket_.Open(settings_.send_target, /*persistent=*/false, /*probe=*/false,
                            Deadline::max(), -1);
    }
    if (!status.ok()) return status;
  }
  asked_ = false;
  reply_due_ = Clock::now() + settings_.request_timeout;
  return Transmit();
}

Deadline ZmqReqProducer::NextWork() const {
  const bool waits = !requests_.empty() && (asked_ || !settings_.send_target.bind);
  return waits ? reply_due_ : Deadline::max();
}

// A request without a reply belongs to the core again, so no part of it may linger.
void ZmqReqProducer::Close(Millis /*linger*/, Millis patience) {
  ZmqProducer::Close(Millis(0), patience);
  requests_.clear();
  asked_ = false;
  repeats_ = 0;
}

}  // namespace dsmsg::zmq
