// SPDX-License-Identifier: Apache-2.0
#include "adaptors/nats/streams.h"

#include <utility>

namespace dsmsg::nats {
namespace {

constexpr size_t kMostRoutes = 10'000;
constexpr Millis kPatience{2000};

}  // namespace

void Streams::Reset() {
  routes_.clear();
  asked_.clear();
  forbidden_ = answered_ = false;
}

const Route* Streams::Find(std::string_view subject) {
  auto found = routes_.find(subject);
  if (found == routes_.end()) {
    if (routes_.size() >= kMostRoutes) Reset();
    found = routes_.emplace(subject, Route()).first;
    if (forbidden_) {
      found->second.state = Route::State::kUnknown;
    } else if (settings_.stream.empty()) {
      AskNames(found);
    } else {
      AskFacts(found, settings_.stream);
    }
  }
  Route& route = found->second;
  if (route.state == Route::State::kAsked && Clock::now() - route.asked_at > kPatience) {
    route.state = Route::State::kSilent;
  }
  return route.state == Route::State::kAsked ? nullptr : &route;
}

void Streams::Forget(std::string_view subject) {
  const auto found = routes_.find(subject);
  if (found == routes_.end()) return;
  std::erase_if(asked_, [&](const auto& each) { return each.second == found; });
  routes_.erase(found);
}

void Streams::AskNames(Routes::iterator route) {
  Ask(route, "STREAM.NAMES", NamesRequest(route->first));
}
void Streams::AskFacts(Routes::iterator route, const std::string& stream) {
  Ask(route, "STREAM.INFO." + stream, "");
}

void Streams::Ask(Routes::iterator route, const std::string& what, const std::string& body) {
  const std::string name = "s" + std::to_string(++number_);
  AppendPublish(settings_.api + what, connection_.inbox() + "." + name, {}, body,
                &connection_.out());
  route->second.state = Route::State::kAsked;
  route->second.asked_at = Clock::now();
  asked_.emplace(name, route);
}

void Streams::Finish(Routes::iterator route, Route::State state) {
  route->second.state = state;
  answered_ = true;
}

bool Streams::TakeAnswer(std::string_view name, const Op& op) {
  if (!name.starts_with('s')) return false;
  const auto found = asked_.find(name);
  if (found == asked_.end()) return true;  // it came too late
  const Routes::iterator route = found->second;
  asked_.erase(found);
  const Status status = ApiOutcome(op);
  if (!status.ok()) {
    Finish(route, status.code() == Code::kUnknownTopic ? Route::State::kNone
                  : status.retryable()                 ? Route::State::kSilent
                                                       : Route::State::kUnknown);
    return true;
  }
  StreamFacts facts = FactsOf(op.payload);
  if (!facts.name.empty()) {
    Explain(facts);
    route->second.stream = std::move(facts);
    Finish(route, Route::State::kFound);
    return true;
  }
  const std::vector<std::string> names = NamesOf(op.payload);
  if (names.empty()) {
    Finish(route, Route::State::kNone);
  } else {
    AskFacts(route, names.front());
  }
  return true;
}

void Streams::TakeForbidden(std::string_view subject) {
  if (!subject.starts_with(settings_.api + "STREAM.")) return;
  forbidden_ = true;  // each subject would get the same answer
  for (auto& [name, route] : asked_) Finish(route, Route::State::kUnknown);
  asked_.clear();
}

void Streams::Explain(const StreamFacts& stream) {
  if (!stream.interest || !explained_.insert(stream.name).second) return;
  log_.Warn("stream \"" + stream.name +
            "\" has the retention \"interest\": a message without a consumer is acknowledged and "
            "not kept");
}

}  // namespace dsmsg::nats
