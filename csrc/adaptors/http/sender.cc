// SPDX-License-Identifier: Apache-2.0
#include "adaptors/http/sender.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "core/net/stream.h"

namespace dsmsg::http {
namespace {

constexpr size_t kMostHeldPerSlot = 32;  // batches
// When one connection ends, so long the answers to other requests are waited for: given back now,
// they would be sent twice.
constexpr Millis kDrain{5000};
// While no more messages are taken, outcomes are told together: so long the first one waits.
constexpr Millis kGather{2};

// A connection that ends over a message is blamed on it only if the next one lasts a second without
// it. There are no connections without requests, so one is kept as a witness.
constexpr Millis kWitness{1200};

Status Retryable(const Status& status) { return {Code::kUnavailable, status.message()}; }

std::string PeerAddress(int fd) {
  sockaddr_storage peer = {};
  socklen_t size = sizeof peer;
  char text[NI_MAXHOST];
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0 ||
      getnameinfo(reinterpret_cast<const sockaddr*>(&peer), size, text, sizeof text, nullptr, 0,
                  NI_NUMERICHOST) != 0) {
    return {};
  }
  return text;
}

// So many that no slot is without work beside a lane with much. Batches need no more lanes than
// slots, and would be smaller; a single slot keeps the order of all messages.
size_t CountLanes(const HttpSettings& settings) {
  constexpr size_t kPerSlot = 4;
  return settings.batch > 1 || settings.lanes == 1 ? settings.lanes : settings.lanes * kPerSlot;
}

// ".." would lead out of the path that the configuration names.
bool HasDots(std::string_view target) {
  target = target.substr(0, target.find('?'));
  while (!target.empty()) {
    const size_t end = std::min(target.find('/', 1), target.size());
    const std::string_view part = target.substr(1, end - 1);
    if (part == "." || part == "..") return true;
    target.remove_prefix(end);
  }
  return false;
}

}  // namespace

HttpSender::HttpSender(const HttpSettings& settings, DriverHost& host)
    : settings_(settings),
      host_(host),
      servers_(settings.hosts, "servers"),
      site_{settings, {}, {}, {}},
      slots_(settings.lanes),
      lanes_(CountLanes(settings)) {
  static const CURLcode initialized = curl_global_init(CURL_GLOBAL_DEFAULT);
  static_cast<void>(initialized);
}

Status HttpSender::Open(Deadline deadline, int cancel_fd) {
  return servers_.Open(
      deadline,
      [&](const HostPort& server, Deadline part) { return OpenOne(server, part, cancel_fd); },
      [this] { Close(); });
}

/// HTTP has no login: what can be wrong with name, port and TLS shows when a connection is made,
/// the rest with a request.
Status HttpSender::OpenOne(const HostPort& server, Deadline deadline, int cancel_fd) {
  site_.server = server;
  if (Status status = Dial(deadline, cancel_fd); !status.ok()) return status;
  if (!std::exchange(doubtful_, false)) witness_.Close();
  witness_until_ = Clock::now() + kWitness;
  if (Status status = transfers_.Open(slots_.size() + 1); !status.ok()) return status;
  window_.Reset(slots_.size() * settings_.batch * kMostHeldPerSlot);
  if (!settings_.probe.empty()) {
    if (Status status = Probe(deadline, cancel_fd); !status.ok()) return status;
  }
  servers_.Worked(server.ToString());
  heard_ = Clock::now();
  return {};
}

Status HttpSender::Dial(Deadline deadline, int cancel_fd) {
  const bool proxied = settings_.proxy.used();
  const Answered answered = servers_.AnsweredBy(site_.server.ToString(), false);
  const Status status = witness_.Open(site_.Dialled(), proxied ? TlsSettings() : settings_.tls,
                                      answered, deadline, cancel_fd);
  if (status.ok()) site_.address = PeerAddress(witness_.fd());
  return proxied && !status.ok() ? Status(status.code(), "proxy: " + status.message()) : status;
}

Status HttpSender::Probe(Deadline deadline, int cancel_fd) {
  Request request(site_);
  if (!request.valid()) return {Code::kInternal, "no memory for a request"};
  request.Ask(settings_.probe);
  transfers_.Begin(request.easy());
  CURLcode code = CURLE_OK;
  bool ended = false, cancelled = false;
  while (!ended && !cancelled && Clock::now() < deadline) {
    cancelled = transfers_.Work(Millis(PollTimeout(deadline)), cancel_fd);
    ended = transfers_.TakeEnded(&code) != nullptr;
  }
  if (!ended) transfers_.Cancel(request.easy());
  if (cancelled) return {Code::kCancelled, "interrupted"};
  if (!ended) return {Code::kTimeout, site_.server.ToString() + ": no answer to the probe"};
  const Status status = request.Judge(code).status;
  if (status.permanent() && status.code() != Code::kAuth)
    return {Code::kInvalidArgument, "probe: " + status.message()};
  return status;
}

