// SPDX-License-Identifier: Apache-2.0
#include "adaptors/redis/cluster_consumer.h"

#include <poll.h>

#include <algorithm>

#include "core/base/time.h"

namespace dsmsg::redis {
namespace {

constexpr Millis kReopenFirst{100}, kReopenMax{2000};  // of a part
constexpr Millis kPause{100};  // until the cluster may have got on, while one opening lasts
constexpr Millis kStable{5000};
constexpr Millis kLook{500};  // how often parts without news are looked at

void Wait(int fd, Millis time) {
  pollfd stop = {fd, POLLIN, 0};
  poll(&stop, 1, static_cast<int>(time.count()));
}

}  // namespace

ClusterConsumer::Part::Part(int which, uint64_t name, const RedisSettings& settings, DriverHost& to,
                            WakeFd& ended)
    : slot(which),
      number(name),
      host(to, name),
      connection(settings, to.log()),
      consumer(RedisConsumer::Create(settings, connection, host)),
      follows_asks(settings.command == RedisSettings::Command::kXadd ||
                   settings.command == RedisSettings::Command::kRpush),
      work(ended),
      backoff(kReopenFirst, kReopenMax, name) {}

ClusterConsumer::Slots ClusterConsumer::BySlot(std::span<const std::string> topics) const {
  Slots slots;
  const bool any = settings_.command == RedisSettings::Command::kPublish;
  for (const std::string& topic : topics) {
    slots[any ? RedisConnection::kAnySlot : KeySlot(topic)].push_back(topic);
  }
  return slots;
}

void ClusterConsumer::Open(std::vector<HostPort> nodes) {
  nodes_ = std::move(nodes);
  for (const auto& [slot, part] : parts_) part->connection.FollowSlot(slot, nodes_);
}

ClusterConsumer::Part& ClusterConsumer::PartOf(int slot) {
  std::unique_ptr<Part>& part = parts_[slot];
  if (part == nullptr) {
    part = std::make_unique<Part>(slot, ++last_number_, settings_, host_, ended_);
    part->connection.FollowSlot(slot, nodes_);
  }
  return *part;
}

// On the part's thread. A cluster that is busy with a fail-over or moves the slot gets time. A
// stream or list that is on its way to another node is read there: its commands name one key only,
// and that is no longer at the old node.
Status ClusterConsumer::OpenPart(Part& part, const Topics& topics, Deadline deadline,
                                 int cancel_fd) {
  const bool one_key = part.follows_asks && topics.size() == 1;
  std::optional<HostPort> ask = part.connection.TakeAsk();
  for (;;) {
    const bool asked = one_key && ask.has_value();
    Status status = asked ? part.connection.OpenAsked(*ask, deadline, cancel_fd)
                          : part.connection.Open(deadline, cancel_fd);
    if (status.ok()) status = part.consumer->Subscribe(topics, deadline, cancel_fd);
    if (status.ok()) return status;
    part.connection.Close();
    part.consumer->Reset(/*keep_tokens=*/true);
    ask = part.connection.TakeAsk();
    if (one_key && ask && !asked && Clock::now() < deadline) continue;
    const bool again = status.retryable() && part.connection.reached_cluster();
    if (!again || Clock::now() + kPause >= deadline) return status;
    Wait(cancel_fd, kPause);
  }
}

void ClusterConsumer::Change(Part& part, const Topics& topics, Deadline deadline) {
  part.work.Start([&part, topics, deadline](int cancel_fd) {
    if (part.open) {
      Status status = part.consumer->Subscribe(topics, deadline, cancel_fd);
      if (!status.retryable()) return status;
      part.connection.Close();
      part.consumer->Reset(/*keep_tokens=*/true);
    }
    return OpenPart(part, topics, deadline, cancel_fd);
  });
}

// Gives the consumer what came while its thread had it.
void ClusterConsumer::TakeBack(Part& part) {
  for (const AckToken token : part.acks) part.consumer->Ack(token);
  for (auto& [token, message] : part.releases) part.consumer->Release(token, std::move(message));
  part.acks.clear();
  part.releases.clear();
}

void ClusterConsumer::Stop(Part& part) {
  if (!part.work.running()) return;
  part.work.Cancel();
  part.connection.Close();
  part.consumer->Reset(/*keep_tokens=*/true);
  part.open = false;
  TakeBack(part);
}

// Every part gets the topics that `wanted` has for it, or none. The first refusal, or else the
// first other error.
Status ClusterConsumer::ChangeAll(const Slots& wanted, Deadline deadline, int cancel_fd) {
  const Topics none;
  const auto wanted_at = [&](int slot) -> const Topics& {
    const auto found = wanted.find(slot);
    return found == wanted.end() ? none : found->second;
  };
  for (const auto& [slot, topics] : wanted) (void)PartOf(slot);
  for (const auto& [slot, part] : parts_) {
    const Topics& topics = wanted_at(slot);
    if (part->open && !part->work.running() && part->topics == topics) continue;
    Stop(*part);
    if (!part->open && topics.empty()) {
      part->topics.clear();
      (void)part->consumer->Subscribe(topics, deadline, cancel_fd);  // no server is needed for it
    } else {
      Change(*part, topics, deadline);
    }
  }
  Status result;
  for (const auto& [slot, part] : parts_) {
    Status status;
    while (part->work.running() && !part->work.Take(&status)) {
      pollfd fds[2] = {{ended_.fd(), POLLIN, 0}, {cancel_fd, POLLIN, 0}};
      poll(fds, 2, -1);
      ended_.Drain();
      if (fds[1].revents == 0) continue;
      Stop(*part);
      status = {Code::kCancelled, "subscribe was cancelled"};
    }
    TakeBack(*part);
    part->open = part->connection.open();
    if (status.ok()) {
      part->topics = wanted_at(slot);
      part->opened_at = Clock::now();
    } else if (result.ok() || (result.retryable() && status.permanent())) {
      result = status;
    }
  }
  return result;
}

Status ClusterConsumer::Subscribe(std::span<const std::string> topics, Deadline deadline,
                                  int cancel_fd) {
  Slots previous;
  for (const auto& [slot, part] : parts_) {
    if (!part->topics.empty()) previous[slot] = part->topics;
  }
  Status status = ChangeAll(BySlot(topics), deadline, cancel_fd);
  if (status.ok()) return status;
  broken_ = status;
  if (status.permanent()) {  // the cluster is there, and gives back what was in force
    broken_ = ChangeAll(previous, Clock::now() + settings_.connect_timeout, cancel_fd);
  }
  return status;
}

void ClusterConsumer::Lose(Part& part, const Status& reason) {
  const Deadline now = Clock::now();
  part.connection.Close();
  part.consumer->Reset(/*keep_tokens=*/true);
  part.open = false;
  if (now - part.opened_at > kStable) part.backoff.Reset();
  part.retry_at = now + part.backoff.Next() +
                  (reason.permanent() ? settings_.reconnect_max_interval / 2 : Millis(0));
  host_.log().Limited(LogLevel::kWarn, "part " + std::to_string(part.slot),
                      "reading " + NameOf(part) + " is interrupted: " + reason.message());
}

std::string ClusterConsumer::NameOf(const Part& part) {
  std::string name;
  for (const std::string& topic : part.topics) name += (name.empty() ? "\"" : ", \"") + topic + '"';
  return name;
}

// Not ok: no node of the cluster was found.
Status ClusterConsumer::TakeWork() {
  ended_.Drain();
  for (const auto& [slot, part] : parts_) {
    Status status;
    if (!part->work.Take(&status)) continue;
    TakeBack(*part);
    part->open = status.ok();
    if (status.ok()) {
      part->opened_at = Clock::now();
      host_.log().Info("reading " + NameOf(*part) + " from " + part->connection.name());
      continue;
    }
    Lose(*part, status);
    if (!part->connection.reached_cluster()) return status;
  }
  return {};
}

void ClusterConsumer::TendParts(Deadline now) {
  for (auto next = parts_.begin(); next != parts_.end();) {
    Part& part = *next->second;
    const bool done = part.topics.empty() && !part.work.running() && part.consumer->settled();
    if (done) {
      next = parts_.erase(next);
      continue;
    }
    ++next;
    if (part.open || part.work.running() || now < part.retry_at) continue;
    Change(part, part.topics, now + settings_.connect_timeout);
  }
}

void ClusterConsumer::AwaitParts(Millis budget, int wake_fd) {
  std::vector<pollfd> fds = {{wake_fd, POLLIN, 0}, {ended_.fd(), POLLIN, 0}};
  std::vector<std::pair<Part*, unsigned>> open;  // and what it waits for
  const Deadline now = Clock::now();
  for (const auto& [slot, part] : parts_) {
    if (part->work.running()) continue;
    if (part->open) {
      unsigned want = 0;
      if (Status status = part->consumer->Prepare(&budget, &want); status.ok()) {
        fds.push_back(part->connection.WaitsFor(want));
        open.emplace_back(part.get(), want);
        const bool ready = (want & RedisConnection::kReadable) != 0 && part->connection.buffered();
        if (ready) budget = Millis(0);
        continue;
      } else {
        Lose(*part, status);
      }
    }
    budget = std::min(budget, Millis(PollTimeout(part->retry_at)));
  }
  poll(fds.data(), fds.size(), static_cast<int>(std::clamp<int64_t>(budget.count(), 0, 60'000)));
  const bool look = now - looked_at_ >= kLook;
  if (look) looked_at_ = now;
  for (size_t n = 0; n < open.size(); ++n) {
    auto& [part, want] = open[n];
    unsigned found = part->connection.Found(fds[n + 2], want);
    if ((want & RedisConnection::kReadable) != 0 && part->connection.buffered()) {
      found |= RedisConnection::kReadable;
    }
    if (found == 0 && !look) continue;
    if (Status status = part->consumer->Process(found); !status.ok()) Lose(*part, status);
  }
}

Status ClusterConsumer::Poll(Millis budget, int wake_fd) {
  if (!broken_.ok()) return broken_;
  if (Status status = TakeWork(); !status.ok()) return status;
  TendParts(Clock::now());
  AwaitParts(budget, wake_fd);
  return {};
}

ClusterConsumer::Part* ClusterConsumer::Find(AckToken token) {
  const uint64_t number = token >> kNumberShift;
  for (const auto& [slot, part] : parts_) {
    if (part->number == number) return part.get();
  }
  return nullptr;
}

void ClusterConsumer::Ack(AckToken token) noexcept {
  Part* const part = Find(token);
  if (part == nullptr) return;
  if (part->work.running()) {
    part->acks.push_back(token & kTokenMask);
  } else {
    part->consumer->Ack(token & kTokenMask);
  }
}

void ClusterConsumer::Release(AckToken token, InMessage&& message) noexcept {
  Part* part = Find(token);
  if (part == nullptr) {  // from before the last Open
    const auto found = parts_.find(KeySlot(message.topic));
    if (found == parts_.end()) return;
    part = found->second.get();
    token = kNoToken;
  }
  if (part->work.running()) {
    part->releases.emplace_back(token & kTokenMask, std::move(message));
  } else {
    part->consumer->Release(token & kTokenMask, std::move(message));
  }
}

void ClusterConsumer::Close(Deadline drain, int cancel_fd) noexcept {
  for (const auto& [slot, part] : parts_) {
    Stop(*part);
    if (part->open && PollTimeout(drain) > 0) part->consumer->Drain(drain, cancel_fd);
    part->connection.Close();
    part->consumer->Reset(/*keep_tokens=*/false);
    part->open = false;
    part->retry_at = {};
  }
  broken_ = {};
}

}  // namespace dsmsg::redis
