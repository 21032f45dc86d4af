// SPDX-License-Identifier: Apache-2.0
#include "host/host_settings.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <utility>

#include "core/base/text_file.h"
#include "core/options/config_parser.h"
#include "core/options/option_value.h"

namespace dsmsg::host {
namespace {

constexpr std::string_view kGroup = "[nvmsgbroker]";
constexpr size_t kLargestFile = size_t{1} << 20;

constexpr OptionSpec kOptions[] = {
    {"auto-reconnect", "bool", "1", "reconnect, for adaptors that do not reconnect themselves"},
    {"retry-interval", "s(0,86400)", "2", "pause between two attempts; a bare number is seconds"},
    {"max-retry-limit", "s(0,31536000)", "360",
     "give up after this time; a bare number is seconds; 0: never"},
    {"work-interval", "int(0,60000000)", "10000",
     "microseconds: longest pause between two calls of do_work, for adaptors whose do_work does "
     "not wait by itself; throughput does not depend on it"},
    {"flush-timeout", "ms(0,3600000)", "10s", "how long disconnect waits for pending messages"},
    {"queue-size", "int(1,100000000)", "100000",
     "messages that may wait in front of a third-party adaptor"},
    {"queue-bytes", "bytes(1,1099511627776)", "256M", "their payload together"},
    {"overflow-timeout", "ms(0,3600000)", "5s",
     "how long a send waits for room in a full queue while the link is up"},
    {"report-reconnecting", "enum(auto,yes,no)", "auto",
     "report RECONNECTING and the OK after it to the connect callback; auto: yes, but not to "
     "DeepStream's sink, which would drop every message from then on"},
};

struct Entry {
  std::string key, raw, value;  // as written, and without quotes
  size_t line = 0;
};

/// The lines of our group; nothing if the text has no such group. The rest of the file is ignored.
struct Group {
  std::vector<Entry> entries;
  std::vector<std::string> bad;  // "line 7: ..."
};

std::optional<Group> FindGroup(std::string_view text) {
  std::optional<Group> group;
  bool inside = false;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = TrimBlanks(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      inside = line == kGroup;
      if (inside && !group) group.emplace();
      continue;
    }
    if (!inside) continue;
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      group->bad.push_back("line " + std::to_string(number) +
                           ": expected [group], key = value or a # comment");
      continue;
    }
    const std::string_view raw = line.substr(equals + 1);
    group->entries.push_back({std::string(TrimBlanks(line.substr(0, equals))), std::string(raw),
                              std::string(Unquote(raw).text), number});
  }
  return group;
}

std::string Dashes(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

const OptionSpec* FindOption(const std::string& name) {
  const auto* found = std::find_if(std::begin(kOptions), std::end(kOptions),
                                   [&](const OptionSpec& spec) { return name == spec.name; });
  return found == std::end(kOptions) ? nullptr : found;
}

using Values = std::map<std::string, OptionValue>;

/// The defaults cannot fail: a test loads them.
Values Defaults() {
  Values values;
  for (const OptionSpec& spec : kOptions) {
    const Result<OptionType> type = ParseOptionType(spec);
    if (!type.ok()) continue;
    Result<OptionValue> value = ParseOptionValue(type.value(), spec.deflt);
    if (value.ok()) values[spec.name] = std::move(value.value());
  }
  return values;
}

Status SetValue(const std::string& path, const Entry& entry, Values* values,
                std::vector<std::string>* warnings) {
  const std::string at = path + ":" + std::to_string(entry.line) + ": ";
  const OptionSpec* spec = FindOption(Dashes(entry.key));
  if (spec == nullptr) {
    const std::string nearest = OptionTable(kOptions).Nearest(entry.key);
    const bool near = FindOption(nearest) != nullptr;  // the table also holds an adaptor's options
    warnings->push_back(at + "unknown key " + entry.key + " in [nvmsgbroker]" +
                        (near ? " (did you mean " + nearest + "?)" : ""));
    return {};
  }
  if (entry.value.empty()) return {};
  const Result<OptionType> type = ParseOptionType(*spec);
  if (!type.ok()) return type.status();
  Result<OptionValue> value = ParseOptionValue(type.value(), entry.value);
  if (!value.ok()) {
    return Status(Code::kInvalidArgument, at + spec->name + " = " + entry.value + ": " +
                                              value.status().message() + CommentHint(entry.raw));
  }
  (*values)[spec->name] = std::move(value.value());
  return {};
}

Result<HostSettings> Read(const std::string& path, const Group& group) {
  HostSettings settings;
  settings.origin = path;
  if (!group.bad.empty()) return Status(Code::kInvalidArgument, path + ", " + group.bad.front());
  Values values = Defaults();
  for (const Entry& entry : group.entries) {
    const Status status = SetValue(path, entry, &values, &settings.warnings);
    if (!status.ok()) return status;
  }
  const auto number = [&](const char* name) { return values[name].number; };
  settings.auto_reconnect = number("auto-reconnect") != 0;
  settings.retry_interval = Millis(number("retry-interval"));
  settings.max_retry_limit = Millis(number("max-retry-limit"));
  settings.work_interval = std::chrono::microseconds(number("work-interval"));
  settings.flush_timeout = Millis(number("flush-timeout"));
  settings.queue_size = static_cast<size_t>(number("queue-size"));
  settings.queue_bytes = static_cast<uint64_t>(number("queue-bytes"));
  settings.overflow_timeout = Millis(number("overflow-timeout"));
  const std::string& report = values["report-reconnecting"].text;
  if (report == "yes") settings.report = HostSettings::Report::kYes;
  if (report == "no") settings.report = HostSettings::Report::kNo;
  return settings;
}

}  // namespace

std::span<const OptionSpec> HostOptions() { return kOptions; }

Result<HostSettings> HostSettings::Load(const std::string& adaptor_config,
                                        const std::string& deepstream_file) {
  if (!adaptor_config.empty()) {
    const Result<std::string> text = ReadTextFile(adaptor_config, kLargestFile);
    if (text.ok()) {
      if (const auto group = FindGroup(text.value())) return Read(adaptor_config, *group);
    }
  }
  const char* named = std::getenv("NVMSGBROKER_CONFIG");
  if (named != nullptr && *named != '\0') {
    const std::string path = named;
    const Result<std::string> text = ReadTextFile(path, kLargestFile);
    if (!text.ok()) {
      return Status(Code::kInvalidArgument,
                    "NVMSGBROKER_CONFIG: file \"" + path + "\" " + text.status().message());
    }
    if (const auto group = FindGroup(text.value())) return Read(path, *group);
    return Status(Code::kInvalidArgument, "NVMSGBROKER_CONFIG: file \"" + path +
                                              "\" has no group [nvmsgbroker] (put that line "
                                              "before its options)");
  }
  const Result<std::string> text = ReadTextFile(deepstream_file, kLargestFile);
  if (text.ok()) {
    if (const auto group = FindGroup(text.value())) return Read(deepstream_file, *group);
  }
  return Read("", Group());
}

}  // namespace dsmsg::host