HttpSender::Lane* HttpSender::LaneOf(const Message& message) {
  const std::string_view name = message.has_key ? message.key : message.topic;
  return &lanes_[std::hash<std::string_view>()(name) % lanes_.size()];
}

Status HttpSender::Check(const Item& item) const {
  if (HasDots(item.target))
    return {Code::kRejected, "the path " + item.target + " has \".\" or \"..\" as a part"};
  const auto check = [](std::string_view name, std::string_view value) -> Status {
    if (IsHeaderValue(value)) return {};
    return {Code::kRejected, "the value of the header " + std::string(name) +
                                 " has a control character (is there a line break?)"};
  };
  for (const auto& [name, value] : item.message.headers) {
    if (Status status = CheckHeaderName(name); !status.ok())
      return {Code::kRejected, status.message()};
    if (Status status = check(name, value); !status.ok()) return status;
  }
  if (!settings_.key_header.empty()) {
    if (Status status = check(settings_.key_header, item.message.key); !status.ok()) return status;
  }
  return settings_.cloud_events ? check("ce-subject", item.message.topic) : Status();
}

Status HttpSender::Submit(const Message& message, Token token) {
  if (!broken_.ok() || !window_.Takes(held_, Clock::now() >= resume_))
    return {Code::kWouldBlock, {}};  // also while a broken link drains
  Item item;
  item.message = message;
  item.token = token;
  settings_.target.Render(message.payload, message.topic, &item.target, AppendEncoded);
  if (Status status = Check(item); !status.ok()) return status;
  witness_.Close();  // a server of one connection at a time would not answer before
  Lane* const lane = LaneOf(message);
  lane->waiting.push_back(std::move(item));
  if (!std::exchange(lane->listed, true)) ready_.push_back(lane);
  ++held_;
  return {};
}

void HttpSender::Begin(Slot* slot) {
  if (slot->request == nullptr) slot->request = std::make_unique<Request>(site_);
  if (!slot->request->valid()) {
    return Break({{Code::kInternal, "no memory for a request"}, Verdict::About::kLink});
  }
  Lane* const lane = ready_.front();
  ready_.pop_front();
  std::vector<Item> items;
  do {
    items.push_back(std::move(lane->waiting.front()));
    lane->waiting.pop_front();
  } while (items.size() < settings_.batch && !lane->waiting.empty() && !items.back().alone &&
           !lane->waiting.front().alone && lane->waiting.front().target == items.back().target &&
           std::ranges::equal(lane->waiting.front().message.headers, items.back().message.headers));
  slot->request->Send(std::move(items));
  slot->lane = lane;
  transfers_.Begin(slot->request->easy());
}

void HttpSender::BeginAll() {
  if (!broken_.ok() || Clock::now() < resume_) return;
  for (Slot& slot : slots_) {
    if (ready_.empty() || !broken_.ok()) return;
    if (slot.lane == nullptr) Begin(&slot);
  }
}

void HttpSender::End(Slot* slot, const Verdict& verdict) {
  Lane* const lane = std::exchange(slot->lane, nullptr);
  heard_ = Clock::now();
  std::vector<Item>& items = slot->request->items();
  if (verdict.about != Verdict::About::kMessages) {
    if (verdict.about == Verdict::About::kLink) {
      doubtful_ = true;
      for (const Item& item : items) host_.Complete(item.token, Retryable(verdict.status));
      held_ -= items.size();
      items.clear();
    }
    return Break(verdict);
  }
  if (verdict.pause.count() > 0) resume_ = Clock::now() + verdict.pause;
  Settle(lane, &items, verdict);
  items.clear();
  lane->listed = !lane->waiting.empty();
  if (lane->listed) ready_.push_back(lane);
}

/// A retryable failure gives back the whole lane, so that the core submits it again in order.
void HttpSender::Settle(Lane* lane, std::vector<Item>* items, const Verdict& verdict) {
  if (verdict.status.permanent() && items->size() > 1) {  // which of them is to blame?
    for (auto item = items->rbegin(); item != items->rend(); ++item) {
      item->alone = true;
      lane->waiting.push_front(std::move(*item));
    }
    return;
  }
  for (const Item& item : *items) host_.Complete(item.token, verdict.status);
  held_ -= items->size();
  if (!verdict.status.retryable()) return;
  for (const Item& item : lane->waiting) host_.Complete(item.token, verdict.status);
  held_ -= lane->waiting.size();
  lane->waiting.clear();
}

