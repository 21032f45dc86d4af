// SPDX-License-Identifier: Apache-2.0
// The parts of a session that not every connection has: the spool, the metrics file, other settings
// while it runs.
#include <unistd.h>

#include "core/session.h"

namespace dsmsg {
namespace {

bool IsReloadable(const OptionTable& table, std::string_view name) {
  const OptionSpec* spec = table.Find(name);
  return spec == nullptr || (spec->flags & kOptFixed) == 0;
}

// What a reload would read again.
std::vector<std::string> FilesOf(const Config& config, const std::string& config_path) {
  std::vector<std::string> files = config.files();
  if (!config_path.empty()) files.push_back(config_path);
  for (const char* option : {"tls-cafile", "tls-certfile", "tls-keyfile"}) {
    const std::string file = config.GetString(option);
    if (!file.empty()) files.push_back(file);
  }
  return files;
}

// What asks for a spool must not be ignored: messages would be in memory only.
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
  // spool-dir=off is a decision.
  if (!unused.empty() && !config.IsSet("spool-dir")) {
    logger.Warn(unused + ": no effect without spool-dir (the directory of the spool)");
  }
  return {};
}

}  // namespace

// ---------------------------------------------------------------- end

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

// ---------------------------------------------------------------- metrics, reload, spool

MetricsSnapshot Session::ReadMetrics() const {
  Metrics::SpoolCounts counts;
  if (spool_ != nullptr) {
    const SpoolStats spool = spool_->Stats();
    counts = {spool_->restored(), spool.evicted, spool.lost};
  }
  return metrics_.Read(counts);
}

Gauges Session::ReadGauges() const {
  Gauges gauges;
  gauges.protocol = factory_.info->protocol;
  gauges.library = factory_.info->library;
  if (factory_.info->library_version != nullptr) {
    gauges.library_version = factory_.info->library_version();
  }
  gauges.endpoint = producer_->state().peer();
  gauges.link_up = producer_->up();
  gauges.queue_bytes = queue_.bytes();
  gauges.in_flight = queue_.in_flight();
  gauges.completions_waiting = completions_.waiting();
  gauges.inbox_messages = inbox_->messages();
  if (spool_ != nullptr) {
    const SpoolStats spool = spool_->Stats();
    gauges.spool_rows = spool.rows;
    gauges.spool_bytes = spool.bytes;
    gauges.spool_failing = spool.failing ? 1 : 0;
  }
  return gauges;
}

std::string Session::StatsJson() const { return dsmsg::StatsJson(ReadMetrics(), ReadGauges()); }

std::string Session::LastError() const {
  const std::string reason = metrics_.LastFailureReason(), loss = metrics_.LastLossReason();
  const std::string lost = losses_.Summary();
  if (lost.empty()) return reason;
  // A server that refuses a message ends the connection as well, perhaps.
  const bool more = !loss.empty() && loss != reason;
  return reason + " [since connect: " + lost + (more ? "; the last: " + loss : "") + "]";
}

Status Session::Reload(const std::string& conn_str, const std::string& config_path) {
  notifier_->HostCalled();
  const DriverInfo& info = *factory_.info;
  const std::string& address = conn_str.empty() ? conn_str_ : conn_str;
  const std::string& file = config_path.empty() ? config_path_ : config_path;
  Result<Settings> settings = Settings::Load(info, address, file);
  if (!settings.ok()) return settings.status();
  const auto next = std::make_shared<const Settings>(std::move(settings.value()));
  const OptionTable table(info.options);
  {
    std::lock_guard lock(links_mutex_);
    if (ended_) return {Code::kCancelled, "the connection is being closed"};
    if (Status status = ReplaceLinks(next); !status.ok()) return status;
    if (file_watch_ != nullptr) file_watch_->Watch(FilesOf(next->config, file));
    std::lock_guard settings_lock(settings_mutex_);
    last_conn_str_ = address;
    last_config_path_ = file;
  }
  for (const std::string& name : next->config.Different(settings_.config)) {
    if (IsReloadable(table, name)) continue;
    logger_.Warn("reload: " + name + " keeps its value until the next connect");
  }
  logger_.SetLevel(ParseLogLevel(next->config.GetString("log-level"), LogLevel::kWarn));
  logger_.Info("reload: connecting to " + next->endpoints.ToString());
  return {};
}

// links_mutex_ is held. All is prepared before anything changes.
Status Session::ReplaceLinks(const std::shared_ptr<const Settings>& settings) {
  Result<std::unique_ptr<Driver>> producer = producer_->Prepare(*settings);
  if (!producer.ok()) return producer.status();
  std::unique_ptr<Driver> consumer;
  if (consumer_ != nullptr) {
    Result<std::unique_ptr<Driver>> prepared = consumer_->Prepare(*settings);
    if (!prepared.ok()) return prepared.status();
    consumer = std::move(prepared.value());
  }
  if (Status status = UseBuilder(*settings); !status.ok()) return status;
  {
    std::lock_guard lock(settings_mutex_);
    current_ = settings;
  }
  producer_->Replace(std::move(producer.value()), settings);
  if (consumer != nullptr) consumer_->Replace(std::move(consumer), settings);
  return {};
}

// links_mutex_ is held, or no other thread knows the session yet.
Status Session::UseBuilder(const Settings& settings) {
  Result<MessageBuilder> made = MessageBuilder::Create(settings, builder_.load());
  if (!made.ok()) return made.status();
  builders_.push_back(std::make_unique<const MessageBuilder>(std::move(made.value())));
  builder_.store(builders_.back().get(), std::memory_order_release);
  return {};
}

Status Session::ReloadChanged() {
  std::string conn_str, config_path;
  {
    std::lock_guard lock(settings_mutex_);
    conn_str = last_conn_str_;
    config_path = last_config_path_;
  }
  return Reload(conn_str, config_path);
}

void Session::StartFileWatch() {
  const Millis interval = settings_.config.GetMillis("config-watch");
  if (interval.count() == 0 || config_path_.empty()) return;
  std::lock_guard lock(links_mutex_);  // a change may be noticed at once
  file_watch_ =
      std::make_unique<FileWatch>(FilesOf(settings_.config, config_path_), interval, [this] {
        const Status status = ReloadChanged();
        if (status.ok()) {
          logger_.Warn("reload: a file of the configuration changed, connecting anew");
        } else {
          logger_.Error("reload: the changed configuration is not used: " + status.message());
        }
      });
}

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

Status Session::StartMetricsFile() {
  static std::atomic<uint64_t> connections{0};
  const std::string path = settings_.config.GetString("metrics-file");
  if (path.empty()) return {};
  bool per_process = false;
  MetricsFile::Expand(path, &per_process);
  // Files of several processes are read together: no two connections may look the same there.
  const std::string connection =
      (per_process ? std::to_string(getpid()) + '-' : "") + std::to_string(++connections);
  auto started = MetricsFile::Start(path, settings_.config.GetMillis("metrics-interval"),
                                    factory_.info->protocol, [this, connection] {
                                      return MetricsSource{ReadMetrics(), ReadGauges(), connection};
                                    });
  if (!started.ok()) return started.status();
  metrics_file_ = std::move(started.value());
  return {};
}

}  // namespace dsmsg
