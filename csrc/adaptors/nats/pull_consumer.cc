// SPDX-License-Identifier: Apache-2.0
#include "adaptors/nats/pull_consumer.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "adaptors/nats/subject.h"

namespace dsmsg::nats {
namespace {

// A request for messages ends after kExpires; a server with nothing to send says so every
// kHeartbeat.
constexpr Millis kExpires{30'000}, kHeartbeat{5'000}, kSoon{500};
constexpr int kNoConsumer = 10014, kNeedsAll = 10101;

}  // namespace

std::string PullConsumer::Call(const char* what, const Source& source) const {
  return settings_.api + "CONSUMER." + what + "." + source.stream + "." + source.name;
}

Status PullConsumer::Failed(const char* what, const Source& source, const Status& why) const {
  return {why.code(), std::string("cannot ") + what + " consumer \"" + source.name +
                          "\" of stream \"" + source.stream + "\" for \"" + source.topic +
                          "\" at " + connection_.name() + ": " + why.message()};
}

void PullConsumer::Say(std::string_view reply, std::string_view what) {
  if (!reply.empty()) AppendPublish(reply, {}, {}, what, &connection_.out());
}

void PullConsumer::Reset() {
  for (const Pending& each : pending_) returned_.push_back(each.reply);
  NatsConsumer::Reset();
  sources_.clear();
  held_.clear();
  progress_at_ = Deadline::max();
}

Status PullConsumer::Begin(std::span<const std::string> topics, Deadline deadline, int cancel_fd) {
  for (const std::string& reply : returned_) Say(reply, "-NAK");
  returned_.clear();
  std::set<std::string> wanted(topics.begin(), topics.end());
  const auto given_up = [&](const Source& source) { return !wanted.contains(source.topic); };
  Sources joined;
  for (const std::string& topic : wanted) {
    const bool known = std::any_of(sources_.begin(), sources_.end(),
                                   [&](const auto& each) { return each.second.topic == topic; });
    if (known) continue;
    Status status = Join(topic, deadline, cancel_fd, &joined);
    if (status.ok()) continue;
    for (const auto& [sid, source] : joined) Leave(sid, source, source.created);
    return status;
  }
  std::erase_if(sources_, [&](const auto& each) {
    if (!given_up(each.second)) return false;
    Leave(each.first, each.second, settings_.durable.empty());
    return true;
  });
  sources_.merge(joined);
  std::erase_if(pending_, [&](const Pending& each) {
    if (sources_.contains(each.sid)) return false;
    Say(each.reply, "-NAK");
    return true;
  });
  return {};
}

Status PullConsumer::Join(const std::string& topic, Deadline deadline, int cancel_fd,
                          Sources* joined) {
  std::vector<std::string> streams = {settings_.stream};
  if (settings_.stream.empty()) {
    std::string json;
    const Status status = connection_.Ask(settings_.api + "STREAM.NAMES", NamesRequest(topic),
                                          deadline, cancel_fd, handler(), &json);
    if (!status.ok()) {
      return {status.code(), "cannot find the stream of \"" + topic + "\" at " +
                                 connection_.name() + ": " + status.message() +
                                 (status.code() == Code::kAuth ? " (or set stream)" : "")};
    }
    streams = NamesOf(json);
  }
  if (streams.empty()) {
    return {Code::kUnknownTopic, "no stream at " + connection_.name() + " has the subject \"" +
                                     topic +
                                     "\" (nats stream add makes one; jetstream=0 receives "
                                     "without a stream)"};
  }
  for (const std::string& stream : streams) {
    const std::string base =
        settings_.durable.empty()
            ? "dsmsg-" + connection_.inbox().substr(settings_.inbox_prefix.size() + 1)
            : settings_.durable;
    Source source;
    source.topic = topic;
    source.stream = stream;
    source.name = ConsumerName(base, topic);
    if (Status status = FindConsumer(&source, deadline, cancel_fd); !status.ok()) return status;
    source.heard = Clock::now();
    const std::string sid = std::to_string(++last_sid_);
    connection_.out() += "SUB " + connection_.inbox() + ".p." + sid + " " + sid + "\r\n";
    joined->emplace(last_sid_, std::move(source));
  }
  return {};
}

Status PullConsumer::FindConsumer(Source* source, Deadline deadline, int cancel_fd) {
  std::string json;
  int number = 0;
  const Status status =
      connection_.Ask(Call("INFO", *source), "", deadline, cancel_fd, handler(), &json, &number);
  // Whoever may not ask may still create it, which changes nothing if it exists.
  if (number == kNoConsumer || status.code() == Code::kAuth) {
    return CreateConsumer(source, deadline, cancel_fd);
  }
  if (!status.ok()) return Failed("find", *source, status);
  const ConsumerFacts facts = ConsumerOf(json);
  source->ack_wait = facts.ack_wait;
  if (facts.filter == source->topic) return {};
  return Failed(
      "use", *source,
      {Code::kInvalidArgument, "it is for \"" + facts.filter + "\" (set another durable)"});
}

Status PullConsumer::CreateConsumer(Source* source, Deadline deadline, int cancel_fd) {
  ConsumerRequest request;
  request.stream = source->stream;
  request.name = source->name;
  request.subject = source->topic;
  request.durable = !settings_.durable.empty();
  request.deliver = settings_.deliver_all ? "all" : "new";
  request.ack_wait = settings_.ack_wait;
  // One that has vanished goes on where it was.
  const auto reached = reached_.find(source->name);
  if (reached != reached_.end()) {
    request.since_ms = reached->second;
    request.deliver = "all";
  }
  const std::string subject = Call("CREATE", *source) + "." + source->topic;
  for (;;) {
    std::string json;
    int number = 0;
    Status status = connection_.Ask(subject, CreateRequest(request), deadline, cancel_fd, handler(),
                                    &json, &number);
    if (number == kNeedsAll && request.deliver != "all") {  // a work queue
      request.deliver = "all";
      continue;
    }
    if (!status.ok()) return Failed("create", *source, status);
    source->ack_wait = ConsumerOf(json).ack_wait;
    source->created = true;
    reached_.emplace(source->name, -1);
    return {};
  }
}

void PullConsumer::Leave(uint64_t sid, const Source& source, bool remove) {
  connection_.out() += "UNSUB " + std::to_string(sid) + "\r\n";
  if (!remove) return;
  AppendPublish(Call("DELETE", source), {}, {}, {}, &connection_.out());
  reached_.erase(source.name);
}

void PullConsumer::Ask(bool room) {
  const Deadline now = Clock::now();
  for (auto& [sid, source] : sources_) {
    if (source.wanted > 0 && now - source.heard > 3 * kHeartbeat) source.wanted = 0;
    if (!room || source.wanted > settings_.batch_read / 2 || now < source.ask_at) continue;
    const std::string reply = connection_.inbox() + ".p." + std::to_string(sid);
    AppendPublish(Call("MSG.NEXT", source), reply, {},
                  PullRequest(settings_.batch_read - source.wanted, kExpires, kHeartbeat),
                  &connection_.out());
    source.wanted = settings_.batch_read;
    source.heard = now;
  }
  if (now >= progress_at_) ReportProgress();
}

// Before the server takes them for lost.
void PullConsumer::ReportProgress() {
  for (const auto& [token, reply] : held_) Say(reply, "+WPI");
  for (const Pending& each : pending_) Say(each.reply, "+WPI");
  Millis shortest{30'000};
  for (const auto& [sid, source] : sources_) shortest = std::min(shortest, source.ack_wait);
  progress_at_ = held_.empty() && pending_.empty() ? Deadline::max() : Clock::now() + shortest / 3;
}

Status PullConsumer::Take(const Op& op) {
  if (op.kind != Op::Kind::kMsg) return {};
  const auto found = sources_.find(op.sid);
  const bool message = op.status() == 0 && op.reply.starts_with("$JS.ACK.");
  if (found == sources_.end()) {  // given up meanwhile
    if (message) Say(op.reply, "-NAK");
    return {};
  }
  Source& source = found->second;
  source.heard = Clock::now();
  if (!message) return TakeStatus(op, &source);
  if (source.wanted > 0) --source.wanted;
  Pending pending{MessageOf(op), op.sid, std::string(op.reply)};
  const Delivery delivery = DeliveryOf(op.reply);
  pending.message.redelivered = delivery.delivered > 1;
  pending.message.timestamp_ms = delivery.timestamp_ms;
  if (delivery.timestamp_ms >= 0) pending.message.timestamp_type = DSMSG_TIMESTAMP_APPEND;
  if (pending.message.id.empty()) pending.message.id = std::to_string(delivery.sequence);
  pending_.push_back(std::move(pending));
  if (progress_at_ == Deadline::max()) progress_at_ = Clock::now() + source.ack_wait / 3;
  reached_[source.name] = delivery.timestamp_ms;
  return {};
}

// 100: idle. 404, 408: a request ended. 409: it ended for another reason. 503: no consumer is
// there.
Status PullConsumer::TakeStatus(const Op& op, Source* source) {
  constexpr int kIdle = 100, kConflict = 409, kNotThere = 503;
  const int status = op.status();
  if (status == kIdle) return {};
  const std::string_view left = op.header("Nats-Pending-Messages");
  size_t count = source->wanted;
  std::from_chars(left.data(), left.data() + left.size(), count);
  source->wanted -= std::min(source->wanted, count);
  const std::string words(op.status_text());
  if (status == kNotThere || words.find("Deleted") != std::string::npos) {
    const Status why(Code::kUnavailable, words.empty() ? "no responders" : words);
    return Failed("read from", *source, why);
  }
  if (status != kConflict) return {};
  source->ask_at = Clock::now() + kSoon;
  const bool limit = words.starts_with("Exceeded");
  host_.log().Limited(LogLevel::kWarn, "pull:" + source->name,
                      "consumer \"" + source->name + "\" of stream \"" + source->stream +
                          "\" ended a request: " + words +
                          (limit ? " (lower batch-read, or raise the consumer's limit)" : ""));
  return {};
}

void PullConsumer::Delivered(const Pending& pending, AckToken token) {
  last_token_ = token;
  held_.emplace(token, pending.reply);
}

void PullConsumer::Ack(AckToken token) noexcept {
  const auto held = held_.extract(token);
  if (!held.empty()) Say(held.mapped(), "+ACK");
}

void PullConsumer::Release(AckToken token) noexcept {
  const auto held = held_.extract(token);
  if (!held.empty()) Say(held.mapped(), "-NAK");
}

// What no callback has seen goes back, so that it comes again at once.
void PullConsumer::Drain(Deadline deadline, int cancel_fd) noexcept {
  Sources ended;
  ended.swap(sources_);
  for (const auto& [sid, source] : ended) Leave(sid, source, settings_.durable.empty());
  for (const auto& [token, reply] : held_) Say(reply, "-NAK");
  for (const Pending& each : pending_) Say(each.reply, "-NAK");
  held_.clear();
  pending_.clear();
  (void)connection_.AwaitPong(deadline, cancel_fd, handler());
}

}  // namespace dsmsg::nats
