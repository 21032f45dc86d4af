// SPDX-License-Identifier: Apache-2.0
#include "core/queue/dead_letters.h"

#include <glib.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <system_error>

#include "core/base/encoding.h"

namespace dsmsg {
namespace {

constexpr std::string_view kReasonHeader = "dsmsg-dead-letter-reason";
constexpr std::string_view kTopicHeader = "dsmsg-dead-letter-topic";

using Json = rapidjson::Writer<rapidjson::StringBuffer>;

void String(Json* json, std::string_view text) {
  json->String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

// Bytes as text if they are text, otherwise as base64 under another name.
void Bytes(Json* json, const std::string& name, std::string_view bytes) {
  if (g_utf8_validate(bytes.data(), static_cast<gssize>(bytes.size()), nullptr) != FALSE) {
    String(json, name);
    String(json, bytes);
    return;
  }
  String(json, name + "_base64");
  String(json, ToBase64(bytes));
}

std::string UtcNow(const char* format) {
  const time_t now = time(nullptr);
  tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  const size_t length = strftime(text, sizeof text, format, &parts);
  return {text, length};
}

std::string Line(const Message& message, const Status& reason) {
  rapidjson::StringBuffer text;
  Json json(text);
  json.StartObject();
  json.Key("time");
  String(&json, UtcNow("%Y-%m-%dT%H:%M:%SZ"));
  json.Key("code");
  json.String(CodeName(reason.code()));
  json.Key("reason");
  String(&json, reason.message());
  json.Key("timestamp_ms");
  json.Int64(message.timestamp_ms);
  Bytes(&json, "topic", message.topic);
  if (message.has_key) Bytes(&json, "key", message.key);
  if (!message.headers.empty()) {
    json.Key("headers");
    json.StartObject();
    for (const auto& [name, value] : message.headers) Bytes(&json, std::string(name), value);
    json.EndObject();
  }
  Bytes(&json, "payload", message.payload);
  json.EndObject();
  return std::string(text.GetString(), text.GetSize()) + '\n';
}

Status Bad(const std::string& folder, const std::string& why) {
  return {Code::kInvalidArgument, "dead-letter-dir=" + folder + ": " + why};
}

}  // namespace

DeadLetters::DeadLetters(const Settings& settings, const char* protocol, Metrics& metrics,
                         Logger& logger)
    : topic_(settings.config.GetString("dead-letter-topic")),
      folder_(settings.config.GetString("dead-letter-dir")),
      protocol_(protocol),
      max_bytes_(settings.config.GetBytes("dead-letter-max-bytes")),
      metrics_(metrics),
      logger_(logger) {}

Status DeadLetters::Prepare() {
  if (folder_.empty()) return {};
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error)
    return Bad(folder_, "cannot be created: " + error.message() +
                            " (is the path right, and may this user write there?)");
  if (access(folder_.c_str(), W_OK | X_OK) != 0) {
    return Bad(folder_, "cannot be written: " + std::generic_category().message(errno) +
                            " (may this user write there?)");
  }
  files_ = LetterFolder::Of(folder_);
  return {};
}

bool DeadLetters::MakeLetter(const Outgoing& refused, const Status& reason, Outgoing* letter) {
  const Message& from = refused.message;
  if (topic_.empty() || from.topic == topic_) return false;
  size_t size = from.payload.size() + topic_.size() + 1 + from.key.size() +
                reason.message().size() + from.topic.size();
  for (const auto& [name, value] : from.headers) size += name.size() + value.size();
  letter->buffer = pool_.Get(size);
  if (!letter->buffer) return false;
  char* at = reinterpret_cast<char*>(letter->buffer.data());
  const auto append = [&at](std::string_view bytes) {
    char* const start = at;
    if (!bytes.empty()) std::memcpy(start, bytes.data(), bytes.size());
    at += bytes.size();
    return std::string_view(start, bytes.size());
  };
  letter->message.payload = append(from.payload);
  letter->message.topic = append(topic_);
  *at++ = '\0';
  letter->message.key = append(from.key);
  letter->message.has_key = from.has_key;
  // The current time: the message's own time may be the reason for the refusal.
  letter->message.timestamp_ms =
      std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  letter->headers.emplace_back(kReasonHeader, append(reason.message()));
  letter->headers.emplace_back(kTopicHeader, append(from.topic));
  for (const auto& [name, value] : from.headers) {
    const std::string_view own_name = append(name);
    letter->headers.emplace_back(own_name, append(value));
  }
  letter->accepted_at = Clock::now();
  letter->dead_letter = true;
  letter->place = Place::kLetter;
  return true;
}

void DeadLetters::Keep(const Message& message, const Status& reason) {
  if (!enabled()) return;
  Status kept = folder_.empty() ? Status(Code::kRejected,
                                         "dead-letter-topic does not take it either, and "
                                         "dead-letter-dir is not set")
                                : Append(Line(message, reason));
  if (kept.ok()) {
    metrics_.books.Delivered(Place::kLetter);
    return;
  }
  metrics_.books.LetterLost();
  logger_.Limited(LogLevel::kError, "dead letter", "a refused message is lost: " + kept.message());
}

Status DeadLetters::Append(const std::string& line) {
  const std::string name = std::string(LetterFolder::kPrefix) + protocol_ + '-' + UtcNow("%Y%m%d") +
                           '-' + std::to_string(getpid()) + ".jsonl";
  const Status status = files_->Append(name, line, max_bytes_);
  if (status.ok()) return {};
  if (status.code() != Code::kWouldBlock) return Bad(folder_, status.message());
  return Bad(folder_, "is " + status.message() +
                          "; look at what was refused and why, then remove the files");
}

}  // namespace dsmsg
