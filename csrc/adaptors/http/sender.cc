// SPDX-License-Identifier: Apache-2.0
#include "adaptors/http/sender.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <functional>

#include "core/net/stream.h"

namespace dsmsg::http {
namespace {

constexpr size_t kMostHeldPerLane = 32;  // batches: enough that no lane runs dry beside a full one
// When one connection ends, so long the answers to other requests are waited for: given back now,
// they would be sent twice.
constexpr Millis kDrain{5000};

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
      lanes_(settings.lanes) {
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
  multi_.reset(curl_multi_init());
  if (multi_ == nullptr) return {Code::kInternal, "no memory for connections"};
  if (!settings_.probe.empty()) {
    if (Status status = Probe(deadline, cancel_fd); !status.ok()) return status;
  }
  servers_.Worked(server.ToString());
  heard_ = Clock::now();
  return {};
}

Status HttpSender::Dial(Deadline deadline, int cancel_fd) {
  Stream stream;
  const bool proxied = settings_.proxy.used();
  const Answered answered = servers_.AnsweredBy(site_.server.ToString(), false);
  const Status status = stream.Open(site_.Dialled(), proxied ? TlsSettings() : settings_.tls,
                                    answered, deadline, cancel_fd);
  if (status.ok()) site_.address = PeerAddress(stream.fd());
  return proxied && !status.ok() ? Status(status.code(), "proxy: " + status.message()) : status;
}

Status HttpSender::Probe(Deadline deadline, int cancel_fd) {
  Request request(site_);
  if (!request.valid()) return {Code::kInternal, "no memory for a request"};
  request.Ask(settings_.probe);
  curl_multi_add_handle(multi_.get(), request.easy());
  Status status(Code::kTimeout, site_.server.ToString() + ": no answer to the probe");
  for (bool done = false; !done && Clock::now() < deadline;) {
    int running = 0, left = 0;
    curl_multi_perform(multi_.get(), &running);
    if (const CURLMsg* const message = curl_multi_info_read(multi_.get(), &left)) {
      status = request.Judge(message->data.result).status;
      done = true;
      continue;
    }
    curl_waitfd cancel = {cancel_fd, CURL_WAIT_POLLIN, 0};
    curl_multi_poll(multi_.get(), &cancel, cancel_fd >= 0 ? 1 : 0, PollTimeout(deadline), nullptr);
    if (cancel.revents != 0) {
      status = {Code::kCancelled, "interrupted"};
      done = true;
    }
  }
  curl_multi_remove_handle(multi_.get(), request.easy());
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
  if (!broken_.ok() || held_ >= lanes_.size() * settings_.batch * kMostHeldPerLane ||
      Clock::now() < resume_)
    return {Code::kWouldBlock, {}};  // also while a broken link drains
  Item item;
  item.message = message;
  item.token = token;
  settings_.target.Render(message.payload, message.topic, &item.target, AppendEncoded);
  if (Status status = Check(item); !status.ok()) return status;
  LaneOf(message)->waiting.push_back(std::move(item));
  ++held_;
  return {};
}

void HttpSender::Begin(Lane* lane) {
  if (lane->request == nullptr) lane->request = std::make_unique<Request>(site_);
  if (!lane->request->valid()) {
    return Break({{Code::kInternal, "no memory for a request"}, Verdict::About::kLink});
  }
  std::vector<Item> items;
  do {
    items.push_back(std::move(lane->waiting.front()));
    lane->waiting.pop_front();
  } while (items.size() < settings_.batch && !lane->waiting.empty() && !items.back().alone &&
           !lane->waiting.front().alone && lane->waiting.front().target == items.back().target &&
           std::ranges::equal(lane->waiting.front().message.headers, items.back().message.headers));
  lane->request->Send(std::move(items));
  lane->busy = true;
  curl_multi_add_handle(multi_.get(), lane->request->easy());
}

void HttpSender::BeginAll() {
  if (!broken_.ok() || Clock::now() < resume_) return;
  for (Lane& lane : lanes_) {
    if (!lane.busy && !lane.waiting.empty()) Begin(&lane);
  }
}

/// A retryable failure gives back the whole lane, so that the core submits it again in order.
void HttpSender::End(Lane* lane, const Verdict& verdict) {
  lane->busy = false;
  heard_ = Clock::now();
  std::vector<Item>& items = lane->request->items();
  if (verdict.about != Verdict::About::kMessages) {
    if (verdict.about == Verdict::About::kLink) {
      for (const Item& item : items) host_.Complete(item.token, Retryable(verdict.status));
      held_ -= items.size();
      items.clear();
    }
    return Break(verdict);
  }
  if (verdict.pause.count() > 0) resume_ = Clock::now() + verdict.pause;
  if (verdict.status.permanent() && items.size() > 1) {  // which of them is to blame?
    for (auto item = items.rbegin(); item != items.rend(); ++item) {
      item->alone = true;
      lane->waiting.push_front(std::move(*item));
    }
    items.clear();
    return;
  }
  for (const Item& item : items) host_.Complete(item.token, verdict.status);
  held_ -= items.size();
  items.clear();
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
  for (Lane& lane : lanes_) {
    if (sent && lane.request != nullptr) {
      for (const Item& item : lane.request->items()) host_.Complete(item.token, retryable);
      lane.request->items().clear();
    }
    for (const Item& item : lane.waiting) host_.Complete(item.token, retryable);
    lane.waiting.clear();
  }
}

bool HttpSender::drained() const { return idle() || Clock::now() >= drain_until_; }

bool HttpSender::idle() const {
  return std::none_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) { return lane.busy; });
}

