// SPDX-License-Identifier: Apache-2.0
// Other settings while a connection lives: dsmsg_reload and config-watch.
#include "core/options/config.h"
#include "core/options/options.h"
#include "core/session/session.h"

namespace dsmsg {
namespace {

bool IsReloadable(const OptionTable& table, std::string_view name) {
  const OptionSpec* spec = table.Find(name);
  return spec == nullptr || (spec->flags & kOptFixed) == 0;
}

// The files that a reload would read again.
std::vector<std::string> FilesOf(const Config& config, const std::string& config_path) {
  std::vector<std::string> files = config.files();
  if (!config_path.empty()) files.push_back(config_path);
  for (const char* option : {"tls-cafile", "tls-certfile", "tls-keyfile"}) {
    const std::string file = config.GetString(option);
    if (!file.empty()) files.push_back(file);
  }
  return files;
}

}  // namespace

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

// links_mutex_ is held. Everything is prepared before anything changes.
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
  Result<MessageBuilder> made = MessageBuilder::Create(settings, builder_.load(), metrics_.ledger);
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
          logger_.Warn("reload: a configuration file changed, reconnecting");
        } else {
          logger_.Error("reload: the changed configuration is not used: " + status.message());
        }
      });
}

}  // namespace dsmsg
