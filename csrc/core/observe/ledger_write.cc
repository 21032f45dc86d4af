// SPDX-License-Identifier: Apache-2.0
// What a delivery ledger writes, when, and what its options mean.
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <sys/random.h>
#include <unistd.h>

#include <ctime>
#include <system_error>

#include "core/base/guard.h"
#include "core/base/thread.h"
#include "core/observe/ledger.h"
#include "core/observe/metrics_file.h"

namespace dsmsg {
namespace {

constexpr Millis kGather{50};     // losses come in rows
constexpr Millis kNumbers{5000};  // how often the numbers are written
constexpr Millis kRetry{1000};    // of a disk that refuses
constexpr size_t kMostUnwritten = size_t{8} << 20;

using JsonText = rapidjson::Writer<rapidjson::StringBuffer>;

int64_t NowMillis() {
  return std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string Utc(int64_t milliseconds, const char* format) {
  const time_t seconds = milliseconds / 1000;
  tm parts{};
  gmtime_r(&seconds, &parts);
  char text[48];
  const size_t size = strftime(text, sizeof text, format, &parts);
  const std::string rest = std::to_string(1000 + milliseconds % 1000);
  return std::string(text, size).append(rest, 1).append("Z");
}

std::string IsoTime(int64_t milliseconds) { return Utc(milliseconds, "%Y-%m-%dT%H:%M:%S."); }

// Ordered by time, and no two connections share one.
std::string NewEpoch() {
  uint32_t random = 0;
  if (getrandom(&random, sizeof random, 0) != sizeof random) {
    random = static_cast<uint32_t>(Clock::now().time_since_epoch().count()) ^
             static_cast<uint32_t>(getpid());
  }
  char text[16];
  std::snprintf(text, sizeof text, "-%08x", random);
  return Utc(NowMillis(), "%Y%m%dT%H%M%S") + text;
}

void Text(JsonText* json, const char* name, std::string_view text) {
  json->Key(name);
  json->String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

/// A line of the file, with what all of them have.
class Line {
 public:
  Line(std::string_view epoch, const char* event) : json(text_) {
    json.StartObject();
    Text(&json, "time", IsoTime(NowMillis()));
    Text(&json, "epoch", epoch);
    Text(&json, "event", event);
  }
  std::string End() {
    json.EndObject();
    return std::string(text_.GetString(), text_.GetSize()) + '\n';
  }

 private:
  rapidjson::StringBuffer text_;

 public:
  JsonText json;
};

std::string Option(const Config& config, const char* name) {
  return std::string(name) + '=' + config.GetString(name);
}
std::string Numeric(const char* name, uint64_t value) {
  return std::string(name) + '=' + std::to_string(value);
}

// By which option each kind of loss comes about.
std::string PolicyOf(DropReason reason, const Settings& settings) {
  const Config& config = settings.config;
  const std::string full = Option(config, "overflow") + ", " +
                           Numeric("queue-size", settings.queue.messages) + ", " +
                           Numeric("queue-bytes", settings.queue.bytes);
  switch (reason) {
    case DropReason::kEvicted:
    case DropReason::kNewest:
    case DropReason::kSuperseded:
      return full;
    case DropReason::kMemory:
      return Numeric("memory-high-water", static_cast<uint64_t>(settings.queue.memory_high_water));
    case DropReason::kExpired:
      return Numeric("message-timeout",
                     static_cast<uint64_t>(settings.queue.message_timeout.count())) +
             "ms, " +
             Numeric("send-timeout", static_cast<uint64_t>(settings.send_timeout.count())) +
             "ms for synchronous sends";
    case DropReason::kTooLarge:
      return Numeric("max-message-bytes", settings.max_message_bytes);
    case DropReason::kGaveUp:
      return Numeric("reconnect", settings.reconnect ? 1 : 0) + ", " +
             Numeric("reconnect-attempts", static_cast<uint64_t>(settings.reconnect_attempts));
    case DropReason::kShutdown:
      return Numeric("flush-timeout",
                     static_cast<uint64_t>(config.GetMillis("flush-timeout").count())) +
             "ms";
    case DropReason::kSpoolFailed:
      return Option(config, "spool-dir");
    case DropReason::kSpoolEvicted:
      return Numeric("spool-max-bytes", config.GetBytes("spool-max-bytes")) + ", spool-evict=1";
    case DropReason::kSpoolLost:
    case DropReason::kCount:
      break;
  }
  return {};
}

}  // namespace

// ---------------------------------------------------------------- options

Ledger::Ledger(const Settings& settings, const DriverInfo& info)
    : epoch_(NewEpoch()),
      protocol_(info.protocol),
      endpoint_(settings.endpoints.ToString()),
      field_([&] {
        const std::string name = settings.config.GetString("ledger-field");
        if (name.empty()) return std::string();
        rapidjson::StringBuffer text;
        JsonText json(text);
        json.String(name.data(), static_cast<rapidjson::SizeType>(name.size()));
        return '{' + std::string(text.GetString(), text.GetSize()) + ":\"";
      }()),
      logger_(info.protocol) {
  for (size_t i = 0; i < kDropReasonCount; ++i) {
    policies_[i] = PolicyOf(static_cast<DropReason>(i), settings);
  }
  others_.mark = epoch_ + ' ' + std::string(kDigits, '0') + " (others)";
  bool per_process = false;
  const std::string path =
      MetricsFile::Expand(settings.config.GetString("ledger-file"), &per_process);
  if (path.empty()) return;
  const auto own = static_cast<uint32_t>(std::stoul(epoch_.substr(epoch_.size() - 8), nullptr, 16));
  file_ = std::make_unique<LedgerFile>(path, settings.config.GetBytes("ledger-max-bytes"), own,
                                       [this] { return Begun() + Numbers(true); });
}

Result<std::shared_ptr<Ledger>> Ledger::Start(const Settings& settings, const DriverInfo& info) {
  const Config& config = settings.config;
  if (!config.GetBool("ledger")) {
    for (const char* name : {"ledger-source", "ledger-field", "ledger-file", "ledger-max-bytes"}) {
      if (config.IsSet(name))
        Logger(info.protocol).Warn(name + std::string(": no effect without ledger=1"));
    }
    return std::shared_ptr<Ledger>();
  }
  const char* const none = info.no_headers == nullptr ? nullptr : info.no_headers(config);
  if (none != nullptr && config.GetString("ledger-field").empty()) {
    return Status(Code::kInvalidArgument,
                  std::string("ledger=1: ") + none +
                      "; set ledger-field=ledger, and the number is put into JSON payloads");
  }
  std::shared_ptr<Ledger> ledger(new Ledger(settings, info));
  if (ledger->file_ == nullptr) return ledger;
  // Empty: the file begins with what it always has.
  Status status = ledger->file_->Append({});
  if (!status.ok()) return Status(Code::kInvalidArgument, status.message());
  ledger->ended_ = false;
  try {
    StartThread("dsmsg-ledger", [ledger] { ledger->Run(); }).detach();
  } catch (const std::system_error& error) {
    return Status(Code::kInternal, std::string("ledger-file: ") + error.what());
  }
  return ledger;
}

// ---------------------------------------------------------------- the file

std::string Ledger::Begun() const {
  Line line(epoch_, "begun");
  Text(&line.json, "protocol", protocol_);
  Text(&line.json, "endpoint", endpoint_);
  line.json.Key("pid");
  line.json.Int64(getpid());
  return line.End();
}

std::string Ledger::Numbers(bool all) {
  Line line(epoch_, "numbers");
  line.json.Key("sources");
  line.json.StartObject();
  bool any = false;
  const auto add = [&](const Source& source) {
    const std::string name = source.mark.substr(epoch_.size() + 1 + kDigits + 1);
    const uint64_t number = source.numbered.load(std::memory_order_relaxed);
    uint64_t& written = written_[name];
    if (number == 0 || (number == written && !all)) return;
    written = number;
    line.json.Key(name.c_str());
    line.json.Uint64(number);
    any = true;
  };
  {
    std::lock_guard lock(sources_mutex_);
    for (const auto& source : sources_) add(*source);
  }
  add(others_);
  line.json.EndObject();
  line.json.Key("unnumbered");
  line.json.Uint64(unnumbered_.load(std::memory_order_relaxed));
  return any ? line.End() : std::string();
}

std::string Ledger::Lines(const std::map<Why, Losses>& losses) {
  std::string lines;
  for (const auto& [why, lost] : losses) {
    const auto& [epoch, source, reason, policy] = why;
    Line line(epoch, "lost");
    Text(&line.json, "source", source);
    Text(&line.json, "reason", reason);
    Text(&line.json, "policy", policy);
    if (!lost.text.empty()) Text(&line.json, "text", lost.text);
    Text(&line.json, "from", IsoTime(lost.from_ms));
    Text(&line.json, "to", IsoTime(lost.to_ms));
    std::string numbers;
    uint64_t count = 0;
    for (const auto& [first, last] : lost.ranges) {
      numbers += (numbers.empty() ? "" : ",") + std::to_string(first);
      if (last > first) numbers += '-' + std::to_string(last);
      count += last - first + 1;
    }
    line.json.Key("count");
    line.json.Uint64(count);
    Text(&line.json, "numbers", numbers);
    lines += line.End();
  }
  return lines;
}

void Ledger::Run() {
  const auto warn = [this](std::string_view text) {
    logger_.Limited(LogLevel::kWarn, "ledger-file", text);
  };
  std::string text;  // not written yet
  Clock::time_point numbers_at = Clock::now() + kNumbers;
  std::unique_lock lock(mutex_);
  while (!ended_) {
    const bool ending = ending_;
    Status status;
    const auto write = [&] {
      const Clock::time_point now = Clock::now();
      std::map<Why, Losses> losses = std::exchange(losses_, {});
      ranges_ = 0;
      const uint64_t unrecorded = std::exchange(unrecorded_, 0);
      lock.unlock();
      text += Lines(losses);
      if (unrecorded > 0) {
        Line line(epoch_, "unrecorded");
        line.json.Key("count");
        line.json.Uint64(unrecorded);
        text += line.End();
      }
      if (now >= numbers_at || ending) {
        text += Numbers(false);
        numbers_at = now + kNumbers;
      }
      if (ending) text += Line(epoch_, "ended").End();
      if (!text.empty()) status = file_->Append(text);
      if (status.ok() || text.size() > kMostUnwritten) text.clear();
    };
    Contained(write, warn);
    if (!status.ok()) warn(status.message());
    if (ending) file_->Close();
    if (!lock.owns_lock()) lock.lock();
    ended_ = ending;
    if (ended_) break;
    if (!status.ok()) {
      due_cv_.wait_for(lock, kRetry, [this] { return ending_; });
      continue;
    }
    due_cv_.wait_until(lock, numbers_at, [this] { return ending_ || !losses_.empty(); });
    due_cv_.wait_for(lock, kGather, [this] { return ending_; });
  }
  ended_cv_.notify_all();
}

void Ledger::End(Deadline deadline) {
  std::unique_lock lock(mutex_);
  ending_ = true;
  due_cv_.notify_all();
  ended_cv_.wait_until(lock, deadline, [this] { return ended_; });
}

std::string Ledger::Json() const {
  rapidjson::StringBuffer text;
  JsonText json(text);
  json.StartObject();
  Text(&json, "epoch", epoch_);
  json.Key("unnumbered");
  json.Uint64(unnumbered_.load(std::memory_order_relaxed));
  json.Key("sources");
  json.StartObject();
  const auto add = [&](const Source& source) {
    const uint64_t numbered = source.numbered.load(std::memory_order_relaxed);
    if (numbered == 0) return;
    json.Key(source.mark.c_str() + epoch_.size() + 1 + kDigits + 1);
    json.StartObject();
    json.Key("numbered");
    json.Uint64(numbered);
    json.Key("lost");
    json.Uint64(source.lost.load(std::memory_order_relaxed));
    json.EndObject();
  };
  {
    std::lock_guard lock(sources_mutex_);
    for (const auto& source : sources_) add(*source);
  }
  add(others_);
  json.EndObject();
  json.EndObject();
  return {text.GetString(), text.GetSize()};
}

}  // namespace dsmsg