void HttpSender::Watch() {
  const bool watches = !settings_.probe.empty() && settings_.probe_interval.count() > 0;
  if (!watches || probing_ || !broken_.ok() || !idle() ||
      Clock::now() < heard_ + settings_.probe_interval)
    return;
  if (probe_ == nullptr) probe_ = std::make_unique<Request>(site_);
  if (!probe_->valid()) return;
  probe_->Ask(settings_.probe);
  curl_multi_add_handle(multi_.get(), probe_->easy());
  probing_ = true;
}

/// An answer that the path is unknown is an answer, too.
void HttpSender::EndProbe(const Verdict& verdict) {
  probing_ = false;
  heard_ = Clock::now();
  const bool answered = verdict.about == Verdict::About::kMessages && !verdict.status.retryable();
  if (!answered) Break({verdict.status, Verdict::About::kLink});
}

bool HttpSender::Work() {
  int running = 0, left = 0;
  curl_multi_perform(multi_.get(), &running);
  bool ended = false;
  while (const CURLMsg* const message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* const easy = message->easy_handle;
    const CURLcode code = message->data.result;
    const auto lane = std::find_if(lanes_.begin(), lanes_.end(), [easy](const Lane& each) {
      return each.busy && each.request->easy() == easy;
    });
    curl_multi_remove_handle(multi_.get(), easy);
    if (lane != lanes_.end()) {
      End(&*lane, lane->request->Judge(code));
    } else {
      EndProbe(probe_->Judge(code));
    }
    ended = true;
  }
  return ended;
}

void HttpSender::Wait(Millis longest, int wake_fd) {
  if (!broken_.ok()) longest = std::min(longest, Millis(PollTimeout(drain_until_)));
  const int pause = PollTimeout(resume_);
  if (pause > 0 && held_ > 0) longest = std::min(longest, Millis(pause));
  if (settings_.probe_interval.count() > 0 && idle()) {
    const Millis due(PollTimeout(heard_ + settings_.probe_interval));
    if (!settings_.probe.empty() && !probing_) longest = std::min(longest, due);
  }
  curl_waitfd wake = {wake_fd, CURL_WAIT_POLLIN, 0};
  curl_multi_poll(multi_.get(), &wake, 1, static_cast<int>(longest.count()), nullptr);
}

Status HttpSender::Poll(Millis budget, int wake_fd) {
  if (multi_ == nullptr) return {Code::kInternal, "not open"};
  BeginAll();
  Watch();
  if (!Work() && (broken_.ok() || !drained())) {
    Wait(budget, wake_fd);
    Work();
  }
  BeginAll();
  if (broken_.ok() || !drained()) return {};
  GiveBack(/*sent=*/blameless_);
  servers_.PreferNext();
  return broken_;
}

void HttpSender::Close() {
  for (Lane& lane : lanes_) {
    if (lane.busy) curl_multi_remove_handle(multi_.get(), lane.request->easy());
    lane = {};
  }
  if (probing_) curl_multi_remove_handle(multi_.get(), probe_->easy());
  probing_ = false;
  probe_.reset();
  held_ = 0;
  resume_ = {};
  broken_ = {};
  blameless_ = true;
  multi_.reset();
}

}  // namespace dsmsg::http
