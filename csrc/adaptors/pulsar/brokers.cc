// SPDX-License-Identifier: Apache-2.0
#include "adaptors/pulsar/brokers.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "adaptors/pulsar/driver.h"
#include "adaptors/pulsar/errors.h"

namespace dsmsg::pulsar {
namespace {

// A broker that has to load a topic may take this long.
constexpr Millis kAnswerLimit{30'000};

}  // namespace

Brokers::Brokers(const PulsarSettings& settings)
    : settings_(settings), servers_(settings.hosts, "servers") {}

void Brokers::Close() {
  dials_.clear();
  requests_.clear();
  connections_.clear();
}

Status Brokers::Open(Deadline deadline, int cancel_fd) {
  Close();
  auto made = std::make_unique<PulsarConnection>(settings_);
  PulsarConnection& connection = *made;
  const auto open = [&](const HostPort& host, Deadline share) {
    const Answered before = servers_.AnsweredBy(host.ToString(), false);
    return connection.Open(host, {}, before, share, cancel_fd);
  };
  Status status = servers_.Open(deadline, open, [&] { connection.Close(); });
  if (!status.ok()) return status;
  servers_.Worked(connection.name());
  connections_.push_back(std::move(made));
  return {};
}

void Brokers::Reach(const Command& lookup, Reached reached) {
  const std::string url(settings_.tls.enabled ? lookup.tls_url : lookup.url);
  if (url.empty()) {
    return reached(
        {Code::kUnavailable, service().name() + " names no address " +
                                 (settings_.tls.enabled ? "with TLS (brokerServicePortTls)"
                                                        : "without TLS (set enable-tls=1)") +
                                 " of the broker that has the topic"},
        nullptr);
  }
  const Result<Endpoints> parsed = ParseConnString(url, PulsarDriver::Info().conn_rules);
  if (!parsed.ok() || parsed->hosts.empty()) {
    return reached({Code::kUnavailable, service().name() + " names a broker by \"" +
                                            url.substr(0, 200) + "\", which is no address"},
                   nullptr);
  }
  const HostPort broker = parsed->hosts.front();
  const HostPort host = lookup.proxied ? service().host() : broker;
  const std::string proxy_to = lookup.proxied ? broker.ToString() : "";
  // A standalone broker calls itself its own proxy.
  if (broker == service().host()) return reached({}, &service());
  for (const auto& each : connections_) {
    if (each->host() == host && each->proxy_to() == proxy_to) return reached({}, each.get());
  }
  DialBroker(host, proxy_to, std::move(reached));
}

void Brokers::DialBroker(const HostPort& host, const std::string& proxy_to, Reached reached) {
  std::unique_ptr<Dial>& dial = dials_[host.ToString() + " " + proxy_to];
  if (dial == nullptr) {
    dial = std::make_unique<Dial>(dialled_);
    dial->connection = std::make_unique<PulsarConnection>(settings_);
    const Answered before = servers_.AnsweredBy(host.ToString(), false);
    const Deadline deadline = Clock::now() + settings_.connect_timeout;
    dial->work.Start(
        [connection = dial->connection.get(), host, proxy_to, before, deadline](int cancel_fd) {
          return connection->Open(host, proxy_to, before, deadline, cancel_fd);
        });
  }
  dial->waiting.push_back(std::move(reached));
}

bool Brokers::TakeDials() {
  if (dials_.empty()) return false;
  dialled_.Drain();
  std::vector<std::pair<std::unique_ptr<Dial>, Status>> ended;
  for (auto each = dials_.begin(); each != dials_.end();) {
    const auto next = std::next(each);
    Status status;
    if (each->second->work.Take(&status)) {
      ended.emplace_back(std::move(each->second), std::move(status));
      dials_.erase(each);
    }
    each = next;
  }
  for (auto& [dial, status] : ended) {  // an answer may begin another dial
    PulsarConnection* const connection = dial->connection.get();
    if (status.ok()) {
      servers_.Worked(connection->name());
      connections_.push_back(std::move(dial->connection));
    } else {
      status = {status.code(), status.message() + " (" + service().name() +
                                   " names this broker for the topic; listener-name chooses "
                                   "another address of it)"};
    }
    for (const Reached& reached : dial->waiting)
      reached(status, status.ok() ? connection : nullptr);
  }
  return !ended.empty();
}

uint64_t Brokers::Ask(Answer answer) {
  const Millis limit = std::max(settings_.connect_timeout, kAnswerLimit);
  requests_.emplace(++last_request_, Request{std::move(answer), Clock::now() + limit});
  return last_request_;
}

void Brokers::TakeAnswer(const Command& command) {
  auto found = requests_.extract(command.request);
  if (found.empty()) return;  // it came too late
  Status status;
  const bool failed = command.failed || (command.type == Type::kLookupAnswer &&
                                         command.lookup == LookupType::kFailed);
  if (failed) status = ServerError(command.error, command.text);
  if (found.mapped().answer) found.mapped().answer(status, command);
}

void Brokers::Expire() {
  while (!requests_.empty() && requests_.begin()->second.until <= Clock::now()) {
    const auto late = requests_.extract(requests_.begin());
    if (!late.mapped().answer) continue;
    late.mapped().answer({Code::kTimeout, "the broker gave no answer in time"}, {});
  }
}

Status Brokers::Receive(const Handler& handler, bool* got) {
  *got = TakeDials();
  for (size_t i = 0; i < connections_.size(); ++i) {
    PulsarConnection& connection = *connections_[i];
    bool some = false;
    if (Status status = connection.Receive(&some); !status.ok()) return status;
    while (some) {
      Command command;
      if (Status status = connection.Next(&command); !status.ok()) return status;
      if (command.type == Type::kNone) break;
      switch (command.type) {
        case Type::kSuccess:
        case Type::kError:
        case Type::kProducerSuccess:
        case Type::kPartitionsAnswer:
        case Type::kLookupAnswer:
          TakeAnswer(command);
          break;
        default:
          if (Status status = handler(command); !status.ok()) return status;
      }
    }
    *got = *got || some;
  }
  return {};
}

Status Brokers::Flush() {
  for (const auto& each : connections_) {
    if (each->unsent() == 0) continue;
    if (Status status = each->Flush(); !status.ok()) return status;
  }
  return {};
}

Status Brokers::Tend(bool expecting, bool reading) {
  for (const auto& each : connections_) {
    if (Status status = each->Tend(expecting || asking(), reading); !status.ok()) return status;
  }
  return {};
}

unsigned Brokers::Wait(Millis budget, int wake_fd, bool read) {
  std::vector<pollfd> fds;
  fds.reserve(connections_.size() + 2);
  fds.push_back({wake_fd, POLLIN, 0});
  fds.push_back({read ? dialled_.fd() : -1, POLLIN, 0});
  unsigned result = 0;
  for (const auto& each : connections_) {
    const bool write = each->unsent() > 0;
    const auto events =
        static_cast<short>((read ? each->read_events() : 0) | (write ? each->write_events() : 0));
    // Without any requested events, a closed connection would still report POLLHUP again and again.
    fds.push_back({events == 0 ? -1 : each->fd(), events, 0});
    if (read && each->buffered()) result = kReadable;
  }
  const int64_t timeout = result != 0 ? 0 : std::clamp<int64_t>(budget.count(), 0, 60'000);
  if (poll(fds.data(), fds.size(), static_cast<int>(timeout)) <= 0) return result;
  if (fds[0].revents != 0) result |= kWoken;
  if (fds[1].revents != 0) result |= kReadable;
  for (size_t i = 2; i < fds.size(); ++i) {
    const PulsarConnection& connection = *connections_[i - 2];
    const short ended = POLLHUP | POLLERR;
    if (read && (fds[i].revents & (connection.read_events() | ended)) != 0) result |= kReadable;
    if ((fds[i].revents & (connection.write_events() | ended)) != 0) result |= kWritable;
  }
  return result;
}

Status Brokers::Pump(Deadline deadline, int cancel_fd, const char* step,
                     const std::function<bool()>& done, const Handler& handler) {
  for (;;) {
    bool got = false;
    if (Status status = Receive(handler, &got); !status.ok()) return status;
    Expire();
    if (done()) return {};
    if (Status status = Flush(); !status.ok()) return status;
    if (got) continue;
    const int left = PollTimeout(deadline);
    if (left == 0) {
      return {Code::kTimeout,
              "no answer to " + std::string(step) + " from " + service().name() + " in time"};
    }
    const unsigned ready = Wait(Millis(std::min(left, 500)), cancel_fd);
    if ((ready & kWoken) != 0) return {Code::kCancelled, std::string(step) + " was cancelled"};
  }
}

}  // namespace dsmsg::pulsar
