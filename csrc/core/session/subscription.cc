// SPDX-License-Identifier: Apache-2.0
#include "core/session/subscription.h"

#include <algorithm>
#include <utility>

#include "core/session/inbox.h"

namespace dsmsg {
namespace {

constexpr Millis kGrace{500};

}  // namespace

// ---------------------------------------------------------------- hosts

Status SubscriptionControl::Replace(Subscription wanted, Deadline deadline,
                                    const std::function<void()>& wake) {
  Lock lock(mutex_);
  if (!changed_.wait_until(lock, deadline, [this] { return closed_ || tried_ == nullptr; })) {
    return {Code::kTimeout,
            "another subscribe of this connection was not answered within connect-timeout"};
  }
  if (closed_) return {Code::kCancelled, "the connection is being closed"};
  wanted.generation = ++generations_;
  tried_ = std::make_shared<const Subscription>(std::move(wanted));
  deadline_ = deadline;
  result_.reset();
  setback_ = Status();
  held_ = false;
  lock.unlock();
  wake();
  lock.lock();
  const auto answered = [this] { return result_.has_value(); };
  // The driver and an attempt to connect observe the same deadline and say what went wrong.
  if (!changed_.wait_until(lock, deadline, answered) && (asking_ || (!up_ && !lazy_))) {
    changed_.wait_until(lock, deadline + kGrace, answered);
  }
  if (!result_) {
    if (lazy_ && !up_ && !closed_) {
      Commit();  // made when the link comes up
    } else {
      Conclude(WhyNot());
    }
  }
  const Status status = *result_;
  tried_ = nullptr;
  asking_ = false;
  changed_.notify_all();
  return status;
}

Status SubscriptionControl::WhyNot() const {
  if (!up_ && !down_reason_.ok()) return down_reason_;
  if (!setback_.ok()) return setback_;
  return {Code::kTimeout, "the broker did not answer the subscription within connect-timeout"};
}

void SubscriptionControl::Close() {
  const Lock lock(mutex_);
  closed_ = true;
  if (trying()) Conclude({Code::kCancelled, "the connection is being closed"});
  changed_.notify_all();
}

SubscriptionPtr SubscriptionControl::current() const {
  const Lock lock(mutex_);
  return current_;
}

// ---------------------------------------------------------------- the transaction (mutex_ is held)

// From here on the new callback receives. Messages in the inbox were received for the old topics:
// those whose topic the new subscription has as well belong to it, and the others go back
// undelivered.
void SubscriptionControl::Commit() {
  const SubscriptionPtr before = std::exchange(current_, tried_);
  const auto has = [this](const Subscription& subscription, const std::string& topic) {
    return std::any_of(subscription.topics.begin(), subscription.topics.end(),
                       [&](const std::string& filter) { return matches_(filter, topic); });
  };
  inbox_.Adopt(current_, [&](const std::string& topic) {
    return before == nullptr || !has(*before, topic) || has(*current_, topic);
  });
  Conclude({});
}

void SubscriptionControl::Conclude(const Status& status) {
  result_ = status;
  changed_.notify_all();
}

// ---------------------------------------------------------------- link

void SubscriptionControl::Opened() {
  const Lock lock(mutex_);
  applied_ = nullptr;
  held_ = false;
}

void SubscriptionControl::LinkUp() {
  const Lock lock(mutex_);
  up_ = true;
  held_ = false;
}

void SubscriptionControl::LinkDown(const Status& reason, bool failed_attempt, bool gave_up) {
  const Lock lock(mutex_);
  up_ = false;
  down_reason_ = reason;
  if (!trying()) return;
  if (gave_up) {
    Conclude(reason);
  } else if (failed_attempt && lazy_) {
    Commit();  // made when the link comes up
  } else if (failed_attempt && reason.permanent()) {
    Conclude(reason);
  }
}

std::optional<SubscriptionControl::Step> SubscriptionControl::Next(Deadline usual) {
  const Lock lock(mutex_);
  const bool trying_now = trying();
  const SubscriptionPtr& wanted = trying_now ? tried_ : current_;
  if (wanted == applied_ || held_ || closed_) return std::nullopt;
  asking_ = trying_now;
  return Step{wanted, trying_now ? deadline_ : usual};
}

Status SubscriptionControl::Answer(const Step& step, const Status& status) {
  const Lock lock(mutex_);
  const bool waited_for = trying() && step.subscription == tried_;
  asking_ = false;
  if (status.ok()) {
    applied_ = step.subscription;
    if (waited_for) Commit();  // otherwise it was withdrawn: the next step undoes it
    return {};
  }
  if (waited_for) {
    // A link that is closing, or known to be down, may be back before the deadline.
    const bool decided = !status.retryable() || (up_ && status.code() == Code::kTimeout);
    held_ = !decided;
    setback_ = status;
    if (decided) Conclude(status);
    return {};
  }
  if (step.subscription != current_) return {};  // withdrawn and refused: everything is as before
  // The subscription in force could not be established. A refusal is final until the link is opened
  // again.
  held_ = true;
  return applied_ != nullptr || status.retryable() ? status : Status();
}

}  // namespace dsmsg
