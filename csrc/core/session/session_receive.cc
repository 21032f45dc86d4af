// SPDX-License-Identifier: Apache-2.0
// The receiving side of a session.
#include <utility>

#include "core/session/session.h"

namespace dsmsg {
namespace {

constexpr Millis kCallGrace{500};  // for a call of the previous callback

}  // namespace

Result<Link*> Session::ConsumerLink() {
  if (!factory_.info->separate_roles) return producer_.get();
  std::lock_guard lock(links_mutex_);
  if (ended_) return Status(Code::kCancelled, "the connection is being closed");
  if (!consumer_) {
    auto link = std::make_unique<Link>(Role::kConsumer, PartsFor(Role::kConsumer));
    const Status configured = link->Configure();
    if (!configured.ok()) return configured;
    link->Start();
    receiver_ = link.get();
    consumer_ = std::move(link);
  }
  return consumer_.get();
}

Status Session::Subscribe(Subscription wanted) {
  notifier_->HostCalled();
  const Deadline deadline = Clock::now() + CurrentSettings()->connect_timeout;
  inbox_->Start();
  const Result<Link*> link = ConsumerLink();
  if (!link.ok()) return link.status();
  const Status status =
      subscription_.Replace(std::move(wanted), deadline, [&] { link.value()->Resubscribe(); });
  if (!status.ok()) return status;
  // A host may then free the context of the previous callback without further ado. The wait is
  // bounded, because that callback may wait for a lock that this caller holds.
  const SubscriptionPtr current = subscription_.current();
  if (!inbox_->WaitForOlderCall(current->generation, Clock::now() + kCallGrace)) {
    logger_.Warn(
        "subscribe: the new callback is in force, but a call of the previous one is still running; "
        "what it uses must stay valid until it returns (only then is the new one called)");
  }
  return {};
}

bool Session::Matches(const std::string& filter, const std::string& topic) const {
  const auto matches = factory_.info->matches;
  return matches == nullptr ? filter == topic : matches(CurrentSettings()->config, filter, topic);
}

void Session::CloseInbox(Deadline deadline) {
  if (inbox_->Close(deadline)) return;
  logger_.Warn(
      "disconnect: a call of the subscribe callback is still running and is no longer waited for; "
      "what it uses must stay valid until it returns (its message is not acknowledged)");
}

}  // namespace dsmsg
