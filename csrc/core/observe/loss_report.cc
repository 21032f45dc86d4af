// SPDX-License-Identifier: Apache-2.0
#include "core/observe/loss_report.h"

#include <algorithm>
#include <cstdio>

namespace dsmsg {
namespace {

constexpr std::chrono::seconds kPause{60};  // between two lines of a kind
constexpr std::chrono::seconds kLook{1};    // between two checks while something is unreported

std::string Messages(uint64_t count) {
  return Grouped(count) + (count == 1 ? " message" : " messages");
}

std::string MillisText(Millis millis) {
  return millis.count() % 1000 == 0 ? std::to_string(millis.count() / 1000) + "s"
                                    : std::to_string(millis.count()) + "ms";
}

}  // namespace

std::string Grouped(uint64_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string DurationText(Clock::duration duration) {
  const auto millis = std::max<int64_t>(0, std::chrono::duration_cast<Millis>(duration).count());
  char text[64];
  if (millis < 10'000) {
    std::snprintf(text, sizeof text, "%.1f s", static_cast<double>(millis) / 1000);
    return text;
  }
  const int64_t seconds = millis / 1000;
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 7200) {
    return std::to_string(seconds / 60) + " min " + std::to_string(seconds % 60) + " s";
  }
  return std::to_string(seconds / 3600) + " h " + std::to_string(seconds % 3600 / 60) + " min";
}

LossReport::LossReport(const Settings& settings, Logger& logger, Reader read, Quick losses)
    : settings_(settings), logger_(logger), read_(std::move(read)), losses_(std::move(losses)) {}

LossReport::Counts LossReport::CountsOf(const MetricsSnapshot& metrics) {
  Counts counts{};
  std::copy(metrics.dropped.begin(), metrics.dropped.end(), counts.begin());
  counts[kFailed] = metrics.failed_in_all();
  counts[kLettersLost] = metrics.dead_letters_lost;
  return counts;
}

const char* LossReport::NameOf(size_t kind) {
  if (kind == kFailed) return "failed";
  if (kind == kLettersLost) return "dead letters lost";
  return DropReasonName(static_cast<DropReason>(kind));
}

// For example "965 evicted, 3 failed"; zero counts are left out.
std::string LossReport::Listed(const Counts& counts) {
  std::string text;
  for (size_t kind = 0; kind < kKinds; ++kind) {
    if (counts[kind] == 0) continue;
    if (!text.empty()) text += ", ";
    text.append(Grouped(counts[kind])).append(" ").append(NameOf(kind));
  }
  return text;
}

// The setting that would have prevented the loss.
std::string LossReport::Advice(size_t kind) const {
  const std::string dir = settings_.config.GetString("spool-dir");
  const bool spool = !dir.empty() && dir != "off";
  const std::string more_room = spool ? "raise spool-max-bytes, queue-size or queue-bytes, and see "
                                        "what the log says about the spool's disk"
                                      : "raise queue-size or queue-bytes, or set spool-dir";
  if (kind == kFailed) {
    return "the broker refused them, the log says why; dead-letter-dir keeps such messages";
  }
  if (kind == kLettersLost) return "set dead-letter-dir, or raise dead-letter-max-bytes";
  switch (static_cast<DropReason>(kind)) {
    case DropReason::kEvicted:
    case DropReason::kNewest:
      return more_room;
    case DropReason::kMemory:
      return spool ? "see what else uses the machine's memory, or raise memory-high-water"
                   : "set spool-dir, or see what else uses the machine's memory";
    case DropReason::kSuperseded:
      return more_room +
             "; when the queue is full, overflow=latest-per-key keeps only the newest message of "
             "each key";
    case DropReason::kExpired:
      return spool ? "raise message-timeout or send-timeout"
                   : "raise message-timeout or send-timeout, or set spool-dir";
    case DropReason::kTooLarge:
      return "raise max-message-bytes (and the broker's own limit), or send less at a time";
    case DropReason::kGaveUp:
      return "set reconnect=1 and reconnect-attempts=0 to keep trying";
    case DropReason::kShutdown:
      return spool ? "raise flush-timeout, and see what the log says about the spool"
                   : "raise flush-timeout, or set spool-dir";
    case DropReason::kSpoolFailed:
      return "the spool's disk is full or broken";
    case DropReason::kSpoolEvicted:
      return "raise spool-max-bytes";
    case DropReason::kSpoolLost:
      return "the spool's file was damaged, the log says when";
    case DropReason::kCount:
      break;
  }
  return {};
}

// Which limit was reached, and why. The queue may have room again by now.
std::string LossReport::FullQueue(const MetricsSnapshot& metrics, Clock::time_point now) const {
  const QueueLimits& limits = settings_.queue;
  return "the queue is full (" + Messages(metrics.full_messages) +
         (metrics.full_messages == 1 ? " waits; " : " wait; ") +
         (metrics.full_of_bytes ? "queue-bytes=" + std::to_string(limits.bytes)
                                : "queue-size=" + std::to_string(limits.messages)) +
         ") and the broker " +
         (down_ ? "has been away for " + DurationText(now - down_since_)
                : "is slower than the sender");
}

// The log line when losses of a kind begin; empty if another line reports them.
std::string LossReport::Beginning(DropReason reason, const MetricsSnapshot& metrics,
                                  Clock::time_point now) const {
  const std::string policy = "overflow=" + settings_.config.GetString("overflow");
  const std::string advice = ": " + Advice(static_cast<size_t>(reason));
  switch (reason) {
    case DropReason::kEvicted:
      return FullQueue(metrics, now) + "; from now on the oldest message ends with ERR (" + policy +
             ")" + advice;
    case DropReason::kMemory:
      return "more than " + std::to_string(settings_.queue.memory_high_water) +
             "% of the machine's memory is in use (memory-high-water); meanwhile the oldest "
             "messages end with ERR" +
             advice;
    case DropReason::kNewest:
      return FullQueue(metrics, now) + "; from now on new messages end with ERR (" + policy + ")" +
             advice;
    case DropReason::kSuperseded:
      return FullQueue(metrics, now) +
             "; from now on older messages with the same key end with ERR" + advice;
    case DropReason::kExpired: {
      const Millis timeout = settings_.queue.message_timeout;
      return "messages are not acknowledged in time and end with ERR (" +
             (timeout.count() > 0 ? "message-timeout=" + MillisText(timeout) + ", " : "") +
             "send-timeout=" + MillisText(settings_.send_timeout) + " for synchronous sends)" +
             (down_ ? "; the broker has been away for " + DurationText(now - down_since_) : "") +
             advice;
    }
    case DropReason::kGaveUp:
      return "the link has given up (reconnect, reconnect-attempts): waiting messages end with "
             "ERR, and so does every new one" +
             advice;
    case DropReason::kSpoolFailed:
      return "the spool returns messages that do not fit into memory; they end with ERR" + advice;
    case DropReason::kTooLarge:
    case DropReason::kShutdown:
    case DropReason::kSpoolEvicted:
    case DropReason::kSpoolLost:
    case DropReason::kCount:
      break;
  }
  return {};
}

void LossReport::LookAt(Clock::time_point now) {
  const uint64_t losses = losses_();
  if (now.time_since_epoch().count() < not_before_.load(std::memory_order_relaxed)) return;
  const MetricsSnapshot metrics = read_();
  const Counts counts = CountsOf(metrics);
  std::vector<std::string> lines;
  {
    std::lock_guard lock(mutex_);
    not_before_ = (now + kLook).time_since_epoch().count();
    bool all_told = true;
    for (size_t i = 0; i < kKinds; ++i) {
      Kind& kind = kinds_[i];
      if (counts[i] <= kind.told) continue;
      if (i == static_cast<size_t>(DropReason::kShutdown)) continue;  // see AtDisconnect
      const bool going_on = kind.ever && now - kind.told_at < 2 * kPause;
      if (going_on && now - kind.told_at < kPause) {
        all_told = false;
        continue;
      }
      std::string line = going_on || i >= kDropReasonCount
                             ? std::string()
                             : Beginning(static_cast<DropReason>(i), metrics, now);
      if (going_on) {
        line = Messages(counts[i] - kind.told) + " more: " + NameOf(i) + " in the last " +
               DurationText(now - kind.told_at) + ", " + Grouped(counts[i]) + " in all (" +
               Advice(i) + ")";
      }
      kind = {counts[i], now, true};
      if (!line.empty()) lines.push_back(std::move(line));
    }
    if (all_told) seen_ = losses;
  }
  for (const std::string& line : lines) logger_.Warn(line);
}

void LossReport::LinkDown(Clock::time_point now) {
  const Counts counts = CountsOf(read_());
  std::lock_guard lock(mutex_);
  if (std::exchange(down_, true)) return;
  down_since_ = now;
  at_down_ = counts;
}

std::string LossReport::LinkUp(Clock::time_point now) {
  const MetricsSnapshot metrics = read_();
  const Counts counts = CountsOf(metrics);
  std::lock_guard lock(mutex_);
  if (!std::exchange(down_, false)) return {};
  std::string text = "back after " + DurationText(now - down_since_) + "; ";
  for (size_t i = 0; i < kKinds; ++i) {
    const uint64_t lost = counts[i] - std::min(counts[i], at_down_[i]);
    const bool always = i == static_cast<size_t>(DropReason::kEvicted) || i == kFailed;
    if (lost > 0 || always) text += Grouped(lost) + ' ' + NameOf(i) + ", ";
    // Reported now; the next loss counts as a new one.
    kinds_[i] = {std::max(counts[i], kinds_[i].told), now, false};
  }
  text += Grouped(metrics.queue_messages + metrics.spool_backlog) + " waiting";
  if (metrics.spool_backlog > 0) text += " (" + Grouped(metrics.spool_backlog) + " in the spool)";
  return text;
}

std::string LossReport::Summary() const { return Listed(CountsOf(read_())); }

std::string LossReport::AtDisconnect(bool flushed, size_t left, bool to_spool) {
  const MetricsSnapshot metrics = read_();
  const Counts counts = CountsOf(metrics);
  std::vector<std::string> parts;
  if (!flushed) {
    std::string text = Messages(left);
    text += left == 1 ? " was" : " were";
    text += " not acknowledged by the broker and ";
    if (to_spool) {
      text += left == 1 ? "goes" : "go";
      text += " to the spool, which holds " + Grouped(metrics.spool_backlog);
    } else {
      text += left == 1 ? "ends with ERR" : "end with ERR";
    }
    parts.push_back(std::move(text));
  }
  if (const std::string lost = Listed(counts); !lost.empty()) {
    std::string text = "of " + Messages(metrics.accepted) + " accepted: ";
    text += Grouped(metrics.acknowledged) + " acknowledged, ";
    if (metrics.spooled > 0) text += Grouped(metrics.spooled) + " spooled, ";
    const auto most = std::max_element(counts.begin(), counts.end());
    text += lost + " (" + Advice(static_cast<size_t>(most - counts.begin())) + ")";
    parts.push_back(std::move(text));
  }
  if (metrics.refused_full > 0) {
    parts.push_back(Messages(metrics.refused_full) +
                    " refused because the queue was full (overflow=reject)");
  }
  std::string line;
  for (const std::string& part : parts) {
    line += line.empty() ? "disconnect: " : "; ";
    line += part;
  }
  return line;
}

}  // namespace dsmsg
