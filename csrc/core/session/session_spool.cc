// SPDX-License-Identifier: Apache-2.0
// A session's spool and dead letters, and the end of what was not sent.
#include "core/options/config.h"
#include "core/options/options.h"
#include "core/session/session.h"

namespace dsmsg {
namespace {

// Settings that ask for a spool must not be ignored: messages would be in memory only.
Status CheckNoSpool(const Config& config, Logger& logger) {
  for (const auto& [name, value] :
       {std::pair("overflow", "spool"), std::pair("spool-mode", "always")}) {
    if (config.GetString(name) != value) continue;
    return {Code::kInvalidArgument,
            std::string(name) + "=" + value + " needs spool-dir (the directory of the spool)"};
  }
  std::string unused;
  for (const OptionSpec& spec : CommonOptions()) {
    const std::string_view name = spec.name;
    if (!name.starts_with("spool-") || name == "spool-dir" || !config.IsSet(name)) continue;
    unused.append(unused.empty() ? "" : ", ").append(name);
  }
  // spool-dir=off is deliberate.
  if (!unused.empty() && !config.IsSet("spool-dir")) {
    logger.Warn(unused + ": no effect without spool-dir (the directory of the spool)");
  }
  return {};
}

}  // namespace

Status Session::OpenSpool() {
  const std::string dir = settings_.config.GetString("spool-dir");
  if (dir.empty() || dir == "off") {
    return CheckNoSpool(settings_.config, logger_);
  }
  auto spool = std::make_unique<SpoolFeed>(settings_.config, queue_, completions_, metrics_,
                                           [this] { producer_->Wake(false); });
  if (Status status = spool->Open(settings_, factory_.info->protocol, logger_); !status.ok()) {
    return status;
  }
  spool_ = std::move(spool);
  return {};
}

void Session::OnFinished(std::span<const Finished> finished) {
  for (const Finished& each : finished) {
    if (each.letter != nullptr) dead_letters_.Keep(each.letter->message, each.status);
  }
  if (spool_ != nullptr) spool_->OnFinished(finished);
  losses_.Look();
}

bool Session::OnLetter(Outgoing* letter) noexcept {
  return spool_ != nullptr && spool_->PushLetter(letter);
}

void Session::EndWithoutSpool(bool flushed) {
  const uint64_t left = metrics_.Read({}).queue_messages;
  std::vector<Finished> finished;
  queue_.CloseAll({Code::kCancelled,
                   "disconnected before the broker acknowledged (raise flush-timeout, or set "
                   "spool-dir)"},
                  DropReason::kShutdown, &finished);
  completions_.Push(&finished);
  TellAtDisconnect(flushed, left, false);
}

void Session::EndWithSpool(bool flushed, Deadline deadline) {
  const size_t left = spool_->Close(deadline);
  TellAtDisconnect(flushed, left, true);
}

void Session::TellAtDisconnect(bool flushed, size_t left, bool to_spool) {
  const std::string text = losses_.AtDisconnect(flushed, left, to_spool);
  if (!text.empty()) logger_.Warn(text);
}

}  // namespace dsmsg
