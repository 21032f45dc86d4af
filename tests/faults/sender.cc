// SPDX-License-Identifier: Apache-2.0
#include "sender.h"

#include <algorithm>
#include <cstdio>

namespace dsmsg::faults {
namespace {

using conformance::NoteViolation;
using conformance::ThisThread;

// The callback gets the message's entry in the journal, which stays valid however often it is
// called.
std::atomic<Sender*> the_sender{nullptr};

/// `{"sensor":{"id":"camera-3"},"seq":17,"pad":"..."}` of at least `bytes` bytes.
void Write(size_t number, const Plan& plan, std::string* payload) {
  char head[96];
  const int length =
      std::snprintf(head, sizeof head, R"({"sensor":{"id":"camera-%zu"},"seq":%zu,"pad":")",
                    number % plan.keys, number);
  payload->assign(head, static_cast<size_t>(length));
  if (payload->size() + 2 < plan.bytes) payload->append(plan.bytes - payload->size() - 2, '.');
  *payload += "\"}";
}

}  // namespace

Sender::Sender(const conformance::Link& link, Journal& journal, Plan plan, bool endless)
    : link_(link),
      journal_(journal),
      plan_(std::move(plan)),
      endless_(endless),
      first_(journal.End()),
      next_(first_) {
  the_sender = this;
  worker_ = std::thread([this] { Work(); });
}

Sender::~Sender() { Disconnect(); }

void Sender::Start(double rate) {
  Stop();
  sending_ = true;
  source_ = std::thread([this, rate] { SendAll(rate); });
}

void Sender::Stop() {
  sending_ = false;
  if (source_.joinable()) source_.join();
}

void Sender::Burst(size_t count) {
  for (size_t i = 0; i < count; ++i) SendOne();
}

void Sender::SendAll(double rate) {
  const auto step =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / rate));
  constexpr auto kPatience = std::chrono::milliseconds(100);
  auto due = Clock::now();
  while (sending_ && next_ < journal_.size()) {
    SendOne();
    due += step;
    const auto now = Clock::now();
    if (now > due + kPatience) due = now;
    std::this_thread::sleep_until(due);
  }
}

void Sender::SendOne() {
  const size_t number = next_++;
  if (number >= journal_.size()) return;
  Write(number, plan_, &payload_);
  std::string topic = plan_.topic;
  std::lock_guard lock(flow_lock_);
  journal_.Attempt(number);
  const auto begun = Clock::now();
  const NvDsMsgApiErrorType answer =
      link_.SendAsync(topic.data(), payload_, &OnSent, journal_.At(number));
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begun);
  longest_send_us_ = std::max<int64_t>(longest_send_us_, took.count());
  journal_.Answered(number, answer);
  if (answer != NVDS_MSGAPI_OK) return;
  if (++pending_ == 1) changed_.notify_all();
}

void Sender::OnSent(void* user, NvDsMsgApiErrorType flag) {
  if (ThisThread().send > 0) NoteViolation("rule 1: send callback on the stack of a send");
  if (ThisThread().work + ThisThread().disconnect == 0) {
    NoteViolation("rule 2: send callback outside of do_work and disconnect");
  }
  if (user == nullptr) return NoteViolation("send callback with a NULL user pointer");
  Sender& sender = *the_sender.load();
  const bool first = sender.journal_.Called(static_cast<Journal::Entry*>(user), flag);
  if (first) sender.Called();
}

void Sender::Called() {
  std::lock_guard lock(flow_lock_);
  if (--pending_ == 0) changed_.notify_all();
}

void Sender::Work() {
  while (true) {
    {
      std::unique_lock lock(flow_lock_);
      changed_.wait(lock, [this] { return !running_ || endless_ || pending_ > 0; });
      if (!running_) return;
    }
    link_.DoWork();
  }
}

bool Sender::Drain(std::chrono::milliseconds timeout) {
  std::unique_lock lock(flow_lock_);
  return changed_.wait_for(lock, timeout, [this] { return pending_ == 0; });
}

std::chrono::microseconds Sender::Disconnect() {
  if (!connected_) return {};
  Stop();
  {
    std::lock_guard lock(flow_lock_);
    running_ = false;
    changed_.notify_all();
  }
  worker_.join();
  const auto begun = Clock::now();
  link_.Disconnect();
  connected_ = false;
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begun);
}

}  // namespace dsmsg::faults