void HttpSender::Break(const Verdict& verdict) {
  blameless_ = blameless_ && verdict.about == Verdict::About::kLink;
  if (!broken_.ok()) return;
  broken_ = verdict.status;
  drain_until_ = Clock::now() + kDrain;
}

/// What is in flight when a link ends is suspected of having ended it.
void HttpSender::GiveBack(bool sent) {
  const Status retryable = Retryable(broken_);
  for (Slot& slot : slots_) {
    if (!sent || slot.request == nullptr) continue;
    for (const Item& item : slot.request->items()) host_.Complete(item.token, retryable);
    slot.request->items().clear();
  }
  for (Lane& lane : lanes_) {
    for (const Item& item : lane.waiting) host_.Complete(item.token, retryable);
    lane.waiting.clear();
  }
}

bool HttpSender::drained() const { return idle() || Clock::now() >= drain_until_; }

bool HttpSender::idle() const {
  return std::ranges::none_of(slots_, [](const Slot& slot) { return slot.lane != nullptr; });
}

void HttpSender::Watch() {
  const bool watches = !settings_.probe.empty() && settings_.probe_interval.count() > 0;
  if (!watches || probing_ || !broken_.ok() || !idle() ||
      Clock::now() < heard_ + settings_.probe_interval)
    return;
  if (probe_ == nullptr) probe_ = std::make_unique<Request>(site_);
  if (!probe_->valid()) return;
  probe_->Ask(settings_.probe);
  transfers_.Begin(probe_->easy());
  probing_ = true;
}

/// An answer that the path is unknown is an answer, too.
void HttpSender::EndProbe(const Verdict& verdict) {
  probing_ = false;
  heard_ = Clock::now();
  const bool answered = verdict.about == Verdict::About::kMessages && !verdict.status.retryable();
  if (!answered) Break({verdict.status, Verdict::About::kLink});
}

bool HttpSender::EndAnswered() {
  bool any = false;
  CURLcode code = CURLE_OK;
  while (CURL* const easy = transfers_.TakeEnded(&code)) {
    const auto slot = std::ranges::find_if(slots_, [easy](const Slot& each) {
      return each.lane != nullptr && each.request->easy() == easy;
    });
    if (slot != slots_.end()) {
      End(&*slot, slot->request->Judge(code));
    } else {
      EndProbe(probe_->Judge(code));
    }
    any = true;
  }
  return any;
}

void HttpSender::HearWitness() {
  char ignored[512];
  size_t size = 0;
  Stream::Io heard = Stream::Io::kOk;
  while (heard == Stream::Io::kOk) heard = witness_.Receive(ignored, sizeof ignored, &size);
  const bool ended = heard != Stream::Io::kWouldBlock;
  if (ended) {
    Break(
        {{Code::kUnavailable, site_.server.ToString() + ": connections end without a request, too"},
         Verdict::About::kLink});
  }
  if (ended || Clock::now() >= witness_until_) witness_.Close();
}

Millis HttpSender::Patience(Deadline until) const {
  if (witness_.open()) until = std::min(until, witness_until_);
  if (!broken_.ok()) until = std::min(until, drain_until_);
  if (held_ > 0 && resume_ > Clock::now()) until = std::min(until, resume_);
  if (settings_.probe_interval.count() > 0 && !settings_.probe.empty() && !probing_ && idle())
    until = std::min(until, heard_ + settings_.probe_interval);
  return Millis(PollTimeout(until));
}

Status HttpSender::Poll(Millis budget, int wake_fd) {
  if (!transfers_.open()) return {Code::kInternal, "not open"};
  Deadline until = Clock::now() + budget;
  bool answered = false, woken = false;
  do {
    BeginAll();
    Watch();
    if (!broken_.ok() && drained()) break;
    woken = transfers_.Work(Patience(until), wake_fd, witness_.fd());
    if (witness_.open()) HearWitness();
    if (EndAnswered() && !answered) {
      answered = true;
      until = std::min(until, Clock::now() + kGather);
    }
    const bool room = !window_.full() || window_.Reopens(held_);
    if (answered && room) break;
  } while (!woken && Clock::now() < until);
  BeginAll();
  if (broken_.ok() || !drained()) return {};
  GiveBack(/*sent=*/blameless_);
  servers_.PreferNext();
  return broken_;
}

void HttpSender::Close() {
  for (Slot& slot : slots_) {
    if (slot.lane != nullptr) transfers_.Cancel(slot.request->easy());
    slot = {};
  }
  for (Lane& lane : lanes_) lane = {};
  ready_.clear();
  if (probing_) transfers_.Cancel(probe_->easy());
  probing_ = false;
  probe_.reset();
  held_ = 0;
  resume_ = {};
  broken_ = {};
  blameless_ = true;
  transfers_.Close();
  witness_.Close();
}

}  // namespace dsmsg::http
